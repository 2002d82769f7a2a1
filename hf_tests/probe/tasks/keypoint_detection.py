"""keypoint-detection: places in an image that are found again in others, and what is there."""

from __future__ import annotations

from typing import Any

from hf_tests.outcome import Example
from hf_tests.probe import judge, samples
from hf_tests.probe.tasks import base
from hf_tests.probe.tasks.image_classification import INPUT
from hf_tests.registry import Model

UNIT = 1e-3
"""How far a descriptor's length may be from 1."""


class KeypointDetection(base.Task):
    """Detectors of keypoints, each with a score and a descriptor."""

    name = "keypoint-detection"
    processor_class = "AutoImageProcessor"
    openvino_class = "OVModelForKeypointDetection"
    unit = "images"
    compared_outputs = ("scores", "keypoints", "descriptors")

    def inputs(self, subject: base.Subject) -> dict[str, Any]:
        return dict(subject.processor(images=samples.image(), return_tensors="pt"))

    def judge(self, subject: base.Subject, inputs: dict[str, Any], outputs: Any) -> base.Verdict:
        names = ("keypoints", "scores", "descriptors", "mask")
        points, scores, descriptors, mask = (outputs[name].float().cpu() for name in names)
        judge.shape(points, (1, None, 2), "keypoints")
        count = points.shape[1]
        judge.shape(scores, (1, count), "scores")
        judge.shape(descriptors, (1, count, None), "descriptors")
        judge.require(count > 0, "no keypoint was found")
        judge.require(bool(mask.all()), "keypoints of one image are masked")
        judge.require(bool(((points >= 0) & (points <= 1)).all()), "keypoints outside the image")
        judge.scores(scores[0].tolist(), "scores")
        judge.varied(scores, "scores")
        lengths = descriptors.norm(dim=-1)
        judge.require(bool(((lengths - 1).abs() < UNIT).all()), "descriptors are not of length 1")
        best = scores[0].topk(min(base.TOP_K, count))
        predictions = tuple(
            {**place(points[0, index]), "score": float(score)}
            for score, index in zip(best.values, best.indices, strict=True)
        )
        return base.Verdict(predictions, Example(INPUT, predictions[0]))

    def call(self, model: Model, pipe: Any) -> Any:
        return pipe(samples.image())

    def judge_answer(self, model: Model, pipe: Any, answer: Any) -> base.Verdict:
        raise NotImplementedError("transformers has no such pipeline")


def place(point: Any) -> dict[str, float]:
    """A point of relative coordinates in pixels of the sample image."""
    width, height = samples.IMAGE_SIZE
    return {"x": round(float(point[0]) * width, 1), "y": round(float(point[1]) * height, 1)}
