"""The judgements: each holds for a right answer and fails for a wrong one."""

from __future__ import annotations

import types
import unittest
from typing import Any
from unittest import mock

import torch
from PIL import Image
from transformers import BatchFeature
from transformers.modeling_outputs import BaseModelOutput

from hf_tests.probe import judge, samples
from hf_tests.probe.judge import WrongOutput
from hf_tests.probe.tasks import Subject, get, names, visual_document_retrieval
from hf_tests.probe.tasks.zero_shot_image_classification import LABELS
from tests import support


class TestJudge(unittest.TestCase):
    def test_right(self) -> None:
        judge.finite(torch.zeros(2), "x")
        judge.shape(torch.zeros(1, 2, 3), (1, None, 3), "x")
        judge.varied(torch.tensor([1.0, 2.0]), "x")
        judge.keys({"a": 1, "b": 2}, ("a",), "x")
        judge.scores([0.7, 0.3], "x", sum_to=1.0)
        judge.descending([0.7, 0.7, 0.1], "x")

    def test_wrong(self) -> None:
        wrong: list[tuple[Any, ...]] = [
            (judge.finite, torch.tensor([1.0, float("nan")])),
            (judge.finite, torch.tensor([1.0, float("inf")])),
            (judge.shape, torch.zeros(1, 2), (1, 3)),
            (judge.shape, torch.zeros(1, 2), (1, 2, 1)),
            (judge.varied, torch.ones(4)),
            (judge.keys, {"a": 1}, ("b",)),
            (judge.keys, [1], ("b",)),
            (judge.scores, [1.2]),
            (judge.scores, [-0.1]),
            (judge.scores, [float("nan")]),
            (judge.scores, []),
            (judge.descending, [0.1, 0.2]),
        ]
        for check, *arguments in wrong:
            with (
                self.subTest(check=check.__name__, arguments=arguments),
                self.assertRaises(WrongOutput),
            ):
                check(*arguments, "x")
        with self.assertRaises(WrongOutput):
            judge.scores([0.5, 0.4], "x", sum_to=1.0)


class Tokenizer:
    """Enough of a tokenizer to judge an answer without loading one."""

    mask_token = "[MASK]"


def pipe(**config: Any) -> Any:
    """A pipeline's outside, for answers made by hand."""
    settings = types.SimpleNamespace(num_labels=3, id2label={0: "a", 1: "b", 2: "c"}, **config)
    return types.SimpleNamespace(
        tokenizer=Tokenizer(),
        processor=types.SimpleNamespace(image_token="<image>", audio_token="<sound>"),
        model=types.SimpleNamespace(config=settings),
    )


