"""any-to-any: a language model answers about a sound, as transformers' pipeline for all asks it."""

from __future__ import annotations

import inspect
import re
from typing import Any

from hf_tests.probe.tasks import base, generation, sounds
from hf_tests.probe.tasks.image_text_to_text import ImageTextToText
from hf_tests.registry import Model

SOUND = re.compile(r"audios?$")
"""A processor's names for a sound beside a text."""


class AnyToAny(ImageTextToText):
    """Models that hear a sound beside a prompt and write text."""

    name = "any-to-any"
    openvino_class = "OVModelForMultimodalLM"
    openvino_alternatives = ()
    pipeline_dependencies = ("librosa",)
    sample_text = "USER: {audio} What do you hear? ASSISTANT:"

    def inputs(self, subject: base.Subject) -> dict[str, Any]:
        text = self.prompt(subject.model, subject.processor)
        return heard(subject.processor, text, sounds.sample(subject.model, subject.processor))

    def call(self, model: Model, pipe: Any) -> Any:
        text = self.prompt(model, pipe.processor)
        sound = sounds.sample(model, pipe.processor)
        return pipe(text=text, audio=sound, generate_kwargs=generation.greedy(pipe.tokenizer))


def heard(processor: Any, text: str, sound: Any) -> dict[str, Any]:
    """What a processor makes of a prompt and a sound of its own sampling rate.

    One that takes no sound beside a text is asked for a transcript, with a prompt of its own.
    """
    if any(map(SOUND.match, inspect.signature(processor.__call__).parameters)):
        return dict(processor(text=text, audio=sound, return_tensors="pt"))
    asked = processor.apply_transcription_request(
        audio=[sound],
        format=["wav"],
        sampling_rate=sounds.rate(processor),
        language=sounds.LANGUAGE,
        model_id="",
    )
    return dict(asked)
