"""Properties of what makes sounds out of sounds, or out of what is left of them."""

from __future__ import annotations

import inspect
from typing import Any

from hf_tests.probe.judge import require
from hf_tests.probe.properties.base import Loaded
from hf_tests.probe.tasks.audio_coding import drawing_nothing, time_axis

PARTS = 4
PADDING = 3  # tokens
FIRST, LAST = 0, PARTS - 1


def codes_are_all(loaded: Loaded) -> None:
    """What is encoded, and then decoded of nothing but that, is what one call gives."""
    network = loaded.network
    takes = inspect.signature(network.encode).parameters
    given = {name: value for name, value in loaded.inputs.items() if name in takes}
    encoded = network.encode(**given, **drawing_nothing(takes))
    takes = inspect.signature(network.decode).parameters
    kept = {name: encoded[name] for name in takes if encoded.get(name) is not None}
    require(bool(kept), f"nothing that was encoded can be decoded: {sorted(encoded)}")
    decoded = loaded.answer(network.decode(**kept))
    whole = loaded.answer(loaded.outputs)
    # A sound is cut to the length of what was given, which the codes alone do not tell.
    loaded.same(decoded[..., : whole.shape[-1]], whole, "a sound decoded from its codes")


def sounds_beside_change_nothing(loaded: Loaded) -> None:
    """A sound comes back the same alone and beside another."""
    import torch

    both = {
        name: torch.cat([value, value.flip(-1) * 0.5 if value.is_floating_point() else value])
        for name, value in loaded.inputs.items()
    }
    found, alone = loaded.answer(loaded.run(both)), loaded.answer(loaded.outputs)
    loaded.same(found[: len(alone)], alone, "a sound beside another")


def changes_stay_in_their_time(loaded: Loaded) -> None:
    """Another end of a sound is heard at the end, and another beginning at the beginning.

    What reads on and on may carry the beginning to the end, but nothing carries the end back.
    """
    name, whole = _answer(loaded, loaded.outputs)
    changes: dict[int, list[float]] = {}
    for part in (FIRST, LAST):
        _, found = _answer(loaded, loaded.run(_otherwise(loaded, part)))
        loaded.different(found, whole, f"a sound with another quarter {part + 1}")
        squares = (found - whole).square().chunk(PARTS, time_axis(name, whole, loaded.config))
        changes[part] = [float(item.mean()) for item in squares]
    beginning = changes[LAST][FIRST]
    require(changes[LAST][LAST] > beginning, "another end of a sound is heard at the beginning")
    require(
        changes[FIRST][FIRST] > beginning,
        "the beginning of the answer changes more with another end of the sound than with another "
        "beginning",
    )


def _answer(loaded: Loaded, outputs: Any) -> tuple[str, Any]:
    """What speaks for the outputs, with its name."""
    found = loaded.answer(outputs)
    return next(name for name, value in outputs.items() if value is found), found.float()


def _otherwise(loaded: Loaded, part: int) -> dict[str, Any]:
    """The inputs with one quarter backwards and half as loud, but for masks."""
    import torch

    result = dict(loaded.inputs)
    for name, value in loaded.inputs.items():
        if value.is_floating_point():
            axis = time_axis(name, value, loaded.config)
            parts = list(value.chunk(PARTS, axis))
            parts[part] = parts[part].flip(axis) * 0.5
            result[name] = torch.cat(parts, axis)
    return result


def another_text_sounds_otherwise(loaded: Loaded) -> None:
    """Of another text of the same length the answer is another."""
    ids = loaded.inputs["input_ids"]
    outputs = loaded.run({**loaded.inputs, "input_ids": ids.roll(ids.shape[1] // 2, 1)})
    found, whole = loaded.answer(outputs), loaded.answer(loaded.run(loaded.inputs))
    if found.shape == whole.shape:  # of another length it is another anyway
        loaded.different(found, whole, "the answer to another text")


def padding_is_not_heard(loaded: Loaded) -> None:
    """A text with padding behind it gives what it gives alone; a longer sound is not its own."""
    import torch

    ids, mask = (loaded.inputs[name] for name in ("input_ids", "attention_mask"))
    pad = loaded.tokenizer.pad_token_id
    more = torch.full_like(ids[:, :PADDING], pad)
    padded = {
        **loaded.inputs,
        "input_ids": torch.cat([ids, more], 1),
        "attention_mask": torch.cat([mask, torch.zeros_like(mask[:, :PADDING])], 1),
    }
    found, alone = loaded.answer(loaded.run(padded)), loaded.answer(loaded.outputs)
    loaded.same(found, alone, "the answer to a padded text")


def codes_do_not_look_ahead(loaded: Loaded) -> None:
    """With other codes in the second half of a sound, only scores of that half are others."""
    import torch

    given = dict(loaded.inputs)
    half = 0
    for name, item in loaded.model.samples.get("drawn", {}).items():
        codes = given[name]
        if "below" in item:
            axis = codes.shape.index(max(codes.shape))  # more moments than codebooks
            half = codes.shape[axis] // 2
            first, last = codes.split([half, codes.shape[axis] - half], axis)
            given[name] = torch.cat([first, item["below"] - 1 - last], axis)
    require(half > 0, "it is given no codes")
    found, whole = loaded.answer(loaded.run(given)), loaded.answer(loaded.outputs)
    start = whole.shape[-2] - half  # codes may stand behind a text
    loaded.same(found[..., :start, :], whole[..., :start, :], "scores before other codes")
    loaded.different(found[..., start:, :], whole[..., start:, :], "scores of other codes")