class TestAnswers(unittest.TestCase):
    """Answers of pipelines: the right one of each task is accepted, spoilt ones are not."""

    def check(self, model_id: str, right: Any, *spoilt: Any) -> None:
        model = support.model(model_id)
        task = get(model.task)
        task.judge_answer(model, pipe(), right)
        for answer in spoilt:
            with self.subTest(task=task.name, answer=answer), self.assertRaises(WrongOutput):
                task.judge_answer(model, pipe(), answer)

    def test_fill_mask(self) -> None:
        def item(score: float, sequence: str = "paris is nice") -> dict[str, Any]:
            return {"score": score, "token": 1, "token_str": "is", "sequence": sequence}

        right = [item(0.4), item(0.3), item(0.1), item(0.1), item(0.05)]
        self.check(
            "bert-base-uncased",
            right,
            right[:3],
            list(reversed(right)),
            [item(1.4), *right[1:]],
            [item(0.4, "paris [MASK] nice"), *right[1:]],
            [{"score": 0.4}, *right[1:]],
        )

    def test_text_generation(self) -> None:
        prompt = "Once upon a time, a small robot"
        self.check(
            "gpt2",
            [{"generated_text": prompt + " sang"}],
            [{"generated_text": prompt}],
            [{"generated_text": "Once upon"}],
            [{"generated_text": "something else that is quite long and no continuation"}],
            [],
            [{"text": prompt + " sang"}],
        )

    def test_text2text_generation(self) -> None:
        self.check("t5-small", [{"generated_text": "Haus"}], [{"generated_text": ""}], [])

    def test_image_classification(self) -> None:
        self.check_labels("google/vit-base-patch16-224")

    def test_video_classification(self) -> None:
        self.check_labels("MCG-NJU/videomae-base-finetuned-kinetics")

    def test_visual_question_answering(self) -> None:
        def answer(*pairs: tuple[str, float]) -> list[dict[str, Any]]:
            return [{"answer": word, "score": score} for word, score in pairs]

        self.check(
            "dandelin/vilt-b32-finetuned-vqa",
            answer(("a", 0.5), ("b", 0.3), ("c", 0.3)),
            answer(("a", 0.5), ("b", 0.3)),
            answer(("a", 0.5), ("b", 0.3), ("x", 0.2)),
            answer(("a", 0.2), ("b", 0.3), ("c", 0.5)),
            answer(("a", 1.5), ("b", 0.3), ("c", 0.2)),
            [{"label": "a", "score": 0.5}] * 3,
        )

    def test_document_question_answering(self) -> None:
        def item(answer: str, start: int, end: int, score: float = 0.5) -> dict[str, Any]:
            return {"answer": answer, "score": score, "start": start, "end": end}

        module = "hf_tests.probe.tasks.document_question_answering._score"
        with mock.patch(module, return_value=0.5):
            self.check(
                "microsoft/layoutlmv3-base",
                [item("Date: 12 March", 1, 3)],
                [],
                [item("Date: 12 March", 1, 2)],
                [item("Date: 12 March", 1, 3, 1.5)],
                [item("Date: 12 March", 1, 3, 0.4)],  # as without the image
                [{"answer": "Date:", "score": 0.5}],
            )

    def test_document_text_generation(self) -> None:
        model = support.model("microsoft/udop-large")
        with self.assertRaisesRegex(NotImplementedError, "has no document-text-generation"):
            get(model.task).judge_answer(model, None, [])

    def test_table_question_answering(self) -> None:
        model = support.model("google/tapas-base-finetuned-wtq")
        task, outside = get(model.task), pipe(aggregation_labels={0: "NONE", 1: "SUM"})
        right = {
            "answer": "SUM > Lima, 13",
            "coordinates": [(1, 0), (1, 2)],
            "cells": ["Lima", "13"],
            "aggregator": "SUM",
        }
        task.judge_answer(model, outside, right)
        for wrong in (
            {"cells": ["Lima", "18"]},
            {"coordinates": [(1, 0)]},
            {"answer": "Oslo"},
            {"aggregator": "MEAN"},
        ):
            with self.subTest(wrong=wrong), self.assertRaises(WrongOutput):
                task.judge_answer(model, outside, {**right, **wrong})

    def test_scene_text_recognition(self) -> None:
        settings = types.SimpleNamespace(config=types.SimpleNamespace(max_token_length=2))
        subject = Subject(support.model("alibaba-damo/mgp-str-base"), settings, None)
        task, letters = get(subject.model.task), torch.tensor([[[0.0, 1.0], [2.0, 0.0]]])
        found = task.judge(subject, {}, {"logits": (letters, letters * 2)})
        self.assertEqual(found.predictions[0]["tokens"], [1, 0])
        for wrong in (letters[:, :1], letters / 0, letters * 0):
            with self.subTest(wrong=wrong), self.assertRaises(WrongOutput):
                task.judge(subject, {}, {"logits": (letters, wrong)})

    def test_text_recognition(self) -> None:
        """The text of a line is checked against the best symbols: b, b, blank, b, c."""

        def line(text: str, score: float) -> Any:
            answer = [{"text": text, "score": score}]
            return types.SimpleNamespace(
                character_list=["blank", "b", "c"],
                post_process_text_recognition=lambda outputs: answer,
            )

        model = support.model("PaddlePaddle/PP-OCRv5_server_rec_safetensors")
        task = get(model.task)
        chances = torch.eye(3)[[1, 1, 0, 1, 2]][None] * 0.7 + 0.1
        outputs = BaseModelOutput(last_hidden_state=chances)
        found = task.judge(Subject(model, None, line("bbc", 0.8)), {}, outputs)
        self.assertEqual(found.predictions[0]["symbols"], 3)
        wrong_line = (line("bc", 0.8), line("bbbc", 0.8), line("bbc", 0.5))
        for processor in wrong_line:
            with self.subTest(processor=processor), self.assertRaises(WrongOutput):
                task.judge(Subject(model, None, processor), {}, outputs)
        for wrong in (chances * 2, chances - 0.2, chances[0], chances / 0):
            with self.subTest(wrong=wrong), self.assertRaises(WrongOutput):
                spoilt = BaseModelOutput(last_hidden_state=wrong)
                task.judge(Subject(model, None, line("bbc", 0.8)), {}, spoilt)

    def test_text_recognition_of_a_table(self) -> None:
        def table(*tags: str, score: float = 0.8) -> Any:
            whole = ["<html>", "<body>", "<table>", *tags, "</table>", "</body>", "</html>"]
            answer = {"structure": whole, "structure_score": score}
            return types.SimpleNamespace(
                character=["sos", "<tr>", "</tr>", "eos"],
                bos_id=0,
                eos_id=3,
                post_process_table_recognition=lambda outputs: answer,
            )

        model = support.model("PaddlePaddle/SLANeXt_wired_safetensors")
        task, chances = get(model.task), torch.eye(4)[[0, 1, 2, 3, 1]][None]
        outputs = BaseModelOutput(last_hidden_state=chances)
        found = task.judge(Subject(model, None, table("<tr>", "</tr>")), {}, outputs)
        self.assertEqual(found.predictions[0]["symbols"], 2)
        spoilt = (table("<tr>"), table("<tr>", "</tr>", "<tr>"), table("<tr>", "</tr>", score=2))
        for processor in spoilt:
            with self.subTest(processor=processor), self.assertRaises(WrongOutput):
                task.judge(Subject(model, None, processor), {}, outputs)

    def test_action_prediction(self) -> None:
        model = support.model("edbeeching/decision-transformer-gym-hopper-medium")
        network = types.SimpleNamespace(config=types.SimpleNamespace(act_dim=3))
        task, subject = get(model.task), Subject(model, network, None)
        given, actions = {"states": torch.zeros(1, 6, 11)}, torch.randn(1, 6, 3)
        found = task.judge(subject, given, {"action_preds": actions})
        self.assertEqual((found.predictions[0]["steps"], found.predictions[0]["width"]), (6, 3))
        for wrong in (actions[:, :5], actions[..., :2], actions / 0, actions * 0):
            with self.subTest(wrong=wrong), self.assertRaises(WrongOutput):
                task.judge(subject, given, {"action_preds": wrong})
        with self.assertRaises(WrongOutput):
            task.judge(subject, given, {"state_preds": actions})

    def test_video_grounding(self) -> None:
        subject = Subject(support.model("Intel/tvp-base"), None, None)
        task = get(subject.model.task)

        def judged(*shares: float) -> Any:
            return task.judge(subject, {}, types.SimpleNamespace(logits=torch.tensor([shares])))

        self.assertAlmostEqual(judged(0.25, 0.5).predictions[0]["end"], 0.5)
        for wrong in ((0.25, 1.5), (-0.1, 0.5), (0.5, 0.5), (0.1, 0.2, 0.3)):
            with self.subTest(wrong=wrong), self.assertRaises(WrongOutput):
                judged(*wrong)

    def test_protein_text_generation(self) -> None:
        model = support.model("westlake-repl/Evolla-10B-hf")
        with self.assertRaisesRegex(NotImplementedError, "has no protein-text-generation"):
            get(model.task).judge_answer(model, None, [])

    def test_audio_classification(self) -> None:
        self.check_labels("superb/wav2vec2-base-superb-ks")

    def check_labels(self, model_id: str) -> None:
        def answer(*pairs: tuple[str, float]) -> list[dict[str, Any]]:
            return [{"label": label, "score": score} for label, score in pairs]

        self.check(
            model_id,
            answer(("a", 0.5), ("b", 0.3), ("c", 0.2)),
            answer(("a", 0.5), ("b", 0.3)),
            answer(("a", 0.5), ("b", 0.3), ("x", 0.2)),
            answer(("a", 0.2), ("b", 0.3), ("c", 0.5)),
            answer(("a", 1.5), ("b", 0.3), ("c", 0.2)),
        )

    def test_feature_extraction(self) -> None:
        self.check_features("sentence-transformers/all-MiniLM-L6-v2")

    def test_image_feature_extraction(self) -> None:
        self.check_features("facebook/dinov2-with-registers-base")
        # A backbone's maps: each of them counts, whichever comes last.
        deep, fine = torch.randn(1, 6, 2, 2), torch.randn(1, 3, 4, 4)
        self.check(
            "PekingU/rtdetr_r101vd",
            (fine, deep),
            (fine[0], deep),
            (fine, deep.expand(2, 6, 2, 2)),
            (fine / 0, deep),
            (fine, torch.ones(1, 6, 2, 2)),
            (fine, torch.arange(4.0).reshape(1, 1, 2, 2).expand(1, 6, 2, 2)),
            (),
        )

    def test_audio_feature_extraction(self) -> None:
        model = support.model("facebook/w2v-bert-2.0")
        task, subject = get(model.task), Subject(model, None, None)
        right = torch.randn(1, 4, 6)
        found = task.judge(subject, {}, {"last_hidden_state": right})
        self.assertEqual(found.predictions[0]["parts"], 4)
        for wrong in (right[0], right.expand(2, 4, 6), torch.ones(1, 4, 6), right / 0):
            with self.subTest(wrong=wrong), self.assertRaises(WrongOutput):
                task.judge(subject, {}, {"last_hidden_state": wrong})

    def check_features(self, model_id: str) -> None:
        right = torch.randn(1, 4, 6)
        self.check(
            model_id,
            right,
            right.tolist(),
            right[0],
            right.expand(2, 4, 6),
            torch.ones(1, 4, 6),
            torch.arange(4.0).reshape(1, 4, 1).expand(1, 4, 6),  # all of a vector is one number
            right / 0,
        )

    def test_image_to_image(self) -> None:
        model, picture = support.model("caidas/swin2SR-classical-sr-x2-64"), samples.image()
        task, twice = get(model.task), pipe(upscale=2)
        task.judge_answer(model, twice, picture.resize((128, 96)))
        spoilt = (picture.resize((64, 48)), Image.new("RGB", (128, 96)), [picture])
        for answer in spoilt:
            with self.subTest(answer=answer), self.assertRaises(WrongOutput):
                task.judge_answer(model, twice, answer)

    def test_keypoint_detection(self) -> None:
        subject = Subject(support.model("magic-leap-community/superpoint"), None, None)
        right = {
            "keypoints": torch.tensor([[[0.5, 0.25], [0.1, 0.9]]]),
            "scores": torch.tensor([[0.2, 0.7]]),
            "descriptors": torch.eye(2)[None],
            "mask": torch.ones(1, 2),
        }
        task = get("keypoint-detection")
        found = task.judge(subject, {}, right)
        self.assertEqual([(item["x"], item["y"]) for item in found.predictions][1], (160.0, 60.0))
        for wrong in (
            {"keypoints": right["keypoints"] * 2},
            {"scores": right["scores"] * 2},
            {"scores": torch.tensor([[0.2, 0.2]])},
            {"descriptors": right["descriptors"] * 2},
            {"mask": torch.tensor([[1, 0]])},
            {"keypoints": right["keypoints"][:, :0], "scores": right["scores"][:, :0]},
        ):
            with self.subTest(wrong=wrong), self.assertRaises(WrongOutput):
                task.judge(subject, {}, {**right, **wrong})
        self.assertIn("chooses places", task.lacks("float16", subject.model) or "")
        self.assertIsNone(task.lacks("float32", subject.model))

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

    def test_keypoint_matching(self) -> None:
        def item(x: int, y: int, score: float) -> dict[str, Any]:
            place = {"x": x, "y": y}
            return {"keypoint_image_0": place, "keypoint_image_1": place, "score": score}

        class Processor:
            """The images, and where their keypoints are in pixels."""

            def __call__(self, **given: Any) -> dict[str, Any]:
                return {"pixel_values": torch.zeros(1)}

            def post_process_keypoint_matching(self, outputs: Any, sizes: Any) -> list[Any]:
                height, width = sizes[0][0]
                places = torch.tensor([[width / 2, height / 2], [1, 2]])
                return [{"keypoints0": places, "keypoints1": places}]

        model = support.model("magic-leap-community/superglue_outdoor")
        task, outside = get(model.task), pipe()
        outside.image_processor = Processor()
        outside.model = mock.Mock(device="cpu", dtype=torch.float32)
        right = [item(160, 120, 0.9), item(1, 2, 0.5)]
        task.judge_answer(model, outside, right)
        for answer in (
            [],
            right[:1],
            right[::-1],
            [item(160, 120, 1.9), right[1]],
            [item(120, 160, 0.9), right[1]],  # height and width exchanged
            [{"score": 0.9}],
        ):
            with self.subTest(answer=answer), self.assertRaises(WrongOutput):
                task.judge_answer(model, outside, answer)

    def test_depth_estimation(self) -> None:
        rows = torch.arange(240.0)[:, None].expand(240, 320)

        def answer(depth: torch.Tensor, picture: Any = None) -> dict[str, Any]:
            grey = (depth - depth.min()) / (depth.max() - depth.min() or 1) * 255
            shown = Image.fromarray(grey.numpy().astype("uint8"))
            return {"predicted_depth": depth, "depth": picture or shown}

        upside_down = Image.fromarray(rows.flip(0).numpy().astype("uint8"))
        self.check(
            "LiheYoung/depth-anything-small-hf",
            answer(rows),
            answer(rows, upside_down),
            answer(rows.T.contiguous()),
            answer(torch.ones(240, 320)),
            answer(rows / 0),
            {"predicted_depth": rows},
        )

    def test_image_segmentation(self) -> None:
        left, right = torch.zeros(240, 320), torch.zeros(240, 320)
        left[:, :100], right[:, 100:] = 255, 255

        def item(mask: torch.Tensor, label: str = "a", score: float | None = None) -> Any:
            shown = Image.fromarray(mask.numpy().astype("uint8"))
            return {"score": score, "label": label, "mask": shown}

        self.check(
            "nvidia/segformer-b0-finetuned-ade-512-512",
            [item(left), item(right, "b")],
            [item(left)],
            [item(left), item(left), item(right)],
            [item(left), item(right, "another")],
            [item(left), item(right / 2)],
            [item(left.T.contiguous())],
            [],
        )
        self.check(
            "facebook/mask2former-swin-small-coco-instance",
            [item(left, score=0.9)],
            [item(left, score=1.9)],
            [item(left, score=0.9), item(left, score=0.8)],
        )

    def test_object_detection(self) -> None:
        def item(score: float, label: str, *edges: float) -> dict[str, Any]:
            names = ("xmin", "ymin", "xmax", "ymax")
            return {"score": score, "label": label, "box": dict(zip(names, edges, strict=True))}

        boxes = torch.tensor([[[0.5, 0.5, 0.5, 0.5], [0.25, 0.75, 0.5, 0.1]]])
        outputs = BatchFeature({"logits": torch.randn(1, 2, 4), "pred_boxes": boxes})
        model = support.model("facebook/detr-resnet-50")
        task, outside = get(model.task), pipe()
        outside.image_processor = lambda **given: BatchFeature({"pixel_values": torch.zeros(1)})
        outside.model.device, outside.model.dtype = "cpu", torch.float32
        outside.model = mock.Mock(return_value=outputs, **vars(outside.model))
        right = [item(0.4, "b", 80, 60, 240, 180), item(0.9, "a", 0, 168, 160, 192)]
        found = task.judge_answer(model, outside, right)
        self.assertEqual([one["label"] for one in found.predictions], ["a", "b"])
        for answer in (
            [],
            [item(1.4, "b", 80, 60, 240, 180)],
            [item(0.4, "x", 80, 60, 240, 180)],
            [item(0.4, "b", 60, 80, 180, 240)],  # height and width exchanged
            [item(0.4, "b", 160, 120, 160, 120)],  # centre and size for edges
            [{"score": 0.4, "label": "b"}],
        ):
            with self.subTest(answer=answer), self.assertRaises(WrongOutput):
                task.judge_answer(model, outside, answer)

        class Processor:
            def post_process_object_detection(self, outputs: Any, **given: Any) -> Any:
                box = [80.0, 60.0, 240.0, 180.0]
                scores, labels = torch.tensor([0.5]), torch.tensor([1])
                return [{"scores": scores, "labels": labels, "boxes": torch.tensor([box])}]

        subject = Subject(model, outside.model, Processor())
        self.assertEqual(task.judge(subject, {}, outputs).predictions[0]["label"], "b")
        for wrong in (
            {"logits": torch.randn(1, 2, 6)},
            {"logits": torch.ones(1, 2, 4)},
            {"logits": torch.randn(1, 2, 4) / 0},
            {"pred_boxes": boxes[:, :1]},
            {"pred_boxes": boxes + 1},
            {"pred_boxes": boxes.flip(1) * 0.5},
            {"pred_boxes": torch.full_like(boxes, 0.5)},
        ):
            with self.subTest(wrong=wrong), self.assertRaises(WrongOutput):
                task.judge(subject, {}, BatchFeature({**outputs, **wrong}))

    def test_image_moderation(self) -> None:
        from hf_tests.probe.tasks.image_moderation import POLICIES

        model = support.model("google/shieldgemma-2-4b-it")
        task, logits = get(model.task), torch.tensor([[2.0, 0.0], [0.0, 1.0], [-1.0, 3.0]])
        right = BatchFeature({"logits": logits, "probabilities": logits.softmax(-1)})
        subject = Subject(model, None, None)
        found = task.judge(subject, {}, right).predictions
        self.assertEqual([item["answer"] for item in found], ["Yes", "No", "No"])
        self.assertEqual([item["rule"] for item in found], list(POLICIES))
        for wrong in (
            {"logits": logits[:1]},
            {"logits": logits / 0},
            {"logits": torch.ones(3, 2)},
            {"logits": logits.flip(1)},
            {"probabilities": right.probabilities * 0.5},
            {"probabilities": right.probabilities[:, :1]},
        ):
            with self.subTest(wrong=wrong), self.assertRaises(WrongOutput):
                task.judge(subject, {}, BatchFeature({**right, **wrong}))

    def test_zero_shot_object_detection(self) -> None:
        model = support.model("google/owlvit-base-patch32")
        task, names = get(model.task), ("xmin", "ymin", "xmax", "ymax")
        labels = task.labels(model)  # type: ignore[attr-defined]

        def item(score: float, label: str, *edges: float) -> dict[str, Any]:
            return {"score": score, "label": label, "box": dict(zip(names, edges, strict=True))}

        boxes = torch.tensor([[[0.5, 0.5, 0.5, 0.5], [0.25, 0.75, 0.5, 0.1]]])
        places = [80.0, 60.0, 240.0, 180.0], [0.0, 168.0, 160.0, 192.0]
        scores = torch.tensor([[[0.4], [0.9]]])
        outputs = BatchFeature({"logits": scores.logit(), "pred_boxes": boxes})
        outside = pipe()
        outside.tokenizer = lambda *_, **given: BatchFeature({"input_ids": torch.zeros(1, 3)})
        outside.image_processor = lambda **given: BatchFeature({"pixel_values": torch.zeros(1)})
        outside.model.device, outside.model.dtype = "cpu", torch.float32
        outside.model = mock.Mock(return_value=outputs, **vars(outside.model))
        first = [item(0.9, label, *places[1]) for label in labels]
        right = [*first, *(item(0.4, label, *places[0]) for label in labels)]
        found = task.judge_answer(model, outside, right)
        self.assertEqual([one["score"] for one in found.predictions], [0.9] * 3 + [0.4] * 2)
        for name, answer in {
            "nothing": [],
            "two labels": [one for one in right if one["label"] != labels[2]],
            "a label of its own": [*right, item(0.4, "x", *places[0])],
            "another box's score": [*right, item(0.4, labels[0], *places[1])],
            "height and width exchanged": [*right, item(0.4, labels[0], 60, 80, 180, 240)],
            "no order": right[::-1],
            "no box": [*first, {"score": 0.4, "label": labels[0]}],
        }.items():
            with self.subTest(answer=name), self.assertRaises(WrongOutput):
                task.judge_answer(model, outside, answer)

        class Processor:
            image_processor = types.SimpleNamespace()
            index, score, place = 1, 0.8, places[0]

            def post_process_grounded_object_detection(
                self, outputs: Any, threshold: float, target_sizes: Any, text_labels: Any
            ) -> Any:
                found = {"scores": torch.tensor([self.score]), "boxes": torch.tensor([self.place])}
                return [{**found, "text_labels": [text_labels[0][self.index]]}]

        scores = torch.tensor([[[0.1, 0.8, 0.3], [0.5, 0.2, 0.6]]])
        outputs = BatchFeature({"logits": scores.logit(), "pred_boxes": boxes})
        processor = Processor()
        subject = Subject(model, None, processor)
        verdict = task.judge(subject, {}, outputs)
        self.assertEqual(verdict.predictions[0]["label"], labels[1])
        for wrong in (
            {"logits": outputs.logits[:, :1]},
            {"logits": torch.ones(1, 2, 3)},
            {"logits": outputs.logits / 0},
            {"pred_boxes": boxes + 1},
            {"pred_boxes": torch.full_like(boxes, 0.5)},
        ):
            with self.subTest(wrong=wrong), self.assertRaises(WrongOutput):
                task.judge(subject, {}, BatchFeature({**outputs, **wrong}))
        for name, value in (("index", 2), ("score", 0.4), ("place", places[1])):
            with self.subTest(wrong=name), mock.patch.object(processor, name, value):
                self.assertRaises(WrongOutput, task.judge, subject, {}, outputs)

    def test_labels_in_one_text(self) -> None:
        model = support.model("IDEA-Research/grounding-dino-tiny")
        task = get(model.task)
        letters = dict(enumerate(("<", "a red circle", ".", "a blue square", "a yellow sun", ">")))

        class Tokenizer:
            def convert_tokens_to_ids(self, token: str) -> int:
                return next(index for index, letter in letters.items() if letter == token)

            def decode(self, ids: Any) -> str:
                return " ".join(letters[int(index)] for index in ids)

        class Processor:
            tokenizer, image_processor = Tokenizer(), types.SimpleNamespace()
            found = "red square"

            def post_process_grounded_object_detection(self, outputs: Any, **given: Any) -> Any:
                box = torch.tensor([[80.0, 60.0, 240.0, 180.0]])
                best = outputs.logits.sigmoid().amax(-1)[0, :1]
                return [{"scores": best, "boxes": box, "text_labels": [self.found]}]

        ids = torch.tensor([[0, 1, 2, 3, 2, 4, 2, 5]])
        logits = torch.full((1, 2, 12), -torch.inf)
        logits[..., :8] = torch.randn(1, 2, 8)
        boxes = torch.tensor([[[0.5, 0.5, 0.5, 0.5], [0.25, 0.75, 0.5, 0.1]]])
        outputs = BatchFeature({"logits": logits, "pred_boxes": boxes})
        processor = Processor()
        subject = Subject(model, None, processor)
        task.judge(subject, {"input_ids": ids}, outputs)
        with mock.patch.object(processor, "found", "a green line"):
            self.assertRaises(WrongOutput, task.judge, subject, {"input_ids": ids}, outputs)
        with self.assertRaisesRegex(WrongOutput, "2 labels in the text"):
            task.judge(subject, {"input_ids": ids[:, :6]}, outputs)
        unread = torch.full_like(logits, -torch.inf)
        unread[..., :5] = logits[..., :5]  # the last label has none
        with self.assertRaisesRegex(WrongOutput, "'a yellow sun'"):
            task.judge(subject, {"input_ids": ids}, BatchFeature({**outputs, "logits": unread}))

    def test_zero_shot_image_classification(self) -> None:
        labels = get("zero-shot-image-classification").labels(  # type: ignore[attr-defined]
            support.model("openai/clip-vit-base-patch32")
        )

        def answer(*scores: float) -> list[dict[str, Any]]:
            pairs = zip(labels, scores, strict=True)
            return [{"label": label, "score": score} for label, score in pairs]

        self.check(
            "openai/clip-vit-base-patch32",
            answer(0.6, 0.3, 0.1),
            answer(0.6, 0.3, 0.3),
            answer(0.1, 0.3, 0.6),
            answer(0.6, 0.3, 0.1)[:2],
        )
        self.check("google/siglip-base-patch16-224", answer(0.6, 0.5, 0.5), answer(1.6, 0.5, 0.5))

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
            outputs = types.SimpleNamespace(logits_per_audio=logits, logits_per_text=by_text)
            get(model.task).judge(subject, {}, outputs)
            outputs.logits_per_text = by_text.flip(0)
            with self.assertRaises(WrongOutput):
                get(model.task).judge(subject, {}, outputs)

    def test_zero_shot_video_classification(self) -> None:
        subject = Subject(support.model("microsoft/xclip-base-patch32"), None, None)
        task = get("zero-shot-video-classification")
        logits = torch.tensor([[2.0, 1.0, 0.5]])

        def judged(logits: Any, by_text: Any) -> Any:
            outputs = types.SimpleNamespace(logits_per_video=logits, logits_per_text=by_text)
            return task.judge(subject, {}, outputs)

        self.assertEqual(judged(logits, logits.T).predictions[0]["label"], LABELS[0])
        flat = logits * 0
        for wrong in ((logits, logits.T + 1), (logits[:, :2], logits.T), (flat, flat.T)):
            with self.subTest(wrong=wrong), self.assertRaises(WrongOutput):
                judged(*wrong)

    def test_automatic_speech_recognition(self) -> None:
        self.check("openai/whisper-tiny", {"text": " hello"}, {"text": None}, {"words": []}, ["x"])

    def test_mask_generation(self) -> None:
        good, other = torch.zeros(240, 320, dtype=torch.bool), torch.zeros(64, 64, dtype=torch.bool)
        good[10:20, 30:50] = True
        scores = torch.tensor([0.9])
        self.check(
            "facebook/sam-vit-base",
            {"masks": [good], "scores": scores},
            {"masks": [other], "scores": scores},
            {"masks": [], "scores": scores[:0]},
            {"masks": [good, good], "scores": scores},
            {"masks": [good], "scores": scores * float("nan")},
        )

    def test_image_text_to_text(self) -> None:
        prompt = "USER: <image> What is in this picture? ASSISTANT:"
        self.check(
            "llava-hf/llava-1.5-7b-hf",
            [{"input_text": prompt, "generated_text": prompt + " a cat"}],
            [{"input_text": prompt, "generated_text": prompt}],
            [{"generated_text": prompt + " a cat"}],
        )

    def test_any_to_any(self) -> None:
        prompt = "USER: <sound> What do you hear? ASSISTANT:"
        self.check(
            "nvidia/audio-flamingo-3-hf",
            [{"input_text": prompt, "generated_text": prompt + " a bell"}],
            [{"input_text": prompt, "generated_text": prompt}],
            [{"input_text": prompt, "generated_text": 3}],
            [{"generated_text": prompt + " a bell"}],
        )

    def test_time_series_forecasting(self) -> None:
        task = get("time-series-forecasting")
        model = support.model("google/timesfm-2.0-500m-pytorch")
        with self.assertRaisesRegex(NotImplementedError, "has no time-series-forecasting pipeline"):
            task.judge_answer(model, None, [])

    def test_visual_document_retrieval(self) -> None:
        config = types.SimpleNamespace(embedding_dim=2)
        network = types.SimpleNamespace(config=config)
        subject = Subject(support.model("vidore/colpali-v1.3-hf"), network, None)
        task = get("visual-document-retrieval")
        inputs = {"attention_mask": torch.tensor([[1, 1, 0]])}
        right = torch.tensor([[[0.6, 0.8], [1.0, 0.0], [0.0, 0.0]]])
        found = task.judge(subject, inputs, {"embeddings": right})
        self.assertEqual((found.predictions[0]["vectors"], found.predictions[0]["width"]), (2, 2))
        for wrong in (right * 2, right[:, :2], right[..., :1], right / 0, torch.ones(1, 3, 2)):
            with self.subTest(wrong=wrong), self.assertRaises(WrongOutput):
                task.judge(subject, inputs, {"embeddings": wrong})
        question = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
        score = visual_document_retrieval.late_interaction(question, right[0, :2])
        self.assertAlmostEqual(float(score), 1.0 + 0.8)

    def test_every_task_is_covered_here(self) -> None:
        tested = {name.removeprefix("test_").replace("_", "-") for name in dir(self)}
        self.assertLessEqual(set(names()), tested)


