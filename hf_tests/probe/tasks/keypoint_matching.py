"""keypoint-matching: which places of two images show the same."""

from __future__ import annotations

from typing import Any

from hf_tests.outcome import Example
from hf_tests.probe import judge, samples
from hf_tests.probe.tasks import base
from hf_tests.probe.tasks.keypoint_detection import place
from hf_tests.registry import Model

SHIFT = (32, 16)  # pixels to the right and down
INPUT = f"a drawn image, and the same {SHIFT[0]} pixels to the right and {SHIFT[1]} down"


class KeypointMatching(base.Task):
    """Matchers of two images: for keypoints of each, the one of the other that it is."""

    name = "keypoint-matching"
    processor_class = "AutoImageProcessor"
    openvino_class = "OVModelForKeypointMatching"
    unit = "pairs of images"
    compared_outputs = ("matching_scores", "keypoints")

    def inputs(self, subject: base.Subject) -> dict[str, Any]:
        return dict(subject.processor(images=pair(), return_tensors="pt"))

    def judge(self, subject: base.Subject, inputs: dict[str, Any], outputs: Any) -> base.Verdict:
        names = ("matches", "matching_scores", "keypoints")
        matches, scores, points = (outputs[name].float().cpu() for name in names)
        judge.shape(matches, (1, 2, None), "matches")
        count = matches.shape[-1]
        judge.shape(scores, (1, 2, count), "scores")
        judge.shape(points, (1, 2, count, 2), "keypoints")
        judge.finite(points, "keypoints")
        # The logarithm of a probability may be rounded above 0.
        judge.require(bool((scores <= 1 + judge.ROUNDING).all()), "scores above 1")
        judge.scores(scores.flatten().clamp(max=1).tolist(), "scores")
        judge.varied(scores, "scores")
        found = [index for index in range(count) if matches[0, 0, index] >= 0]
        judge.require(bool(found), "nothing matches")
        best = sorted(found, key=lambda index: -float(scores[0, 0, index]))[: base.TOP_K]
        predictions = tuple(
            {
                "from": place(points[0, 0, index]),
                "to": place(points[0, 1, int(matches[0, 0, index])]),
                "score": float(scores[0, 0, index]),
            }
            for index in best
        )
        return base.Verdict(predictions, Example(INPUT, predictions[0]))

    def call(self, model: Model, pipe: Any) -> Any:
        return pipe(pair())

    def judge_answer(self, model: Model, pipe: Any, answer: Any) -> base.Verdict:
        judge.require(isinstance(answer, list) and bool(answer), f"answer {answer!r}")
        for item in answer:
            judge.keys(item, ("keypoint_image_0", "keypoint_image_1", "score"), "answer")
        wanted = _places(pipe)
        for number in (0, 1):
            found = sorted(_point(item[f"keypoint_image_{number}"]) for item in answer)
            judge.require(
                found == wanted[number],
                f"keypoints of image {number} at {found[: base.TOP_K]}, "
                f"not at {wanted[number][: base.TOP_K]}",
            )
        values = [item["score"] for item in answer]
        judge.scores(values, "answer")
        judge.descending(values, "answer")
        predictions = tuple(
            {
                "from": dict(item["keypoint_image_0"]),
                "to": dict(item["keypoint_image_1"]),
                "score": item["score"],
            }
            for item in answer[: base.TOP_K]
        )
        return base.Verdict(predictions, Example(INPUT, predictions[0]))


def _point(item: Any) -> tuple[int, int]:
    return int(item["x"]), int(item["y"])


def _places(pipe: Any) -> tuple[list[tuple[int, int]], ...]:
    """Where the keypoints that match lie in the two sample images, in pixels, sorted."""
    import torch

    width, height = samples.IMAGE_SIZE
    given = pipe.image_processor(images=pair(), return_tensors="pt")["pixel_values"]
    with torch.inference_mode():
        outputs = pipe.model(pixel_values=given.to(pipe.model.device, pipe.model.dtype))
    (found,) = pipe.image_processor.post_process_keypoint_matching(
        outputs, [[(height, width), (height, width)]]
    )
    names = ("keypoints0", "keypoints1")
    return tuple(sorted((int(x), int(y)) for x, y in found[name].tolist()) for name in names)


def pair() -> list[Any]:
    """The sample image, and the same moved by `SHIFT`."""
    from PIL import ImageChops

    return [samples.image(), ImageChops.offset(samples.image(), *SHIFT)]
