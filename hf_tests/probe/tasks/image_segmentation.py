"""image-segmentation: which pixels of an image show what."""

from __future__ import annotations

import inspect
from typing import Any

from hf_tests.outcome import Example
from hf_tests.probe import classes, judge, samples
from hf_tests.probe.tasks import base
from hf_tests.probe.tasks.image_classification import INPUT
from hf_tests.registry import Model

KIND = "panoptic"  # of the kinds that a model may be told to do, the one that has all others in it
KEEP_ALL = {"threshold": 0.0, "mask_threshold": 0.0, "overlap_mask_area_threshold": 0.0}
"""Thresholds that drop no segment, so that the answer can be judged whatever the quality."""
NAME = "circle"  # of what is in the sample image
FRAMES = 2  # of a video
VIDEO_DIMENSIONS = 5  # videos, frames, channels, rows, columns
GIVEN_BY_PIPELINES = {"images", "task_inputs"}
SIZE = samples.IMAGE_SIZE[::-1]  # rows and columns
WHOLE = 255  # of a pixel in a mask


class ImageSegmentation(base.Task):
    """A class for each pixel, masks of which each has a class, or masks of what is asked for.

    The network's outputs say which.
    """

    name = "image-segmentation"
    processor_class = "AutoProcessor"
    openvino_class = "OVModelForImageSegmentation"
    unit = "images"
    compared_outputs = (
        *("logits", "masks_queries_logits", "class_queries_logits"),
        *("pred_masks", "pred_logits", "pred_boxes"),
    )

    def inputs(self, subject: base.Subject) -> dict[str, Any]:
        import torch

        given = subject.processor(**_asked(subject.processor), return_tensors="pt")
        forward = classes.transformers_class(subject.model.class_name).forward
        taken = inspect.signature(forward).parameters
        # Where the parts of an image were cut comes beside them, as a list.
        return {
            name: value
            for name, value in given.items()
            if name in taken and isinstance(value, torch.Tensor)
        }

    def pipeline_misfit(self, subject: base.Subject) -> str | None:
        lacking = sorted(_asked(subject.processor).keys() - GIVEN_BY_PIPELINES)
        if not lacking:
            return None
        return f"the {self.name} pipeline gives {subject.model.class_name} no {', '.join(lacking)}"

    def compared(self, outputs: Any) -> dict[str, Any]:
        return {name: outputs[name] for name in self.compared_outputs if name in outputs}

    def answer(self, outputs: Any) -> Any:
        return next(iter(self.compared(outputs).values()))

    def judge(self, subject: base.Subject, inputs: dict[str, Any], outputs: Any) -> base.Verdict:
        found = base.in_float32(outputs)
        for name, tensor in self.compared(found).items():
            judge.finite(tensor, name)
            judge.varied(tensor, name)
        labels = subject.config.num_labels
        tools = getattr(subject.processor, "image_processor", subject.processor)
        if "logits" in found:
            judge.shape(found.logits, (1, labels, None, None), "logits")
            (places,) = tools.post_process_semantic_segmentation(found, target_sizes=[SIZE])
            segments = [
                {"label": self._label(subject, int(label)), "score": None, "mask": places == label}
                for label in places.unique()
            ]
        elif "class_queries_logits" in found:
            masks, scores = found.masks_queries_logits, found.class_queries_logits
            first = next(iter(inputs.values()))
            count = first.shape[1] if first.dim() == VIDEO_DIMENSIONS else 1
            judge.shape(masks, (count, None, None, None), "masks_queries_logits")
            judge.shape(scores, (count, masks.shape[1], labels + 1), "class_queries_logits")
            answer, *_ = tools.post_process_panoptic_segmentation(
                found, target_sizes=[SIZE] * count, **KEEP_ALL
            )
            places = answer["segmentation"]
            segments = [
                {
                    "label": self._label(subject, item["label_id"]),
                    "score": item["score"],
                    "mask": places == item["id"],
                }
                for item in answer["segments_info"]
            ]
        else:
            return _verdict_of_asked(subject.processor, found)
        judge.shape(places, SIZE, "the map of segments")
        return _verdict(segments)

    def _label(self, subject: base.Subject, label: int) -> str:
        names = subject.config.id2label
        judge.require(label in names, f"label {label}, of {len(names)}")
        return str(names[label])

    def call(self, model: Model, pipe: Any) -> Any:
        return pipe(samples.image(), **KEEP_ALL)

    def judge_answer(self, model: Model, pipe: Any, answer: Any) -> base.Verdict:
        import numpy
        import torch

        judge.require(isinstance(answer, list), f"answer {answer!r}")
        segments = []
        for item in answer:
            judge.keys(item, ("score", "label", "mask"), "answer")
            known = item["label"] in pipe.model.config.id2label.values()
            judge.require(known, f"label {item['label']!r} is none of the model's")
            values = torch.from_numpy(numpy.array(item["mask"]))
            judge.require(
                bool(((values == 0) | (values == WHOLE)).all()), "a mask has more than two values"
            )
            segments.append({**item, "mask": values == WHOLE})
        return _verdict(segments)


