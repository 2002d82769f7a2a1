"""audio-coding: a sound made short, as codes or as a spectrogram, and made a sound again."""

from __future__ import annotations

import inspect
from collections.abc import Collection
from typing import Any

from hf_tests.outcome import Example
from hf_tests.probe import classes, judge, samples
from hf_tests.probe.tasks import base
from hf_tests.registry import Model

LATENTS, CODES = "latents", "audio_codes"
FRAMES_FIRST = (LATENTS, "input_features", "noise_sequence")
"""Inputs and outputs of shape (1, frames, numbers of a frame), where others end with time."""

WIDTHS = ("latent_dim", "hidden_size")
"""A configuration's names for the width of latents."""

CODEBOOK = "codebook_size"
SHOWN = 8  # codes that a result shows
DIGITS = 6
SHORTEST = 0.95
"""Least share of a sound's length that comes back: what fills no whole frame may be lost."""

NOTHING_DRAWN = {"sample": False}
"""Arguments by which a network that draws numbers of its own draws none."""


class AudioCoding(base.Task):
    """Codecs and vocoders; the parts of a codec, which end with latents or begin with them."""

    name = "audio-coding"
    processor_class = "AutoFeatureExtractor"
    openvino_class = "OVModelForAudioCoding"

    def lacks(self, dtype: str, model: Model) -> str | None:
        from transformers import AutoConfig

        if dtype in base.HALVES and hasattr(AutoConfig.for_model(model.model_type), CODEBOOK):
            return f"a model that chooses among codes chooses others in {dtype}"
        return None

    def work(self, model: Model) -> base.Work:
        return base.Work(_seconds(model), "audio seconds")

    def inputs(self, subject: base.Subject) -> dict[str, Any]:
        drawn = samples.drawn(subject.model.samples.get("drawn", {}))
        return drawn or self._prepared(subject.model, subject.processor)

    def _prepared(self, model: Model, processor: Any) -> dict[str, Any]:
        """The network's arguments for the model's sample sound."""
        import numpy

        rate = processor.sampling_rate
        sound = samples.waveform(_seconds(model), rate)
        more: dict[str, Any] = {}
        if "generator" in inspect.signature(processor.__call__).parameters:
            more["generator"] = numpy.random.default_rng(0)
        found = processor(sound, sampling_rate=rate, return_tensors="pt", **more)
        taken = _parameters(model)
        given = {name: value for name, value in found.items() if name in taken}
        # A part calls a sound otherwise than the whole, whose extractor it has.
        return given or {next(iter(taken)): next(iter(found.values()))}

    def run(self, subject: base.Subject, inputs: dict[str, Any]) -> Any:
        return subject.network(**inputs, **drawing_nothing(_parameters(subject.model)))

    def compared(self, outputs: Any) -> dict[str, Any]:
        name = _longest(outputs)
        names = [found for found in (name, LATENTS) if found in outputs]
        return {found: outputs[found] for found in names}

    def answer(self, outputs: Any) -> Any:
        return outputs[_longest(outputs)]

    def judge(self, subject: base.Subject, inputs: dict[str, Any], outputs: Any) -> base.Verdict:
        compared = self.compared(outputs)
        judge.require(bool(compared), f"neither a sound nor latents among {sorted(outputs)}")
        for name, found in compared.items():
            judge.finite(found, name)
            judge.varied(found, name)
        prediction: dict[str, Any] = {}
        name = _longest(outputs)
        if name != LATENTS:
            sound, rate = outputs[name].float().cpu(), subject.processor.sampling_rate
            prediction |= _judged_sound(sound, _seconds(subject.model), rate)
        if LATENTS in compared:
            prediction["latents"] = list(compared[LATENTS].shape[1:])
        if CODES in outputs:
            prediction |= _judged_codes(outputs[CODES].cpu(), getattr(subject.config, CODEBOOK))
        said = f"{_seconds(subject.model)} s of a made sound"
        if "drawn" in subject.model.samples:
            said = f"drawn latents of {_seconds(subject.model)} s of sound"
        return base.Verdict((prediction,), Example(said, prediction))

    def call(self, model: Model, pipe: Any) -> Any:
        raise NotImplementedError(f"transformers has no {self.name} pipeline")

    def judge_answer(self, model: Model, pipe: Any, answer: Any) -> base.Verdict:
        raise NotImplementedError(f"transformers has no {self.name} pipeline")


def drawing_nothing(taken: Collection[str]) -> dict[str, bool]:
    """The arguments, of those that are taken, by which nothing is drawn."""
    return {name: value for name, value in NOTHING_DRAWN.items() if name in taken}


def time_axis(name: str, value: Any, config: Any) -> int:
    """The axis of an input or output of that name along which time goes.

    Some have latents the other way round: their width, which the configuration says, is first.
    """
    widths = {getattr(config, field, None) for field in WIDTHS}
    turned = name == LATENTS and value.shape[1] in widths and value.shape[-1] not in widths
    return 1 if name in FRAMES_FIRST and not turned else -1


def _longest(outputs: Any) -> str:
    """The output that has most moments: the sound, whatever its name; latents where there is none.

    Empty where a network gave nothing of the kind.
    """
    import torch

    found = {
        name: value.shape[-1]
        for name, value in outputs.items()
        if isinstance(value, torch.Tensor) and value.is_floating_point() and value.dim() > 1
    }
    return max(found, key=lambda name: found[name], default="")


def _judged_sound(sound: Any, seconds: float, rate: int) -> dict[str, Any]:
    """What there is to say of a sound of shape (1, samples), or (1, channels, samples)."""
    judge.require(len(sound) == 1, f"{len(sound)} sounds of one")
    wanted, length = seconds * rate, sound.shape[-1]
    judge.require(
        SHORTEST * wanted <= length <= wanted / SHORTEST,
        f"{seconds} s of sound at {rate} Hz came back as {length} samples",
    )
    loudness = float(sound.square().mean().sqrt())
    return {"seconds": length / rate, "sampling_rate": rate, "loudness": round(loudness, DIGITS)}


def _judged_codes(codes: Any, size: int) -> dict[str, Any]:
    """What there is to say of codes of shape (..., codebooks, frames)."""
    judge.require(not codes.is_floating_point(), f"codes are of {codes.dtype}")
    least, most = int(codes.min()), int(codes.max())
    judge.require(least >= 0 and most < size, f"codes from {least} to {most}, not in [0, {size})")
    judge.varied(codes, "codes")
    *_, count, frames = codes.shape
    first = codes.reshape(-1, count, frames)[0, 0, :SHOWN].tolist()
    return {"codebooks": count, "frames": frames, "first_codes": first}


def _seconds(model: Model) -> float:
    return float(model.samples.get("seconds", samples.SECONDS))


def _parameters(model: Model) -> list[str]:
    """What the model's network takes by name."""
    forward = classes.transformers_class(model.class_name).forward
    return list(inspect.signature(forward).parameters)[1:]
