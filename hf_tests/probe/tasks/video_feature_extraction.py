"""video-feature-extraction: a vector for each frame of a video."""

from __future__ import annotations

from typing import Any

from hf_tests.probe.tasks import features
from hf_tests.probe.tasks.video_classification import INPUT, VideoClassification
from hf_tests.registry import Model


class VideoFeatureExtraction(features.Features, VideoClassification):
    """Encoders of videos: what they see is for others to use. transformers has no such pipeline."""

    name = "video-feature-extraction"
    openvino_class = "OVModelForVideoFeatureExtraction"

    def sample(self, model: Model) -> Any:
        raise NotImplementedError(f"transformers has no {self.name} pipeline")

    def described(self, model: Model) -> str:
        return INPUT
