"""zero-shot-video-classification: a video scored against texts."""

from __future__ import annotations

from typing import Any

from hf_tests.outcome import Accuracy
from hf_tests.probe import samples
from hf_tests.probe.tasks import base, sounds, video_classification
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
        count = video_classification.frames(getattr(config, "vision_config", config))
        labels, number = self.labels(subject.model), self.number(subject.model)
        # Each of several begins somewhere else, and so does its sound.
        starts = [index / number for index in range(number)]
        videos = [_turned(samples.video(count), start) for start in starts]
        video = videos if number > 1 else videos[0]
        found = self._encoded(subject, labels, videos=video)
        # transformers 5.5.4 drops videos where a processor names none among its parts, without a
        # word; it takes the frames as the image processor's.
        seen = any(name.startswith(PIXELS) for name in found)
        found = found if seen else self._encoded(subject, labels, images=video)
        extractor: Any = getattr(subject.processor, "feature_extractor", None)
        if not hasattr(extractor, "sampling_rate"):
            return found
        sound = sounds.sample(subject.model, extractor)
        heard = extractor(
            [_turned(sound, start) for start in starts],
            sampling_rate=sounds.rate(extractor),
            return_tensors="pt",
        )
        return {**found, **heard}

    def batch(self, inputs: dict[str, Any], size: int) -> dict[str, Any]:
        """As many videos with their sounds, each against the same labels; or as many pairs."""
        texts = len(inputs["input_ids"])
        are_pairs = all(len(value) == texts for value in inputs.values())
        return {
            name: self.repeated(value, size) if are_pairs or len(value) != texts else value
            for name, value in inputs.items()
        }

    def padding(self, model: Model) -> bool | str:
        return True

    def call(self, model: Model, pipe: Any) -> Any:
        raise NotImplementedError(f"transformers has no {self.name} pipeline")

    def judge_answer(self, model: Model, pipe: Any, answer: Any) -> base.Verdict:
        raise NotImplementedError(f"transformers has no {self.name} pipeline")

    def accuracy(self, subject: base.Subject, place: base.Place) -> Accuracy | None:
        """None: the drawn shapes do not move."""
        return None


def _turned(items: Any, share: float) -> Any:
    """A video's frames or a sound's samples from a share of its length on, then what was before."""
    import numpy as np

    start = int(len(items) * share)
    if isinstance(items, np.ndarray):
        return np.roll(items, -start)
    return [*items[start:], *items[:start]]
