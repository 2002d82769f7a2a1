"""Properties of what reads words with their places on a page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hf_tests.probe.properties.base import Loaded

PLACES = ("bbox", "xpath_tags_seq", "token_type_ids")
"""Names of the words' places among a network's inputs: boxes, paths, else the cells of a table."""

MORE = 5  # tokens of padding
STEPS = 4


def places_count(loaded: Loaded) -> None:
    """A page whose words have each other's places has another answer."""
    name = next(name for name in PLACES if name in loaded.inputs)
    places = loaded.inputs[name]
    wanted, found = (
        _answer(loaded, {**loaded.inputs, name: given}) for given in (places, places.flip(1))
    )
    loaded.different(found, wanted, "the answer with the words' places exchanged")


def padding_changes_nothing(loaded: Loaded) -> None:
    """A page has the same answer with padding behind its tokens."""
    import torch

    count = loaded.inputs["input_ids"].shape[1]
    padded = {}
    for name, value in loaded.inputs.items():
        if value.dim() > 1 and value.shape[1] == count:
            filler = (loaded.tokenizer.pad_token_id or 0) if name == "input_ids" else 0
            shape = (value.shape[0], MORE, *value.shape[2:])
            padded[name] = torch.cat([value, value.new_full(shape, filler)], 1)
    found, wanted = (
        _answer(loaded, given) for given in ({**loaded.inputs, **padded}, loaded.inputs)
    )
    if not loaded.config.is_encoder_decoder:  # what an image's patches have stands behind it
        found, wanted = found[:, :count], wanted[:, :count]
    loaded.same(found, wanted, "the answer to a padded page differs")


def _answer(loaded: Loaded, inputs: Mapping[str, Any]) -> Any:
    """What a network makes of a page; a decoder of its own is given the page's first tokens."""
    given = dict(inputs)
    if loaded.config.is_encoder_decoder:
        given["decoder_input_ids"] = loaded.inputs["input_ids"][:, :STEPS]
    return loaded.answer(loaded.network(**given))
