"""How a fault is planted into a loaded model, and the faults that several kinds of model share."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import torch

from hf_tests.probe.properties.base import Loaded

Plant = Callable[[Loaded], contextlib.AbstractContextManager[Any]]


def wrapped(
    part: Callable[[Loaded], Any],
    name: str,
    before: Callable[[dict[str, Any]], None] = lambda given: None,
    after: Callable[[Any], Any] = lambda outputs: outputs,
) -> Plant:
    """A method of a part of the model whose named arguments or outputs are changed."""

    @contextlib.contextmanager
    def plant(loaded: Loaded) -> Iterator[None]:
        whole = part(loaded)
        method = getattr(whole, name)

        @functools.wraps(method)
        def spoilt(*arguments: Any, **given: Any) -> Any:
            before(given)
            return after(method(*arguments, **given))

        with mock.patch.object(whole, name, spoilt):
            yield

    return plant


def network(loaded: Loaded) -> Any:
    return loaded.network


def processor(loaded: Loaded) -> Any:
    return loaded.processor


def forward(before: Callable[[dict[str, Any]], None]) -> Plant:
    """Other inputs than those that are given."""
    return wrapped(network, "forward", before)


def outputs(change: Callable[[Any], None]) -> Plant:
    """Other outputs than those that the network gives, those of its own run too."""

    def changed(found: Any) -> Any:
        found = type(found)(**found)
        change(found)
        return found

    @contextlib.contextmanager
    def plant(loaded: Loaded) -> Iterator[None]:
        spoilt = loaded.outputs
        # What was generated is no output of the network.
        if not isinstance(spoilt, torch.Tensor) and "sequences" not in spoilt:
            spoilt = changed(spoilt)
        with (
            mock.patch.object(loaded, "outputs", spoilt),
            wrapped(network, "forward", after=changed)(loaded),
        ):
            yield

    return plant


def generate(**settings: Any) -> Plant:
    """Generation with other settings than those that are given."""
    return wrapped(network, "generate", lambda given: given.update(settings))


def mask_ignored(given: dict[str, Any]) -> None:
    """Padding is read like any other token."""
    given["attention_mask"] = None


def cache_dropped(given: dict[str, Any]) -> None:
    """Every step forgets what was before it."""
    given["past_key_values"] = None


def neighbours_mixed(found: Any) -> None:
    """Each position gets a little of the next."""
    found.logits = found.logits + 0.1 * found.logits.roll(-1, -2)


MAPS = ("logits", "masks_queries_logits", "predicted_depth", "reconstruction")
"""Outputs that may have the places of an image."""


def batch_mixed(found: Any) -> None:
    """Each row gets a little of all."""
    name = next(
        item
        for item in ("pred_boxes", *MAPS, "last_hidden_state", "audio_values", "embeddings")
        if item in found
    )
    found[name] = found[name] + 0.1 * found[name].mean(0, keepdim=True)


@contextlib.contextmanager
def encoder_rerun(loaded: Loaded) -> Iterator[None]:
    """The encoder is run again at every step."""

    def again(given: dict[str, Any]) -> None:
        if given.get("decoder_input_ids") is not None:
            loaded.network.get_encoder()(**loaded.inputs)

    with forward(again)(loaded):
        yield


def corner_blanked(given: dict[str, Any]) -> None:
    """The image's lower right quarter is never seen."""
    pixels = given["pixel_values"].clone()
    pixels[..., pixels.shape[-2] // 2 :, pixels.shape[-1] // 2 :] = 0
    given["pixel_values"] = pixels


def kind(found: Any) -> str:
    """What a dual encoder's outputs are about."""
    return next(item for item in ("image", "audio") if f"{item}_embeds" in found)


def scale_forgotten(found: Any) -> None:
    """Logits are the bare products."""
    seen = kind(found)
    found[f"logits_per_{seen}"] = found[f"{seen}_embeds"] @ found.text_embeds.T


def embeddings_doubled(found: Any) -> None:
    found[f"{kind(found)}_embeds"] = found[f"{kind(found)}_embeds"] * 2


def last_label_favoured(found: Any) -> None:
    found[f"logits_per_{kind(found)}"][:, -1] += 1.0


def logits_scaled(found: Any) -> None:
    found.logits = found.logits * 1.01


def processor_type(loaded: Loaded) -> Any:
    return type(loaded.processor)
