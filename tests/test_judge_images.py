"""The judgements of models of images and videos, tried on right answers and on wrong ones."""

from __future__ import annotations

import types
from typing import Any
from unittest import mock

import torch
from PIL import Image
from transformers import BatchFeature

from hf_tests.probe import samples
from hf_tests.probe.judge import WrongOutput
from hf_tests.probe.tasks import Subject, get
from tests import support
from tests.answers import AnswersCase, pipe


class TestImages(AnswersCase):
    def test_image_classification(self) -> None:
        self.check_labels("google/vit-base-patch16-224")

    def test_video_classification(self) -> None:
        self.check_labels("MCG-NJU/videomae-base-finetuned-kinetics")

    def test_video_feature_extraction(self) -> None:
        model = support.model("facebook/pe-av-large#video")
        task, subject = get(model.task), Subject(model, None, None)
        right = torch.randn(1, 8, 6)
        found = task.judge(subject, {}, {"last_hidden_state": right})
        self.assertEqual(found.predictions[0]["parts"], 8)
        for wrong in (right[0], right.expand(2, 8, 6), torch.ones(1, 8, 6), right / 0):
            with self.subTest(wrong=wrong), self.assertRaises(WrongOutput):
                task.judge(subject, {}, {"last_hidden_state": wrong})

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

    def test_video_concept_segmentation(self) -> None:
        model = support.model("facebook/sam3")
        task, subject = get(model.task), Subject(model, None, None)
        right = {
            "pred_masks": torch.tensor([[[1.0, -1.0]], [[1.0, 2.0]], [[-3.0, -1.0]]]),
            "scores": torch.tensor([0.5, 0.5, 0.25]),
            "places": torch.tensor([[0, 0], [1, 0], [1, 4]]),
        }
        found = task.judge(subject, {}, right).predictions
        self.assertEqual([item["share"] for item in found], [0.5, 1.0, 0.0])
        self.assertEqual(
            found[-1], {"frame": 1, "object": 4, "score": 0.25, "share": 0.0}, "of the last frame"
        )
        for wrong in (
            {"pred_masks": right["pred_masks"][:2]},
            {"pred_masks": right["pred_masks"] / 0},
            {"pred_masks": torch.ones(3, 1, 2)},
            {"scores": right["scores"] * 4},
            {"places": torch.tensor([[0, 0], [1, 0], [1, 0]])},
            {name: value[:0] for name, value in right.items()},
        ):
            with self.subTest(wrong=wrong), self.assertRaises(WrongOutput):
                task.judge(subject, {}, {**right, **wrong})

    def test_video_mask_generation(self) -> None:
        def enlarged(masks: Any, sizes: Any) -> list[Any]:
            pairs = zip(masks, sizes, strict=True)
            return [torch.nn.functional.interpolate(mask, size) > 0 for mask, size in pairs]

        model = support.model("facebook/sam2.1-hiera-tiny")
        processor = types.SimpleNamespace(post_process_masks=enlarged)
        task, subject = get(model.task), Subject(model, None, processor)
        masks = torch.full((1, 4, 6, 8), -1.0)
        masks[:, :, 2:4, 2:4] = 1.0
        right = {"pred_masks": masks, "object_score_logits": torch.zeros(1, 4)}
        last = task.judge(subject, {}, right).predictions[-1]
        self.assertEqual((last["frame"], last["score"]), (3, 0.5))
        self.assertEqual((last["pixels"], last["box"]), (80 * 80, [80, 80, 159, 159]))
        for wrong in (
            {"pred_masks": masks[:, :3]},
            {"pred_masks": masks.expand(2, 4, 6, 8)},
            {"pred_masks": masks / 0},
            {"pred_masks": masks.minimum(torch.tensor([1.0, 1.0, 1.0, -1.0])[:, None, None])},
            {"object_score_logits": torch.zeros(1, 3)},
            {"object_score_logits": torch.full((1, 4), float("nan"))},
        ):
            with self.subTest(wrong=wrong), self.assertRaises(WrongOutput):
                task.judge(subject, {}, {**right, **wrong})
