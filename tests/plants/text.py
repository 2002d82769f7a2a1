"""Faults planted into models of texts."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any
from unittest import mock

import torch

from hf_tests.probe.properties.base import Loaded
from tests.plants.base import (
    Plant,
    cache_dropped,
    encoder_rerun,
    forward,
    generate,
    mask_ignored,
    neighbours_mixed,
    outputs,
)


def all_is_seen(given: dict[str, Any]) -> None:
    """A mask of the model's own form that hides nothing, in place of the causal one."""
    size = given["input_ids"].shape[1]
    given["attention_mask"] = torch.zeros(1, 1, size, size)


def second_half_lost(given: dict[str, Any]) -> None:
    """A text is read up to its half."""
    ids = given["input_ids"].clone()
    ids[:, ids.shape[1] // 2 :] = 0
    given["input_ids"] = ids


def positions_dropped(given: dict[str, Any]) -> None:
    """Positions are counted from the padding's beginning."""
    given["position_ids"] = None


def vectors_moved(given: dict[str, Any]) -> None:
    """Vectors in the place of tokens come one place too late."""
    if given.get("inputs_embeds") is not None:
        given["inputs_embeds"] = given["inputs_embeds"].roll(1, 1)


@contextlib.contextmanager
def untied(loaded: Loaded) -> Iterator[None]:
    """The output layer has a copy of the embeddings, or what was apart is shared."""
    layer = loaded.network.get_input_embeddings()
    other = torch.nn.Linear(*layer.weight.shape[::-1], bias=False)
    other.weight = torch.nn.Parameter(layer.weight.clone())
    found = other if loaded.config.tie_word_embeddings else layer
    with mock.patch.object(loaded.network, "get_output_embeddings", lambda: found):
        yield


def heads_repeated(found: Any) -> None:
    """The cache holds a key for every query."""
    for layer in found.past_key_values.layers:
        layer.keys = layer.keys.repeat_interleave(2, 1)


PLANTS: dict[str, dict[str, Plant]] = {
    "bert": {
        "both_sides": forward(second_half_lost),
        "padding": forward(mask_ignored),
        "tied_embeddings": untied,
    },
    "gpt": {
        "cache": forward(cache_dropped),
        "greedy": generate(do_sample=True),
        "left_padding": forward(positions_dropped),
        "no_look_ahead": forward(all_is_seen),
        "tied_embeddings": untied,
    },
    "t5": {
        "cache": forward(cache_dropped),
        "encoder_runs_once": encoder_rerun,
        "no_look_ahead": outputs(neighbours_mixed),
        "padding": forward(mask_ignored),
    },
    "llama": {
        "cache": generate(use_cache=False),
        "grouped_query": outputs(heads_repeated),
        "left_padding": forward(mask_ignored),
        "no_look_ahead": forward(all_is_seen),
        "tied_embeddings": untied,
    },
    "decoder": {
        "cache": forward(cache_dropped),
        "embeddings": forward(vectors_moved),
        "left_padding": forward(mask_ignored),
        "no_look_ahead": forward(all_is_seen),
    },
    "embedding": {"both_sides": forward(second_half_lost), "padding": forward(mask_ignored)},
    "longformer": {
        "both_sides": forward(second_half_lost),
        "padding": forward(mask_ignored),
        "tied_embeddings": untied,
    },
    "bart": {
        "cache": forward(cache_dropped),
        "encoder_runs_once": encoder_rerun,
        "no_look_ahead": outputs(neighbours_mixed),
        "padding": forward(mask_ignored),
    },
    "moe": {
        "cache": generate(use_cache=False),
        "left_padding": forward(mask_ignored),
        "no_look_ahead": outputs(neighbours_mixed),
    },
    "mamba": {
        "greedy": generate(do_sample=True),
        "no_look_ahead": outputs(neighbours_mixed),
    },
}
