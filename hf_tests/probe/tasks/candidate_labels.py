"""What the tasks have in common that are given, beside each input, the labels to choose from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hf_tests.outcome import Accuracy, Example
from hf_tests.probe import judge, labelled
from hf_tests.probe.tasks import base
from hf_tests.registry import Model


class CandidateLabels(base.Task):
    """A task with labels of its own, where the registry gives a model no others."""

    candidates: tuple[str, ...] = ()

    def labels(self, model: Model) -> list[str]:
        """The model's sample labels."""
        return list(model.samples.get("labels", self.candidates))

    def judge_labels(self, labels: Sequence[str], answer: Sequence[dict[str, Any]]) -> None:
        """Assert that a pipeline's answer has all of the labels and no others, best first."""
        found = {item["label"] for item in answer}
        judge.require(found == set(labels), f"labels {sorted(found)}, expected {sorted(labels)}")
        judge.descending([item["score"] for item in answer], "answer")

    def verdict(self, labels: Sequence[str], predictions: tuple[Any, ...]) -> base.Verdict:
        """The verdict on predictions, best first."""
        return base.Verdict(predictions, Example({"labels": list(labels)}, predictions[0]))

    def best(self, subject: base.Subject, place: base.Place, labels: list[str], image: Any) -> int:
        """The index of the label that fits an image best."""
        raise NotImplementedError

    def accuracy(self, subject: base.Subject, place: base.Place) -> Accuracy | None:
        """The share of drawn shapes whose own label fits best among all of them."""
        drawn = list(labelled.drawings())
        labels = [label for label, _ in drawn]
        found = [self.best(subject, place, labels, image) for _, image in drawn]
        right = sum(index == number for number, index in enumerate(found))
        return Accuracy("drawn shapes", right / len(drawn), len(drawn), "share right")
