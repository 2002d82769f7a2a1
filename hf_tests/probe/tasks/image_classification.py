"""image-classification: labels with probabilities for an image."""

from __future__ import annotations

from typing import Any

from hf_tests.outcome import Example
from hf_tests.probe import samples
from hf_tests.probe.tasks import base, classification
from hf_tests.registry import Model

INPUT = "a drawn image: red circle, blue square"


class ImageClassification(base.Task):
    """Image classifiers with one label an image."""

    name = "image-classification"
    processor_class = "AutoImageProcessor"
    openvino_class = "OVModelForImageClassification"
    unit = "images"

    def inputs(self, subject: base.Subject) -> dict[str, Any]:
        return dict(subject.processor(images=samples.image(), return_tensors="pt"))

    def judge(self, subject: base.Subject, inputs: dict[str, Any], outputs: Any) -> base.Verdict:
        predictions = classification.judge_logits(subject, outputs)
        return base.Verdict(predictions, Example(INPUT, predictions[0]))

    def call(self, model: Model, pipe: Any) -> Any:
        return pipe(samples.image(), top_k=base.TOP_K)

    def judge_answer(self, model: Model, pipe: Any, answer: Any) -> base.Verdict:
        predictions = classification.judge_labels(pipe, answer)
        return base.Verdict(predictions, Example(INPUT, predictions[0]))
