"""The judgements of models that look and read, tried on right answers and on wrong ones."""

from __future__ import annotations

import types
from typing import Any
from unittest import mock

import torch
from transformers import BatchFeature
from transformers.modeling_outputs import BaseModelOutput

from hf_tests.probe.judge import WrongOutput
from hf_tests.probe.tasks import Subject, get, visual_document_retrieval
from hf_tests.probe.tasks.zero_shot_image_classification import LABELS
from tests import support
from tests.answers import AnswersCase, pipe


class TestImageText(AnswersCase):
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

    def test_scene_text_recognition(self) -> None:
        settings = types.SimpleNamespace(config=types.SimpleNamespace(max_token_length=2))
        subject = Subject(support.model("alibaba-damo/mgp-str-base"), settings, None)
        task, letters = get(subject.model.task), torch.tensor([[[0.0, 1.0], [2.0, 0.0]]])
        found = task.judge(subject, {}, {"logits": (letters, letters * 2)})
        self.assertEqual(found.predictions[0]["tokens"], [1, 0])
        for wrong in (letters[:, :1], letters / 0, letters * 0):
            with self.subTest(wrong=wrong), self.assertRaises(WrongOutput):
                task.judge(subject, {}, {"logits": (letters, wrong)})

    def test_text_detection(self) -> None:
        """A page's chances are those of one line, at its upper left."""

        def judged(
            map_: torch.Tensor,
            boxes: Any = (((10, 20), (110, 20), (110, 40), (10, 40)),),
            score: float = 0.9,
        ) -> Any:
            answer = {
                "boxes": torch.tensor(boxes, dtype=torch.int16),
                "scores": torch.full((len(boxes),), score),
                "labels": torch.zeros(len(boxes), dtype=torch.long),
            }
            tools = types.SimpleNamespace(
                post_process_object_detection=lambda outputs, **settings: [answer]
            )
            outputs = BaseModelOutput(last_hidden_state=map_)
            return task.judge(Subject(model, None, tools), {"pixel_values": page}, outputs)

        model = support.model("PaddlePaddle/PP-OCRv5_server_det_safetensors")
        task, page = get(model.task), torch.zeros(1, 3, 240, 320)
        chances = torch.full((1, 1, 240, 320), 0.1)
        chances[..., 20:40, 10:110] = 0.9
        self.assertEqual(judged(chances).predictions[0]["corners"][2], [110, 40])
        for wrong in (chances * 2, chances - 0.2, chances[:, :, 1:], chances / 0, chances * 0):
            with self.subTest(wrong=wrong), self.assertRaises(WrongOutput):
                judged(wrong)
        elsewhere = (((200, 20), (300, 20), (300, 40), (200, 40)),)
        for boxes in ((), (((10, 20, 110, 40),),), elsewhere, (((10, 20), (400, 20)) * 2,)):
            with self.subTest(boxes=boxes), self.assertRaises(WrongOutput):
                judged(chances, boxes)
        with self.assertRaises(WrongOutput):
            judged(chances, score=1.5)

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

    def test_video_grounding(self) -> None:
        subject = Subject(support.model("Intel/tvp-base"), None, None)
        task = get(subject.model.task)

        def judged(*shares: float) -> Any:
            return task.judge(subject, {}, types.SimpleNamespace(logits=torch.tensor([shares])))

        self.assertAlmostEqual(judged(0.25, 0.5).predictions[0]["end"], 0.5)
        for wrong in ((0.25, 1.5), (-0.1, 0.5), (0.5, 0.5), (0.1, 0.2, 0.3)):
            with self.subTest(wrong=wrong), self.assertRaises(WrongOutput):
                judged(*wrong)

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

    def test_zero_shot_video_classification(self) -> None:
        subject = Subject(support.model("microsoft/xclip-base-patch32"), None, None)
        task = get("zero-shot-video-classification")
        logits = torch.tensor([[2.0, 1.0, 0.5]])

        def judged(logits: Any, by_text: Any) -> Any:
            outputs = BatchFeature({"logits_per_video": logits, "logits_per_text": by_text})
            return task.judge(subject, {}, outputs)

        self.assertEqual(judged(logits, logits.T).predictions[0]["label"], LABELS[0])
        flat = logits * 0
        for wrong in ((logits, logits.T + 1), (logits[:, :2], logits.T), (flat, flat.T)):
            with self.subTest(wrong=wrong), self.assertRaises(WrongOutput):
                judged(*wrong)

    def test_videos_with_their_sounds_in_pairs(self) -> None:
        """Of several logits those of what is seen and heard count; all are compared."""
        subject = Subject(support.model("facebook/pe-av-large#audio_video_model"), None, None)
        task = get(subject.model.task)
        logits = torch.arange(9.0).view(3, 3) / 9

        def outputs(logits: Any) -> BatchFeature:
            others = ("logits_audio_text", "logits_video_text", "logits_audio_video")
            names = {**dict.fromkeys(others, torch.zeros(3, 3)), "logits_audio_video_text": logits}
            return BatchFeature({**names, "video_embeds": logits, "text_outputs": logits})

        found = task.judge(subject, {}, outputs(logits))
        self.assertEqual(found.predictions[0]["label"], LABELS[2])
        self.assertEqual(len(task.compared(outputs(logits))), 5)
        for wrong in (logits[:1], logits[:, :2], logits * 0, logits / 0):
            with self.subTest(wrong=wrong), self.assertRaises(WrongOutput):
                task.judge(subject, {}, outputs(wrong))

    def test_batches_of_videos(self) -> None:
        task = get("zero-shot-video-classification")
        texts = torch.arange(12).view(3, 4)
        for videos, rows in ((1, 3), (3, 6)):
            given = {"input_ids": texts, "pixel_values_videos": torch.rand(videos, 2, 3, 4, 4)}
            many = task.batch(given, 2)
            self.assertEqual(len(many["input_ids"]), rows, f"{videos} videos")
            self.assertEqual(len(many["pixel_values_videos"]), 2 * videos)

    def test_image_text_to_text(self) -> None:
        prompt = "USER: <image> What is in this picture? ASSISTANT:"
        self.check(
            "llava-hf/llava-1.5-7b-hf",
            [{"input_text": prompt, "generated_text": prompt + " a cat"}],
            [{"input_text": prompt, "generated_text": prompt}],
            [{"generated_text": prompt + " a cat"}],
        )

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
