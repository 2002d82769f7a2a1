"""zero-shot-audio-classification: a sound scored against texts."""

from __future__ import annotations

from typing import Any

from hf_tests.outcome import Accuracy
from hf_tests.probe.tasks import base, sounds
from hf_tests.probe.tasks.zero_shot_image_classification import ZeroShotImageClassification
from hf_tests.registry import Model

LABELS = ("a voice that sings", "a dog that barks", "rain on a roof")
TEMPLATE = "This is a sound of {}."


class ZeroShotAudioClassification(ZeroShotImageClassification):
    """Dual encoders of sounds and texts, with a scale for each of the two directions."""

    name = "zero-shot-audio-classification"
    openvino_class = "OVModelForZeroShotAudioClassification"
    candidates = LABELS
    seen = name.split("-")[2]
    one_scale = False

    def work(self, model: Model) -> base.Work:
        return base.Work(sounds.seconds(model), "audio seconds")

    def inputs(self, subject: base.Subject) -> dict[str, Any]:
        model, processor = subject.model, subject.processor
        texts = [TEMPLATE.format(label) for label in self.labels(model)]
        # Padding and truncation mean something else for sounds than for texts.
        read = processor.tokenizer(texts, padding=True, return_tensors="pt")
        extractor = processor.feature_extractor
        heard = extractor(
            [sounds.sample(model, extractor)],
            sampling_rate=sounds.rate(extractor),
            return_tensors="pt",
        )
        return {**read, **heard}

    def batch(self, inputs: dict[str, Any], size: int) -> dict[str, Any]:
        """As many sounds, each against the same labels."""
        texts = len(inputs["input_ids"])
        return {
            name: value if len(value) == texts else self.repeated(value, size)
            for name, value in inputs.items()
        }

    def call(self, model: Model, pipe: Any) -> Any:
        sound = sounds.sample(model, pipe.feature_extractor)
        return pipe(sound, candidate_labels=self.labels(model), hypothesis_template=TEMPLATE)

    def accuracy(self, subject: base.Subject, place: base.Place) -> Accuracy | None:
        return None
