"""What tasks share that end with a model's features: vectors for the parts of its input."""

from __future__ import annotations

import abc
from typing import Any

from hf_tests.outcome import Example
from hf_tests.probe import judge
from hf_tests.probe.tasks import base
from hf_tests.registry import Model

SHOWN = 5  # numbers of a vector that a result shows


class Features(base.Task):
    """Models without a head. What is compared is the last hidden state."""

    compared_outputs = ("last_hidden_state",)

    @abc.abstractmethod
    def sample(self, model: Model) -> Any:
        """The sample input, as the pipeline takes it."""

    @abc.abstractmethod
    def described(self, model: Model) -> str:
        """The sample input in words."""

    def judge(self, subject: base.Subject, inputs: dict[str, Any], outputs: Any) -> base.Verdict:
        return self._verdict(subject.model, outputs.last_hidden_state.float().cpu())

    def call(self, model: Model, pipe: Any) -> Any:
        return pipe(self.sample(model), return_tensors=True)

    def judge_answer(self, model: Model, pipe: Any, answer: Any) -> base.Verdict:
        judge.require(hasattr(answer, "shape"), f"the features are a {type(answer).__name__}")
        return self._verdict(model, answer.float().cpu())

    def _verdict(self, model: Model, features: Any) -> base.Verdict:
        """Judge features of shape (1, parts, width); the prediction is their mean, an embedding."""
        judge.shape(features, (1, None, None), "features")
        judge.finite(features, "features")
        judge.varied(features, "features")
        mean = features[0].mean(0)
        judge.varied(mean, "mean of the features")
        prediction = {
            "parts": features.shape[1],
            "width": features.shape[2],
            "norm": float(mean.norm()),
            "first": [round(float(value), 6) for value in mean[:SHOWN]],
        }
        return base.Verdict((prediction,), Example(self.described(model), prediction))
