"""text-detection: where in an image text is, as the chance of each pixel that it is text."""

from __future__ import annotations

from typing import Any

from hf_tests.outcome import Example
from hf_tests.probe import judge, samples
from hf_tests.probe.tasks import base
from hf_tests.probe.tasks.image_classification import ImageClassification
from hf_tests.probe.tasks.text_recognition import PAGE

CORNERS = 4  # of a box, which may lie askew
KEEP_ALL = 0.0
"""Drops no box for its mean chance, so that boxes can be judged whatever that is."""


class TextDetection(ImageClassification):
    """Detectors of text: a map of chances, of which the processor makes boxes of four corners.

    transformers has no such pipeline: that of object detection would take corners for edges.
    """

    name = "text-detection"
    openvino_class = "OVModelForTextDetection"
    compared_outputs = ("last_hidden_state",)

    def inputs(self, subject: base.Subject) -> dict[str, Any]:
        given = subject.processor(images=samples.document(), return_tensors="pt")
        return {"pixel_values": given["pixel_values"]}  # beside it are sizes, for the boxes alone

    def judge(self, subject: base.Subject, inputs: dict[str, Any], outputs: Any) -> base.Verdict:
        import torch

        found = base.in_float32(outputs)
        chances = found.last_hidden_state
        judge.shape(chances, (1, 1, *inputs["pixel_values"].shape[-2:]), "map")
        judge.finite(chances, "map")
        judge.varied(chances, "map")
        least, most = float(chances.min()), float(chances.max())
        judge.scores([least, most], "map")
        middle = (least + most) / 2  # random weights are never sure
        (answer,) = subject.processor.post_process_object_detection(
            found,
            threshold=middle,
            target_sizes=torch.tensor([samples.IMAGE_SIZE[::-1]]),
            box_threshold=KEEP_ALL,
        )
        judge.keys(answer, ("boxes", "scores", "labels"), "answer")
        boxes, scores = answer["boxes"], answer["scores"].tolist()
        judge.require(len(boxes) > 0, f"there is no box of pixels above {middle}")
        judge.shape(boxes, (len(scores), CORNERS, 2), "boxes")
        judge.shape(answer["labels"], (len(scores),), "labels")
        inside = (boxes >= 0) & (boxes <= boxes.new_tensor(samples.IMAGE_SIZE))
        judge.require(bool(inside.all()), "boxes outside the image")
        judge.scores(scores, "boxes")
        for box in boxes:
            held = _held(chances[0, 0], box)
            judge.require(bool((held > middle).any()), f"no text in the box {box.tolist()}")
        predictions = sorted(
            (
                {"score": score, "corners": box}
                for score, box in zip(scores, boxes.tolist(), strict=True)
            ),
            key=lambda item: -item["score"],
        )
        return base.Verdict(tuple(predictions[: base.TOP_K]), Example(PAGE, predictions[0]))


def _held(chances: Any, box: Any) -> Any:
    """The part of a map, of shape (rows, columns), in the upright box around one of the image."""
    scale = [
        size / whole for size, whole in zip(chances.shape[::-1], samples.IMAGE_SIZE, strict=True)
    ]
    corners = box * box.new_tensor(scale, dtype=chances.dtype)
    left, top = corners.amin(0).floor().int().tolist()
    right, bottom = corners.amax(0).ceil().int().tolist()
    return chances[top : bottom + 1, left : right + 1]