class TestOutputs(unittest.TestCase):
    """Outputs of networks: real ones of tiny models are accepted, spoilt ones are not."""

    def subject(self, model_id: str) -> tuple[Any, Subject, dict[str, Any], Any]:
        import transformers

        from hf_tests.probe import checkpoints

        task = get(support.model(model_id).task)
        folder = str(checkpoints.folder_of(support.job(model_id)))
        network = getattr(transformers, support.model(model_id).class_name).from_pretrained(folder)
        processor = task.load_processor(folder)
        subject = Subject(support.model(model_id), network.eval(), processor)
        with torch.inference_mode():
            inputs = task.inputs(subject)
            outputs = task.run(subject, inputs)
            task.judge(subject, inputs, outputs)
        return task, subject, inputs, outputs

    def test_maps_and_masks(self) -> None:
        named = {
            "LiheYoung/depth-anything-small-hf": "predicted_depth",
            "nvidia/segformer-b0-finetuned-ade-512-512": "logits",
            "facebook/mask2former-swin-small-coco-instance": "class_queries_logits",
            "BAAI/seggpt-vit-large": "pred_masks",
        }
        for model_id, name in named.items():
            task, subject, inputs, outputs = self.subject(model_id)
            tensor = outputs[name]
            broken = {"NaN": tensor / 0 * 0, "constant": tensor * 0, "one less": tensor[0]}
            for how, value in broken.items():
                spoilt = type(outputs)(**{**outputs, name: value})
                with self.subTest(model=model_id, how=how), self.assertRaises(WrongOutput):
                    task.judge(subject, inputs, spoilt)

    def spoil(self, model_id: str, name: str) -> None:
        task, subject, inputs, outputs = self.subject(model_id)
        tensor = outputs[name]
        broken = {
            "NaN": tensor * float("nan"),
            "constant": torch.zeros_like(tensor),
            "cut": tensor[..., :-1],
        }
        for how, value in broken.items():
            spoilt = types.SimpleNamespace(**{**dict(outputs), name: value})
            with self.subTest(model=model_id, how=how), self.assertRaises(WrongOutput):
                task.judge(subject, inputs, spoilt)

    def test_logits(self) -> None:
        self.spoil("bert-base-uncased", "logits")
        self.spoil("google/vit-base-patch16-224", "logits")
        self.spoil("facebook/wav2vec2-base-960h", "logits")
        self.spoil("openai/clip-vit-base-patch32", "logits_per_image")

    def test_generated_steps(self) -> None:
        for model_id in ("gpt2", "t5-small", "llava-hf/llava-1.5-7b-hf", "google/pix2struct-base"):
            task, subject, inputs, outputs = self.subject(model_id)
            last = outputs.logits[-1]
            broken = {
                "NaN": {"logits": (*outputs.logits[:-1], last * float("nan"))},
                "constant": {"logits": (*outputs.logits[:-1], torch.zeros_like(last))},
                "too few": {"logits": outputs.logits[:-1]},
                "cut short": {"sequences": outputs.sequences[:, :-1]},
                "outside the vocabulary": {"sequences": outputs.sequences + 10**6},
            }
            for how, change in broken.items():
                spoilt = types.SimpleNamespace(**{**dict(outputs), **change})
                with self.subTest(model=model_id, how=how), self.assertRaises(WrongOutput):
                    task.judge(subject, inputs, spoilt)
