"""What tasks share that begin with a sound: its length, its rate, and what a network is given."""

from __future__ import annotations

import inspect
from typing import Any

from hf_tests.probe import classes, samples
from hf_tests.registry import Model

LANGUAGE = "en"
"""What a processor is told that cannot do without a language."""

MASK = "mask"
"""The end of the names by which processors and networks call the mask of a sound's padding."""

ASKED = "return_attention_mask"
"""The option by which a feature extractor is asked for one."""

OTHERS_FIRST = ("images", "text")
"""What a processor may take before a sound, which has to be named then."""


def seconds(model: Model) -> float:
    """Length of the model's sample sound."""
    return float(model.samples.get("seconds", samples.SECONDS))


def rate(processor: Any) -> int:
    """The sampling rate that a processor, or the part of it that reads sounds, is made for."""
    cls = type(processor)
    # Some processors of 4.57 have no arguments of their own, and name their parts besides.
    names = (*inspect.signature(cls.__init__).parameters, *getattr(cls, "attributes", ()))
    parts = (processor, *(getattr(processor, name, None) for name in names))
    found = (getattr(part, "sampling_rate", None) for part in parts)
    return next((int(value) for value in found if value), samples.SAMPLING_RATE)


def sample(model: Model, processor: Any) -> Any:
    """The model's sample sound, as its processor takes it."""
    return samples.waveform(seconds(model), rate(processor))


def given(model: Model, processor: Any, heard: Any, **options: Any) -> dict[str, Any]:
    """What a processor makes of a sound or several, by the names that the network knows.

    A tower of a larger model may have its own names: its first argument is then the sound, and the
    one that ends in "mask" that of its padding. The registry says where it marks what is
    padding and not what is sound, or has other frames. One that is given the text first leaves the
    sound to ``generate``, which knows it by the processor's names.
    """
    taken = _taken(model)
    mask = next((name for name in taken if name.endswith(MASK)), None)
    # A mask that has the sound's own name is needed. Some extractors do not give by themselves what
    # they say they give.
    says = getattr(processor, ASKED, False) and mask in processor.model_input_names
    wanted = says or mask == f"{taken[1]}_{MASK}"
    if wanted and ASKED in inspect.signature(processor.__call__).parameters:
        options = {ASKED: True, **options}
    language = inspect.signature(processor.__call__).parameters.get("language")
    if language is not None and language.default is inspect.Parameter.empty:
        options = {"language": LANGUAGE, **options}
    options = {"sampling_rate": rate(processor), "return_tensors": "pt", **options}
    by_name = next(iter(inspect.signature(processor.__call__).parameters)) in OTHERS_FIRST
    made = processor(audio=heard, **options) if by_name else processor(heard, **options)
    if is_read_first(model):
        return dict(made)
    found: dict[str, Any] = {}
    for name, value in made.items():
        is_mask = name.endswith(MASK)
        own = name if name in taken else mask if is_mask else taken[1]
        kind = model.samples.get("mask") if is_mask else None
        if own is not None and (own == name or own not in made) and kind != "none":
            found[own] = ~value.bool() if kind == "hides" else value
    return found


def is_read_first(model: Model) -> bool:
    """Whether the network is given text before sounds: that of its ``generate``, piece by piece."""
    return _taken(model)[1] == "input_ids"


def _taken(model: Model) -> list[str]:
    """Names of the arguments of a network's forward, in their order, the first itself."""
    cls = classes.transformers_class(model.class_name)
    return list(inspect.signature(cls.forward).parameters)
