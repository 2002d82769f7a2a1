"""object-detection: where in an image things are, and what they are."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from hf_tests.outcome import Example
from hf_tests.probe import judge, samples
from hf_tests.probe.tasks import base, found_boxes
from hf_tests.probe.tasks.image_classification import INPUT
from hf_tests.registry import Model


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
            found_boxes.on_cpu(outputs),
            threshold=found_boxes.THRESHOLD,
            target_sizes=[samples.IMAGE_SIZE[::-1]],
        )
        words = subject.config.id2label
        names = [words[label] for label in found["labels"].tolist()]
        answer = found_boxes.detections(found["scores"], names, found["boxes"])
        places = found_boxes.in_pixels(boxes[0], samples.IMAGE_SIZE)
        predictions = self.detections(answer, places, words.values())
        return base.Verdict(predictions, Example(INPUT, predictions[0]))

    def detections(
        self, answer: Any, places: Sequence[Sequence[float]], labels: Collection[str]
    ) -> tuple[Any, ...]:
        """The best of a list of detections, judged: each has a label and one of the places."""
        found_boxes.judge_found(answer, labels)
        for item in answer:
            edges = found_boxes.edges_of(item)
            judge.require(
                any(found_boxes.near(edges, place) for place in places),
                f"a box at {edges} is none of the network's: {places[: base.TOP_K]}",
            )
        return found_boxes.best(answer)

    def call(self, model: Model, pipe: Any) -> Any:
        return pipe(samples.image(), threshold=found_boxes.THRESHOLD)

    def judge_answer(self, model: Model, pipe: Any, answer: Any) -> base.Verdict:
        import torch

        inputs = pipe.image_processor(images=samples.image(), return_tensors="pt")
        with torch.inference_mode():
            outputs = pipe.model(**inputs.to(pipe.model.device, pipe.model.dtype))
        places = found_boxes.in_pixels(outputs.pred_boxes[0].float().cpu(), samples.IMAGE_SIZE)
        predictions = self.detections(answer, places, pipe.model.config.id2label.values())
        return base.Verdict(predictions, Example(INPUT, predictions[0]))
