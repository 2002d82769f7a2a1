"""What tasks share that end with a model's features: vectors for the parts of its input."""

from __future__ import annotations

import abc
from collections.abc import Iterable, Mapping
from typing import Any

from hf_tests.outcome import Example
from hf_tests.probe import judge
from hf_tests.probe.tasks import base
from hf_tests.registry import Model

SHOWN = 5  # numbers of a vector that a result shows

MAPS, POOLED = "feature_maps", "pooler_output"
MAP_DIMENSIONS, FLAT_DIMENSIONS = 4, 2


class Features(base.Task):
    """Models without a head.

    What is compared is the last hidden state; of a backbone, which has none, its maps of features;
    of what has neither, the one vector that it makes.
    """

    compared_outputs = ("last_hidden_state",)

    @abc.abstractmethod
    def sample(self, model: Model) -> Any:
        """The sample input, as the pipeline takes it."""

    @abc.abstractmethod
    def described(self, model: Model) -> str:
        """The sample input in words."""

    def compared(self, outputs: Any) -> dict[str, Any]:
        if self.compared_outputs[0] in outputs:
            return super().compared(outputs)
        if MAPS in outputs:
            return {f"{MAPS}.{index}": found for index, found in enumerate(outputs[MAPS])}
        if POOLED in outputs:
            return {POOLED: outputs[POOLED]}
        # What was converted has each map by itself.
        return {name: found for name, found in outputs.items() if name.startswith(f"{MAPS}.")}

    def answer(self, outputs: Any) -> Any:
        return list(self.compared(outputs).values())[-1]

    def judge(self, subject: base.Subject, inputs: dict[str, Any], outputs: Any) -> base.Verdict:
        return self.verdict(subject.model, self.compared(outputs).values(), self.is_packed(inputs))

    def is_packed(self, inputs: Mapping[str, Any]) -> bool:
        """Whether the features of all inputs may be one sequence, without a batch.

        So are those of images or sounds of any size, of which something beside them says what is
        theirs and what is padding, or how many rows and columns they have.
        """
        kinds = {base.is_floating(value) for value in inputs.values()}
        return kinds == {True, False}

    def processed(self, pipe: Any) -> dict[str, Any]:
        """What a pipeline gives its network for the sample; nothing where that has a batch."""
        return {}

    def call(self, model: Model, pipe: Any) -> Any:
        return pipe(self.sample(model), return_tensors=True)

    def judge_answer(self, model: Model, pipe: Any, answer: Any) -> base.Verdict:
        maps = answer if isinstance(answer, tuple) else (answer,)
        for found in maps:
            judge.require(hasattr(found, "shape"), f"the features are a {type(found).__name__}")
        is_flat = any(found.dim() == FLAT_DIMENSIONS for found in maps)
        return self.verdict(model, maps, is_flat and self.is_packed(self.processed(pipe)))

    def verdict(self, model: Model, found: Iterable[Any], is_packed: bool) -> base.Verdict:
        """Judge features of shape (1, parts, width), or maps of shape (1, width, rows, columns).

        Where they are packed, the 1 may be missing.

        The prediction is the mean of the last, an embedding.
        """
        parts = [self._judged(features.float().cpu(), is_packed) for features in found]
        judge.require(bool(parts), "there are no features")
        features = parts[-1]
        mean = features[0].mean(0)
        judge.varied(mean, "mean of the features")
        prediction = {
            "parts": features.shape[1],
            "width": features.shape[2],
            "norm": float(mean.norm()),
            "first": [round(float(value), 6) for value in mean[:SHOWN]],
        }
        return base.Verdict((prediction,), Example(self.described(model), prediction))

    def _judged(self, features: Any, is_packed: bool) -> Any:
        """Features as (1, parts, width), judged; a single vector is one part."""
        if features.dim() == FLAT_DIMENSIONS:
            features = features[None] if is_packed else features[:, None]
        if features.dim() == MAP_DIMENSIONS:
            features = features.flatten(2).transpose(1, 2)
        judge.shape(features, (1, None, None), "features")
        judge.finite(features, "features")
        judge.varied(features, "features")
        return features
