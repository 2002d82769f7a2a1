"""audio-classification: labels with probabilities for a sound."""

from __future__ import annotations

from typing import Any

from hf_tests.outcome import Example
from hf_tests.probe import samples
from hf_tests.probe.tasks import base, classification, sounds
from hf_tests.registry import Model


class AudioClassification(base.Task):
    """Classifiers of sounds with one label a sound."""

    name = "audio-classification"
    processor_class = "AutoFeatureExtractor"
    openvino_class = "OVModelForAudioClassification"

    def work(self, model: Model) -> base.Work:
        return base.Work(sounds.seconds(model), "audio seconds")

    def inputs(self, subject: base.Subject) -> dict[str, Any]:
        sound = samples.waveform(sounds.seconds(subject.model))
        return sounds.given(subject.model, subject.processor, sound)

    def judge(self, subject: base.Subject, inputs: dict[str, Any], outputs: Any) -> base.Verdict:
        return self._verdict(subject.model, classification.judge_logits(subject, outputs))

    def call(self, model: Model, pipe: Any) -> Any:
        sound = samples.waveform(sounds.seconds(model))
        return pipe({"raw": sound, "sampling_rate": samples.SAMPLING_RATE}, top_k=base.TOP_K)

    def judge_answer(self, model: Model, pipe: Any, answer: Any) -> base.Verdict:
        return self._verdict(model, classification.judge_labels(pipe, answer))

    def _verdict(self, model: Model, predictions: tuple[dict[str, Any], ...]) -> base.Verdict:
        said = f"{sounds.seconds(model):g} s of a made sound"
        return base.Verdict(predictions, Example(said, predictions[0]))
