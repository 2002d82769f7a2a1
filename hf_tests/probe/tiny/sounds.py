"""What turns a sound into codes and back, shrunken, and given weights that let a sound through."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from hf_tests.probe import samples

WIDEST = 64  # channels, where the fewest moments of a second are left
FIRST = 2  # channels at least behind the first convolution
CODES = 64  # of each codebook of a sound: a power of 2
LAYER_SCALE = 0.5
"""Of a layer whose published scale is too small for it to weigh anything."""

FAINT = 1e-6
"""Least spread of a sound that is made louder."""

RATIO_FIELDS = ("downsampling_ratios", "upsampling_ratios")
"""Steps in which convolutions shorten a sound, and lengthen it again: the fewer values are left of
a second, the more channels, twice as many with each ratio."""

FIRST_CHANNEL_FIELDS = frozenset({"num_filters", "encoder_hidden_size"})
LAST_CHANNEL_FIELDS = frozenset({"decoder_hidden_size"})
CODE_FIELDS = frozenset({"codebook_size"})
LAYER_SCALE_FIELDS = frozenset({"layer_scale_initial_scale", "layer_scale_init_value"})
FIELDS = FIRST_CHANNEL_FIELDS | LAST_CHANNEL_FIELDS | CODE_FIELDS | LAYER_SCALE_FIELDS


def doublings(block: Mapping[str, Any]) -> int:
    """How often a sound's channels double in a block or one nested in it; 0 where they do not."""
    own = [len(block[name]) for name in RATIO_FIELDS if block.get(name)]
    parts = [part for part in block.values() if isinstance(part, dict) and "model_type" in part]
    return max([*own, *map(doublings, parts)], default=0)


def shrunken(name: str, value: float, doubled: int) -> float:
    """One of the `FIELDS` of a block in which a sound's channels are doubled so often."""
    if name in LAYER_SCALE_FIELDS:
        return max(value, LAYER_SCALE)
    first = max(WIDEST >> doubled, FIRST)
    limits = ((FIRST_CHANNEL_FIELDS, first), (LAST_CHANNEL_FIELDS, WIDEST), (CODE_FIELDS, CODES))
    return min([value, *(limit for names, limit in limits if name in names)])


def fill_codebooks(network: Any) -> None:
    """Draw the tables, in place, that training fills and that are no parameters: codebooks.

    They begin with zeros, among which no code is nearer than another.
    """
    kept = network.state_dict().keys()
    for name, table in network.named_buffers():
        if name in kept and table.is_floating_point() and table.dim() > 1 and not table.any():
            table.normal_()


def keep_loudness(network: Any) -> None:
    """Scale convolutions over a sound, in place, so that it is as loud behind each as before.

    They begin with spreads of their own that no configuration sets. Of a sound nothing is left
    after some dozens of them, or it is past all bounds, and all of it has the same code.
    """
    import torch
    from transformers import PreTrainedModel

    def scale(module: Any, given: Any, found: Any) -> Any:
        del given
        bias = 0.0 if module.bias is None else module.bias[:, None]
        factor = 1.0 / max(float((found - bias).std()), FAINT)
        normed = getattr(module, "parametrizations", {})
        (normed["weight"].original0 if "weight" in normed else module.weight).mul_(factor)
        return (found - bias) * factor + bias

    codecs = [
        part
        for part in network.modules()
        if isinstance(part, PreTrainedModel) and doublings(part.config.to_dict())
    ]
    sound = torch.from_numpy(samples.waveform())[None, None]
    kinds = (torch.nn.Conv1d, torch.nn.ConvTranspose1d)
    for codec in codecs:
        found = [part for part in codec.modules() if isinstance(part, kinds)]
        hooks = [part.register_forward_hook(scale) for part in found]
        # A part that takes no sound, or not that alone, keeps what it has.
        with contextlib.suppress(TypeError, ValueError, RuntimeError, AttributeError):
            codec(sound)
        for hook in hooks:
            hook.remove()
