"""text-to-audio: a text spoken, or turned into music.

What is compared is one pass: the sound, its spectrogram, or the scores of the next codes behind
codes that are given. Where a model draws the codes one after the other, the pipeline does that.
"""

from __future__ import annotations

import copy
import inspect
from typing import Any

from hf_tests.outcome import Example
from hf_tests.probe import classes, judge, parity, samples
from hf_tests.probe.tasks import base
from hf_tests.registry import Model

TEXT = "A small robot hums a song."
NAMES = ("waveform", "spectrogram", "logits", "audio_logits", "speech_embeds", "text_embeds")
"""Outputs that are compared."""

SOUND, SPECTROGRAM = NAMES[:2]
PROMPT, RATE = ("input_ids", "attention_mask"), "sampling_rate"
NOISE = "noise_scale"
"""How the settings of a network begin that say how much of what it draws it adds."""

LENGTHS = "duration_predictor"
"""How the settings of a network begin that rounds how long it holds each token."""

NEW_TOKENS = 16  # frames of codes that a pipeline draws: enough for every delay between codebooks
SHORTEST = 0.05  # seconds: codes that nothing has made a sound of are fewer
SHOWN = 8
DIGITS = 6


class TextToAudio(base.Task):
    """Models that read a text and make a sound, in one pass or one code after the other."""

    name = "text-to-audio"
    processor_class = "AutoTokenizer"
    openvino_class = "OVModelForTextToAudio"
    sample_text = TEXT
    unit = "texts"

    def pipeline_misfit(self, subject: base.Subject) -> str | None:
        from transformers.models.auto import modeling_auto

        mappings = (
            modeling_auto.MODEL_FOR_TEXT_TO_WAVEFORM_MAPPING_NAMES,
            modeling_auto.MODEL_FOR_TEXT_TO_SPECTROGRAM_MAPPING_NAMES,
        )
        name = subject.model.class_name
        if any(name in mapping.values() for mapping in mappings):
            return None
        return f"the {self.name} pipeline has no {name}"

    def lacks(self, dtype: str, model: Model) -> str | None:
        from transformers import AutoConfig

        if dtype in base.HALVES:
            if not _has_pass(classes.transformers_class(model.class_name)):
                return f"a model that draws codes one after the other draws others in {dtype}"
            # Classes of composed configurations take their arguments apart.
            given = copy.deepcopy(dict(model.config))
            settings = AutoConfig.for_model(model.model_type, **given).to_dict()
            blocks = [settings, *(item for item in settings.values() if isinstance(item, dict))]
            if any(str(name).startswith(LENGTHS) for block in blocks for name in block):
                return f"a model that rounds lengths of time rounds others in {dtype}"
        return None

    def inputs(self, subject: base.Subject) -> dict[str, Any]:
        """What the network is given of a text, with codes, speakers and such as are drawn.

        A model that reads no text, or one beside its codes, is given what is drawn alone.
        """
        drawn = samples.drawn(subject.model.samples.get("drawn", {}))
        if subject.model.samples.get("drawn_alone"):
            return drawn
        length = subject.model.samples.get("length")
        settings = {} if length is None else {"padding": "max_length", "max_length": length}
        read = subject.processor(self.text(subject.model), return_tensors="pt", **settings)
        cls = classes.transformers_class(subject.model.class_name)
        names = inspect.signature(cls.forward).parameters if _has_pass(cls) else PROMPT
        return {name: read[name] for name in read if name in names} | drawn

    def run(self, subject: base.Subject, inputs: dict[str, Any]) -> Any:
        for name in vars(subject.network):
            if name.startswith(NOISE):
                setattr(subject.network, name, 0.0)
        with base.drawing_alike():
            cls = classes.transformers_class(subject.model.class_name)
            generate = None if _has_pass(cls) else getattr(subject.network, "generate", None)
            return subject.network(**inputs) if generate is None else {SOUND: generate(**inputs)}

    def compared(self, outputs: Any) -> dict[str, Any]:
        return {name: outputs[name] for name in NAMES if outputs.get(name) is not None}

    def answer(self, outputs: Any) -> Any:
        return next(iter(self.compared(outputs).values()))

    def judge(self, subject: base.Subject, inputs: dict[str, Any], outputs: Any) -> base.Verdict:
        compared = self.compared(outputs)
        judge.require(bool(compared), f"nothing to hear or to choose among {sorted(outputs)}")
        prediction: dict[str, Any] = {}
        for name, found in compared.items():
            judge.require(found.numel() > 1, f"{name} of {found.numel()} values")
            judge.finite(found, name)
            judge.varied(found, name)
            if name == SOUND:
                prediction |= _heard(found, subject.config.to_dict())
            elif name == SPECTROGRAM:
                prediction["frames"], prediction["bands"] = found.shape[-2:]
            elif name.endswith(parity.LOGITS):
                best = found.float().cpu().argmax(-1).flatten()[:SHOWN]
                prediction[f"best_{name}"] = best.tolist()
            else:
                prediction[name] = [
                    round(float(value), DIGITS) for value in found.flatten()[:SHOWN]
                ]
        return base.Verdict((prediction,), Example(self.text(subject.model), prediction))

    def call(self, model: Model, pipe: Any) -> Any:
        options: dict[str, Any] = {}
        if not _has_pass(type(pipe.model)):
            pass  # each of its parts has a number of codes of its own
        elif hasattr(pipe.model, "prepare_inputs_for_generation"):
            options["generate_kwargs"] = {"max_new_tokens": NEW_TOKENS, "do_sample": False}
        else:
            drawn = samples.drawn(model.samples.get("drawn", {}))
            taken = inspect.signature(_runs(pipe.model)).parameters
            options["forward_params"] = {
                name: value for name, value in drawn.items() if name in taken
            }
        return pipe(self.text(model), **options)

    def judge_answer(self, model: Model, pipe: Any, answer: Any) -> base.Verdict:
        import torch

        judge.keys(answer, (RATE,), "answer")
        rate, sounds = answer[RATE], [name for name in answer if name != RATE]
        judge.require(len(sounds) == 1, f"sounds in the answer: {sounds}")
        judge.require(isinstance(rate, int) and rate > 0, f"the sampling rate is {rate!r}")
        sound = torch.as_tensor(answer[sounds[0]])
        judge.require(
            sound.shape[-1] >= SHORTEST * rate,
            f"{sound.shape[-1]} samples at {rate} Hz is no sound",
        )
        judge.finite(sound, "the sound")
        judge.varied(sound, "the sound")
        prediction = _heard(sound, {RATE: rate})
        return base.Verdict((prediction,), Example(self.text(model), prediction))


def _has_pass(cls: Any) -> bool:
    """Whether a network can be called: of several that follow one another only their end can."""
    import torch

    return cls.forward is not torch.nn.Module.forward


def _runs(network: Any) -> Any:
    """What a pipeline calls of a network."""
    return network.generate if network.can_generate() else network.forward


def _heard(sound: Any, settings: dict[str, Any]) -> dict[str, Any]:
    """What there is to say of a sound: its length, in seconds where its rate is known."""
    length, rate = sound.shape[-1], settings.get(RATE)
    loudness = float(sound.float().square().mean().sqrt())
    found: dict[str, Any] = {"samples": length, "loudness": round(loudness, DIGITS)}
    return found if rate is None else {"seconds": length / rate, RATE: rate, **found}