def _verdict(segments: list[dict[str, Any]]) -> base.Verdict:
    """Judge segments of the sample image: each a mask with a label, and a score if it has one.

    Where they have none, every pixel has a label.
    """
    judge.require(bool(segments), "there are no segments")
    total: Any = 0
    for item in segments:
        judge.shape(item["mask"], SIZE, "mask")
        total = total + item["mask"].int()
    judge.require(bool((total <= 1).all()), "segments overlap")
    scores = [item["score"] for item in segments if item["score"] is not None]
    if scores:
        judge.scores(scores, "segments")
    else:
        judge.require(bool((total == 1).all()), "there are pixels without a label")
    predictions = sorted(
        (
            {"label": item["label"], "score": item["score"], "pixels": int(item["mask"].sum())}
            for item in segments
        ),
        key=lambda item: -item["pixels"],
    )
    return base.Verdict(tuple(predictions[: base.TOP_K]), Example(INPUT, predictions[0]))


def _asked(processor: Any) -> dict[str, Any]:
    """The arguments of a processor by which segments of the sample image, or video, are asked for.

    Some are told a kind of segments, a name, or show an example: an image with its mask.
    """
    import numpy

    taken = set(inspect.signature(processor.__call__).parameters)
    taken |= set(inspect.signature(getattr(processor, "preprocess", processor)).parameters)
    if "videos" in taken:
        return {"videos": [numpy.stack([numpy.asarray(item) for item in samples.video(FRAMES)])]}
    asked: dict[str, Any] = {"images": samples.image()}
    if "task_inputs" in taken:
        asked["task_inputs"] = [KIND]
    elif "text" in taken:
        asked["text"] = NAME
    elif "prompt_masks" in taken:
        example = numpy.zeros(SIZE, dtype=numpy.uint8)
        left, top, right, bottom = samples.BOX
        example[top:bottom, left:right] = 1
        asked |= {"prompt_images": samples.image(), "prompt_masks": example}
    return asked


def _verdict_of_asked(processor: Any, outputs: Any) -> base.Verdict:
    """Judge masks of what was asked for: any number with scores, or one that is drawn as a map."""
    judge.shape(outputs.pred_masks, (1, None, None, None), "pred_masks")
    if hasattr(processor, "post_process_instance_segmentation"):
        (found,) = processor.post_process_instance_segmentation(
            outputs, threshold=0.0, target_sizes=[SIZE]
        )
        masks, scores = found["masks"], found["scores"].tolist()
        judge.shape(masks, (outputs.pred_masks.shape[1], *SIZE), "masks in the image")
        judge.scores(scores, "masks")
    else:
        (drawn,) = processor.post_process_semantic_segmentation(outputs, target_sizes=[SIZE])
        judge.shape(drawn, SIZE, "the map that is drawn")
        judge.varied(drawn, "the map that is drawn")
        masks, scores = (drawn > WHOLE // 2)[None], [None]
    predictions = tuple(
        {"score": score, "pixels": int(mask.sum())}
        for mask, score in list(zip(masks, scores, strict=True))[: base.TOP_K]
    )
    return base.Verdict(predictions, Example(INPUT, predictions[0]))
