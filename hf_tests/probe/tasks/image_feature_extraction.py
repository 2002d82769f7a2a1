"""image-feature-extraction: a vector for each patch of an image."""

from __future__ import annotations

from typing import Any

from hf_tests.probe import samples
from hf_tests.probe.tasks import base, features
from hf_tests.probe.tasks.image_classification import INPUT
from hf_tests.registry import Model


class ImageFeatureExtraction(features.Features):
    """Backbones: what they see in an image is for others to use."""

    name = "image-feature-extraction"
    processor_class = "AutoImageProcessor"
    openvino_class = "OVModelForImageFeatureExtraction"

    def sample(self, model: Model) -> Any:
        return samples.image()

    def described(self, model: Model) -> str:
        return INPUT

    def work(self, model: Model) -> base.Work:
        return base.Work(1, "images")

    def inputs(self, subject: base.Subject) -> dict[str, Any]:
        return dict(subject.processor(images=samples.image(), return_tensors="pt"))
