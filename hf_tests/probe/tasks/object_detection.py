"""object-detection: where in an image things are, and what they are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from hf_tests.outcome import Example
from hf_tests.probe import judge, samples
from hf_tests.probe.tasks import base
from hf_tests.probe.tasks.image_classification import INPUT
from hf_tests.registry import Model

EDGES = ("xmin", "ymin", "xmax", "ymax")
THRESHOLD = 0.0
"""All boxes are kept, so that they can be judged whatever their scores."""

PIXELS = 4.0
"""How far half precision may move an edge, of which it keeps about eight bits."""


class ObjectDetection(base.Task):
    """Detectors: some boxes an image, each with logits of its classes.

    The boxes are (centre x, centre y, width, height), each in parts of the image's.
    """

    name = "object-detection"
    processor_class = "AutoImageProcessor"
    openvino_class = "OVModelForObjectDetection"
    unit = "images"
    compared_outputs = ("logits", "pred_boxes")

    def inputs(self, subject: base.Subject) -> dict[str, Any]:
        return dict(subject.processor(images=samples.image(), return_tensors="pt"))

    def judge(self, subject: base.Subject, inputs: dict[str, Any], outputs: Any) -> base.Verdict:
        logits, boxes = outputs.logits.float().cpu(), outputs.pred_boxes.float().cpu()
        judge.shape(logits, (1, None, None), "logits")
        judge.shape(boxes, (1, logits.shape[1], 4), "boxes")
        labels = len(subject.config.id2label)
        judge.require(
            logits.shape[-1] in (labels, labels + 1),  # with one for no object
            f"{logits.shape[-1]} logits of a box, {labels} labels",
        )
        judge.finite(logits, "logits")
        judge.varied(logits, "logits")
        judge.varied(boxes, "boxes")
        judge.require(bool(((boxes >= 0) & (boxes <= 1)).all()), "boxes outside the image")
        (found,) = subject.processor.post_process_object_detection(
            on_cpu(outputs), threshold=THRESHOLD, target_sizes=[samples.IMAGE_SIZE[::-1]]
        )
        answer = [
            {"score": score, "label": subject.config.id2label[label], "box": box}
            for score, label, box in zip(
                found["scores"].tolist(),
                found["labels"].tolist(),
                (dict(zip(EDGES, box, strict=True)) for box in found["boxes"].tolist()),
                strict=True,
            )
        ]
        predictions = self.detections(answer, in_pixels(boxes[0]), subject.config.id2label.values())
        return base.Verdict(predictions, Example(INPUT, predictions[0]))

    def detections(
        self, answer: Any, boxes: Sequence[Sequence[float]], labels: Iterable[str]
    ) -> tuple[Any, ...]:
        """The best of a list of detections, judged: each has a label and one of the boxes."""
        judge.require(isinstance(answer, list) and bool(answer), f"nothing was found: {answer!r}")
        for item in answer:
            judge.keys(item, ("score", "label", "box"), "answer")
            judge.keys(item["box"], EDGES, "box")
            edges = [item["box"][name] for name in EDGES]
            judge.require(item["label"] in labels, f"unknown label {item['label']!r}")
            judge.require(
                any(_near(edges, box) for box in boxes),
                f"a box at {edges} is none of the network's: {boxes[: base.TOP_K]}",
            )
        judge.scores([item["score"] for item in answer], "answer")
        best = sorted(answer, key=lambda item: -float(item["score"]))[: base.TOP_K]
        return tuple({name: item[name] for name in ("score", "label", "box")} for item in best)

    def call(self, model: Model, pipe: Any) -> Any:
        return pipe(samples.image(), threshold=THRESHOLD)

    def judge_answer(self, model: Model, pipe: Any, answer: Any) -> base.Verdict:
        import torch

        inputs = pipe.image_processor(images=samples.image(), return_tensors="pt")
        with torch.inference_mode():
            outputs = pipe.model(**inputs.to(pipe.model.device, pipe.model.dtype))
        boxes = in_pixels(outputs.pred_boxes[0].float().cpu())
        predictions = self.detections(answer, boxes, pipe.model.config.id2label.values())
        return base.Verdict(predictions, Example(INPUT, predictions[0]))


def on_cpu(outputs: Any) -> Any:
    """A network's outputs as their post-processing takes them: float32, on the CPU."""
    import torch
    from transformers import BatchFeature

    return BatchFeature(
        {
            name: value.float().cpu() if value.is_floating_point() else value.cpu()
            for name, value in outputs.items()
            if isinstance(value, torch.Tensor)
        }
    )


def in_pixels(boxes: Any) -> list[list[float]]:
    """Boxes of shape (boxes, 4) as their edges in the sample image: left, top, right, bottom."""
    width, height = samples.IMAGE_SIZE
    x, y, wide, high = boxes.unbind(-1)
    return [
        [left * width, top * height, right * width, bottom * height]
        for left, top, right, bottom in zip(
            (x - wide / 2).tolist(),
            (y - high / 2).tolist(),
            (x + wide / 2).tolist(),
            (y + high / 2).tolist(),
            strict=True,
        )
    ]


def _near(edges: Sequence[float], box: Sequence[float]) -> bool:
    return all(abs(one - other) <= PIXELS for one, other in zip(edges, box, strict=True))
