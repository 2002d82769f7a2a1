"""audio-feature-extraction: a vector for each moment of a sound."""

from __future__ import annotations

from typing import Any

from hf_tests.probe.tasks import base, features, sounds
from hf_tests.registry import Model


class AudioFeatureExtraction(features.Features):
    """Encoders of sounds: what they hear is for others to use."""

    name = "audio-feature-extraction"
    processor_class = "AutoFeatureExtractor"
    openvino_class = "OVModelForAudioFeatureExtraction"

    def sample(self, model: Model) -> Any:
        raise NotImplementedError("transformers has no such pipeline")

    def described(self, model: Model) -> str:
        return f"{sounds.seconds(model):g} s of a made sound"

    def work(self, model: Model) -> base.Work:
        return base.Work(sounds.seconds(model), "audio seconds")

    def compared(self, outputs: Any) -> dict[str, Any]:
        # Some hear sounds of any length as one sequence: the features of all, one behind the other.
        found = super().compared(outputs)
        flat = features.FLAT_DIMENSIONS
        return {name: item[None] if item.dim() == flat else item for name, item in found.items()}

    def judge(self, subject: base.Subject, inputs: dict[str, Any], outputs: Any) -> base.Verdict:
        found = super().compared(outputs).values()
        return self.verdict(subject.model, found, self.is_packed(inputs))

    def inputs(self, subject: base.Subject) -> dict[str, Any]:
        sound = sounds.sample(subject.model, subject.processor)
        return sounds.given(subject.model, subject.processor, [sound])
