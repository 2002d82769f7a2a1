"""The judgements of models of sounds and speech, tried on right answers and on wrong ones."""

from __future__ import annotations

import types

import torch
from transformers import BatchFeature

from hf_tests.probe.judge import WrongOutput
from hf_tests.probe.tasks import Subject, get
from tests import support
from tests.answers import AnswersCase


class TestSounds(AnswersCase):
    def test_audio_classification(self) -> None:
        self.check_labels("superb/wav2vec2-base-superb-ks")

    def test_audio_feature_extraction(self) -> None:
        model = support.model("facebook/w2v-bert-2.0")
        task, subject = get(model.task), Subject(model, None, None)
        right = torch.randn(1, 4, 6)
        found = task.judge(subject, {}, {"last_hidden_state": right})
        self.assertEqual(found.predictions[0]["parts"], 4)
        for wrong in (right[0], right.expand(2, 4, 6), torch.ones(1, 4, 6), right / 0):
            with self.subTest(wrong=wrong), self.assertRaises(WrongOutput):
                task.judge(subject, {}, {"last_hidden_state": wrong})

    def test_text_to_audio(self) -> None:
        task, config = get("text-to-audio"), types.SimpleNamespace(to_dict=dict)
        model = support.model("facebook/mms-tts-eng")
        subject = Subject(model, types.SimpleNamespace(config=config), None)
        wave = torch.linspace(-1, 1, 80)[None]
        (said,) = task.judge(subject, {}, {"waveform": wave}).predictions
        self.assertEqual(said["samples"], 80)
        logits = torch.eye(4)[None, [2, 0, 3]]
        (said,) = task.judge(subject, {}, {"logits": logits}).predictions
        self.assertEqual(said, {"best_logits": [2, 0, 3]})
        for wrong in (
            {},
            {"loss": wave},
            {"waveform": wave * torch.nan},
            {"waveform": wave * 0},
            {"waveform": wave[:, :1]},
            {"logits": logits * 0},
        ):
            with self.subTest(wrong=wrong), self.assertRaises(WrongOutput):
                task.judge(subject, {}, wrong)
        self.assertIn("rounds lengths", task.lacks("bfloat16", model) or "")
        self.assertIsNone(task.lacks("float32", model))
        answer = {"audio": wave.numpy(), "sampling_rate": 40}
        (said,) = task.judge_answer(model, None, answer).predictions
        self.assertEqual((said["seconds"], said["sampling_rate"]), (2.0, 40))
        for wrong in (
            {"audio": wave.numpy()},
            {"sampling_rate": 40},
            {**answer, "sampling_rate": None},
            {**answer, "sampling_rate": 0},
            {**answer, "sampling_rate": 24000},
            {**answer, "audio": wave.numpy() * float("inf")},
            {**answer, "audio": wave.numpy() * 0},
            {**answer, "audio": wave.numpy()[:, :1]},
        ):
            with self.subTest(wrong=wrong), self.assertRaises(WrongOutput):
                task.judge_answer(model, None, wrong)

    def test_audio_coding(self) -> None:
        task, processor = get("audio-coding"), types.SimpleNamespace(sampling_rate=8000)
        codec = support.model("facebook/encodec_24khz")
        config = types.SimpleNamespace(config=types.SimpleNamespace(codebook_size=4))
        subject = Subject(codec, config, processor)
        wave = torch.linspace(-1, 1, 8000)[None, None]
        right = {"audio_values": wave, "audio_codes": torch.tensor([[[[0, 3, 1], [2, 2, 2]]]])}
        (said,) = task.judge(subject, {}, right).predictions
        self.assertEqual((said["codebooks"], said["frames"]), (2, 3))
        self.assertEqual(said["first_codes"], [0, 3, 1])
        for wrong in (
            {"audio_values": wave * torch.nan},
            {"audio_values": wave * 0},
            {"audio_values": wave[..., :4000]},
            {"audio_values": torch.cat([wave, wave])},
            {"audio_codes": right["audio_codes"] + 1},
            {"audio_codes": right["audio_codes"] - 1},
            {"audio_codes": right["audio_codes"] * 0},
            {"audio_codes": right["audio_codes"] / 2},
        ):
            with self.subTest(wrong=wrong), self.assertRaises(WrongOutput):
                task.judge(subject, {}, {**right, **wrong})
        with self.assertRaisesRegex(WrongOutput, "neither a sound nor latents"):
            task.judge(subject, {}, {"audio_codes": right["audio_codes"]})
        self.assertIn("chooses among codes", task.lacks("bfloat16", codec) or "")
        self.assertIsNone(task.lacks("bfloat16", support.model("dg845/univnet-dev")))
        self.assertIsNone(task.lacks("float32", codec))

    def test_zero_shot_audio_classification(self) -> None:
        model = support.model("laion/clap-htsat-fused")
        labels = get(model.task).labels(model)  # type: ignore[attr-defined]
        right = [
            {"label": label, "score": score}
            for label, score in zip(labels, (0.6, 0.3, 0.1), strict=True)
        ]
        self.check(
            model.id, right, right[::-1], right[:2], [{**right[0], "score": 0.9}, *right[1:]]
        )
        logits = torch.tensor([[1.0, 2.0, -1.0]])
        subject = Subject(model, None, None)
        for factor in (1.0, 1.5):  # of the texts' own scale
            by_text = logits.T * factor
            outputs = BatchFeature({"logits_per_audio": logits, "logits_per_text": by_text})
            get(model.task).judge(subject, {}, outputs)
            outputs["logits_per_text"] = by_text.flip(0)
            with self.assertRaises(WrongOutput):
                get(model.task).judge(subject, {}, outputs)

    def test_logits_that_are_named_after_both(self) -> None:
        subject = Subject(support.model("facebook/pe-av-large#audio_model"), None, None)
        task, logits = get(subject.model.task), torch.tensor([[1.0, 2.0, -1.0]])
        found = task.judge(subject, {}, BatchFeature({"logits_audio_text": logits}))
        self.assertAlmostEqual(found.predictions[0]["score"], float(logits.sigmoid().max()))
        for wrong in (logits[:, :2], logits / 0, logits * 0):
            with self.subTest(wrong=wrong), self.assertRaises(WrongOutput):
                task.judge(subject, {}, BatchFeature({"logits_audio_text": wrong}))

    def test_automatic_speech_recognition(self) -> None:
        self.check("openai/whisper-tiny", {"text": " hello"}, {"text": None}, {"words": []}, ["x"])

    def test_any_to_any(self) -> None:
        prompt = "USER: <sound> What do you hear? ASSISTANT:"
        self.check(
            "nvidia/audio-flamingo-3-hf",
            [{"input_text": prompt, "generated_text": prompt + " a bell"}],
            [{"input_text": prompt, "generated_text": prompt}],
            [{"input_text": prompt, "generated_text": 3}],
            [{"generated_text": prompt + " a bell"}],
        )
