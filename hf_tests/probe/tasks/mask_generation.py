"""mask-generation: masks of what a point or a box in an image marks."""

from __future__ import annotations

from typing import Any

from hf_tests.outcome import Example
from hf_tests.probe import judge, samples
from hf_tests.probe.tasks import base
from hf_tests.registry import Model

POINTS_A_SIDE = 3  # a grid of nine prompts; the pipeline's own 32 a side is a benchmark
SIZES = ("original_sizes", "reshaped_input_sizes")
KEEP_ALL: dict[str, Any] = {"pred_iou_thresh": -1e9, "stability_score_thresh": -1.0}
"""Thresholds that drop no mask, so that the answer can be judged whatever the quality."""


class MaskGeneration(base.Task):
    """Promptable segmentation."""

    name = "mask-generation"
    processor_class = "AutoProcessor"
    openvino_class = "OVSamModel"
    unit = "images"
    compared_outputs = ("pred_masks", "iou_scores")
    pipeline_batches = False  # it makes batches of an image's points instead
    pipeline_dependencies = ("torchvision",)  # it drops overlapping masks by torchvision's NMS

    def inputs(self, subject: base.Subject) -> dict[str, Any]:
        # Batch of one image, one prompt in it, one point in the prompt.
        points = [[[list(samples.POINT)]]]
        return dict(
            subject.processor(images=samples.image(), input_points=points, return_tensors="pt")
        )

    def run(self, subject: base.Subject, inputs: dict[str, Any]) -> Any:
        names = ("pixel_values", "input_points")
        return subject.network(**{name: inputs[name] for name in names})

    def judge(self, subject: base.Subject, inputs: dict[str, Any], outputs: Any) -> base.Verdict:
        scores = outputs.iou_scores.float().cpu()
        masks = outputs.pred_masks.float().cpu()
        count = subject.config.mask_decoder_config.num_multimask_outputs
        judge.shape(scores, (1, 1, count), "iou_scores")
        judge.shape(masks, (1, 1, count, None, None), "pred_masks")
        judge.finite(scores, "iou_scores")
        judge.finite(masks, "pred_masks")
        judge.varied(masks, "pred_masks")
        # Of the image, and of what it was resized to where it was then padded.
        sizes = {name: inputs[name].cpu() for name in SIZES if name in inputs}
        full = subject.processor.post_process_masks(masks, **sizes)[0]
        width, height = samples.IMAGE_SIZE
        judge.shape(full, (1, count, height, width), "masks in the image")
        predictions = tuple(
            {"score": float(scores[0, 0, index]), **describe(full[0, index])}
            for index in range(count)
        )
        best = max(predictions, key=lambda item: item["score"])
        return base.Verdict(predictions, Example({"point": list(samples.POINT)}, best))

    def call(self, model: Model, pipe: Any) -> Any:
        # The pipeline loses its last batch where the batch does not divide the points.
        return pipe(
            samples.image(),
            points_per_crop=POINTS_A_SIDE,
            points_per_batch=POINTS_A_SIDE**2,
            **KEEP_ALL,
        )

    def judge_answer(self, model: Model, pipe: Any, answer: Any) -> base.Verdict:
        judge.keys(answer, ("masks", "scores"), "answer")
        masks, scores = answer["masks"], answer["scores"]
        judge.require(len(masks) > 0, "no mask")
        judge.require(len(masks) == len(scores), f"{len(masks)} masks, {len(scores)} scores")
        judge.finite(scores, "scores")
        width, height = samples.IMAGE_SIZE
        for mask in masks:
            judge.shape(mask, (height, width), "mask")
        predictions = tuple(
            {"score": float(score), **describe(mask)}
            for mask, score in list(zip(masks, scores, strict=True))[: base.TOP_K]
        )
        example = Example({"points_a_side": POINTS_A_SIDE}, {"masks": len(masks)})
        return base.Verdict(predictions, example)


def describe(mask: Any) -> dict[str, Any]:
    """A mask's pixels and bounding box (left, top, right, bottom; None for an empty mask)."""
    import torch

    mask = torch.as_tensor(mask).bool()
    rows, columns = mask.any(1).nonzero().flatten(), mask.any(0).nonzero().flatten()
    if len(rows) == 0:
        return {"pixels": 0, "box": None}
    box = [int(columns[0]), int(rows[0]), int(columns[-1]), int(rows[-1])]
    return {"pixels": int(mask.sum()), "box": box}
