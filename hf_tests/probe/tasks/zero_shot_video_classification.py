"""zero-shot-video-classification: a video scored against texts."""

from __future__ import annotations

from typing import Any

from hf_tests.outcome import Accuracy
from hf_tests.probe import samples
from hf_tests.probe.tasks import base, video_classification
from hf_tests.probe.tasks.zero_shot_image_classification import PIXELS, ZeroShotImageClassification
from hf_tests.registry import Model


class ZeroShotVideoClassification(ZeroShotImageClassification):
    """Dual encoders of videos and texts. transformers has no such pipeline."""

    name = "zero-shot-video-classification"
    openvino_class = "OVModelForZeroShotVideoClassification"
    seen = "video"

    def inputs(self, subject: base.Subject) -> dict[str, Any]:
        from transformers import AutoConfig

        config = AutoConfig.for_model(subject.model.model_type, **subject.model.config)
        video = samples.video(video_classification.frames(getattr(config, "vision_config", config)))
        labels = self.labels(subject.model)
        found = self._encoded(subject, labels, videos=video)
        # transformers 5.5.4 drops videos where a processor names none among its parts, without a
        # word; it takes the frames as the image processor's.
        seen = any(name.startswith(PIXELS) for name in found)
        return found if seen else self._encoded(subject, labels, images=video)

    def padding(self, model: Model) -> bool | str:
        return True

    def call(self, model: Model, pipe: Any) -> Any:
        raise NotImplementedError(f"transformers has no {self.name} pipeline")

    def judge_answer(self, model: Model, pipe: Any, answer: Any) -> base.Verdict:
        raise NotImplementedError(f"transformers has no {self.name} pipeline")

    def accuracy(self, subject: base.Subject, place: base.Place) -> Accuracy | None:
        """None: the drawn shapes do not move."""
        return None
