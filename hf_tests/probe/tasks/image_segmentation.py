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
SIZE = samples.IMAGE_SIZE[::-1]  # rows and columns
WHOLE = 255  # of a pixel in a mask


class ImageSegmentation(base.Task):
    """A class for each pixel, or masks of which each has a class: the network's outputs say."""

    name = "image-segmentation"
    processor_class = "AutoProcessor"
    openvino_class = "OVModelForImageSegmentation"
    compared_outputs = ("logits", "masks_queries_logits", "class_queries_logits")

    def work(self, model: Model) -> base.Work:
        return base.Work(1, "images")

    def inputs(self, subject: base.Subject) -> dict[str, Any]:
        import torch

        told: dict[str, Any] = {"task_inputs": [KIND]}
        told = told if hasattr(subject.processor, "tokenizer") else {}
        given = subject.processor(images=samples.image(), return_tensors="pt", **told)
        forward = classes.transformers_class(subject.model.class_name).forward
        taken = inspect.signature(forward).parameters
        # Where the parts of an image were cut comes beside them, as a list.
        return {
            name: value
            for name, value in given.items()
            if name in taken and isinstance(value, torch.Tensor)
        }

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
        else:
            masks, scores = found.masks_queries_logits, found.class_queries_logits
            judge.shape(masks, (1, None, None, None), "masks_queries_logits")
            judge.shape(scores, (1, masks.shape[1], labels + 1), "class_queries_logits")
            (answer,) = tools.post_process_panoptic_segmentation(
                found, target_sizes=[SIZE], **KEEP_ALL
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
