"""feature-extraction: a vector for each token of a text."""

from __future__ import annotations

from typing import Any

from hf_tests.probe.tasks import base, features
from hf_tests.registry import Model

TEXT = "A small robot carries a red box across the wide garden."


class FeatureExtraction(features.Features):
    """Encoders of texts whose vectors are used as they are, to search and to compare."""

    name = "feature-extraction"
    processor_class = "AutoTokenizer"
    openvino_class = "OVModelForFeatureExtraction"

    def sample(self, model: Model) -> str:
        return str(model.samples.get("text", TEXT))

    def described(self, model: Model) -> str:
        return self.sample(model)

    def work(self, model: Model) -> base.Work:
        return base.Work(1, "sequences")

    def inputs(self, subject: base.Subject) -> dict[str, Any]:
        return dict(subject.processor(self.sample(subject.model), return_tensors="pt"))
