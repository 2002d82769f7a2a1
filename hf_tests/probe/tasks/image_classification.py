"""image-classification: labels with probabilities for an image."""

from __future__ import annotations

from typing import Any

from hf_tests.outcome import Example
from hf_tests.probe import judge, samples
from hf_tests.probe.tasks import base
from hf_tests.registry import Model

INPUT = "a drawn image: red circle, blue square"


class ImageClassification(base.Task):
    """Image classifiers with one label an image."""

    name = "image-classification"
    processor_class = "AutoImageProcessor"
    openvino_class = "OVModelForImageClassification"

    def work(self, model: Model) -> base.Work:
        return base.Work(1, "images")

    def inputs(self, subject: base.Subject) -> dict[str, Any]:
        return dict(subject.processor(images=samples.image(), return_tensors="pt"))

    def judge(self, subject: base.Subject, inputs: dict[str, Any], outputs: Any) -> base.Verdict:
        logits = outputs.logits.float().cpu()
        judge.shape(logits, (1, subject.config.num_labels), "logits")
        judge.finite(logits, "logits")
        judge.varied(logits, "logits")
        probabilities = logits[0].softmax(-1)
        judge.scores(probabilities.tolist(), "probabilities", sum_to=1.0)
        best = probabilities.topk(min(base.TOP_K, len(probabilities)))
        predictions = tuple(
            {"label": subject.config.id2label[int(index)], "score": float(score)}
            for score, index in zip(best.values, best.indices, strict=True)
        )
        return base.Verdict(predictions, Example(INPUT, predictions[0]))

    def call(self, model: Model, pipe: Any) -> Any:
        return pipe(samples.image(), top_k=base.TOP_K)

    def judge_answer(self, model: Model, pipe: Any, answer: Any) -> base.Verdict:
        labels = set(pipe.model.config.id2label.values())
        expected = min(base.TOP_K, pipe.model.config.num_labels)
        judge.require(isinstance(answer, list) and len(answer) == expected, f"answer {answer!r}")
        for item in answer:
            judge.keys(item, ("label", "score"), "answer")
            judge.require(item["label"] in labels, f"{item['label']!r} is no label of the model")
        values = [item["score"] for item in answer]
        judge.scores(values, "answer")
        judge.descending(values, "answer")
        predictions = tuple({"label": item["label"], "score": item["score"]} for item in answer)
        return base.Verdict(predictions, Example(INPUT, predictions[0]))
