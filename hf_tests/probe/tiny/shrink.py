"""Shrink any transformers configuration, as a dict, to one whose model is built in no time.

One table of field names, by what they size, serves all architectures. What it cannot derive, the
registry's ``shrink`` says.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Mapping
from typing import Any

WIDTH = 32
HEADS = 4
HEAD_DIM = WIDTH // HEADS
STAGED_HEAD_DIM = 4  # widths double from stage to stage, so a hierarchical model starts narrower
FEED_FORWARD = 64
LAYERS = 2
POSITIONS = 512  # the shortest that today's encoders publish; positions cost little
LABELS = 10
PATCHES_A_SIDE = 4
MIN_IMAGE = 32  # pixels
WINDOW = 4  # patches a side of an attention window
INITIALIZER_RANGE = 0.18  # about 1 / sqrt(WIDTH): every layer, head and position weighs as much

INITIALIZER_FIELDS = frozenset({"initializer_range", "init_std"})
WIDTH_FIELDS = frozenset(
    {"hidden_size", "d_model", "n_embd", "dim", "projection_dim", "projection_size",
     "embed_dim", "word_embed_proj_dim"}
)  # fmt: skip
NARROW_FIELDS = frozenset({"embedding_size"})
FEED_FORWARD_FIELDS = frozenset(
    {"intermediate_size", "hidden_dim", "n_inner", "d_ff", "mlp_dim", "ffn_dim",
     "encoder_ffn_dim", "decoder_ffn_dim"}
)  # fmt: skip
LAYER_FIELDS = frozenset(
    {"num_hidden_layers", "n_layer", "n_layers", "num_layers", "num_decoder_layers",
     "encoder_layers", "decoder_layers", "depth", "depths"}
)  # fmt: skip
HEAD_FIELDS = frozenset(
    {"num_attention_heads", "n_head", "n_heads", "num_heads",
     "encoder_attention_heads", "decoder_attention_heads"}
)  # fmt: skip
KEY_VALUE_HEAD_FIELDS = frozenset({"num_key_value_heads"})
HEAD_DIM_FIELDS = frozenset({"head_dim", "d_kv"})
POSITION_FIELDS = frozenset(
    {"max_position_embeddings", "n_positions", "max_target_positions", "seq_length"}
)
CHANNEL_LIST_FIELDS = frozenset({"conv_dim", "hidden_sizes", "tdnn_dim"})
LAYER_INDEX_FIELDS = frozenset(
    {"global_attn_indexes", "out_indices", "out_features", "stage_names"}
)
PER_LAYER_FIELDS = frozenset({"layer_types", "attention_layers"})


def shrink(values: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """The dict form of a small configuration of the same architecture.

    ``values`` is ``config.to_dict()``; ``overrides`` the registry's ``shrink``: ``keep`` names
    (dotted) that stay as they are, ``set`` gives values. Ratios that change the code path are
    kept: grouped-query attention stays grouped, tied embeddings tied, stages stay as many.
    """
    result = copy.deepcopy(dict(values))
    _shrink_block(result, "", frozenset(overrides.get("keep", ())))
    for name, value in overrides.get("set", {}).items():
        assign(result, name, value)
    return result


def assign(values: dict[str, Any], dotted: str, value: Any) -> None:
    """Set ``values["a"]["b"]`` for the dotted name ``a.b``."""
    *parents, last = dotted.split(".")
    for parent in parents:
        values = values[parent]
    values[last] = value


def blocks(values: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The dict itself and every configuration nested in it (those that name a model_type)."""
    yield values
    for value in values.values():
        if isinstance(value, dict) and "model_type" in value:
            yield from blocks(value)


def image_size(values: dict[str, Any]) -> int | None:
    """Side in pixels of the images that the configuration is made for; None for a text model."""
    for block in blocks(values):
        size = block.get("image_size")
        if isinstance(size, (list, tuple)):
            size = size[0]
        if isinstance(size, int):
            return size
    return None


def _shrink_block(block: dict[str, Any], prefix: str, keep: frozenset[str]) -> None:
    heads = next((block[name] for name in sorted(HEAD_FIELDS) if block.get(name)), None)
    width = STAGED_HEAD_DIM * heads[0] if isinstance(heads, list) else WIDTH
    for name, value in block.items():
        if f"{prefix}{name}" in keep:
            continue
        if isinstance(value, dict) and "model_type" in value:
            _shrink_block(value, f"{prefix}{name}.", keep)
        elif name in ("id2label", "label2id") and isinstance(value, dict):
            block[name] = dict(list(value.items())[:LABELS])
        elif name == "image_size" and isinstance(value, int):
            block[name] = _shrink_image(value, block)
        elif value is not None and not isinstance(value, (bool, str)):
            block[name] = _shrink_field(name, value, heads, width)
    layers = next((block[n] for n in sorted(LAYER_FIELDS) if isinstance(block.get(n), int)), None)
    if layers is not None:
        for name in block:
            if f"{prefix}{name}" not in keep:
                block[name] = _fit_to_layers(name, block[name], layers)


def _shrink_image(size: int, block: Mapping[str, Any]) -> int:
    """A few patches a side: the smallest multiple of the patch that is no less than MIN_IMAGE.

    Where each stage halves the image and attends in windows, the last one still fills a window.
    """
    patch, depths, window = (block.get(name) for name in ("patch_size", "depths", "window_size"))
    side = patch if isinstance(patch, int) else 1
    smallest = max(PATCHES_A_SIDE * side, MIN_IMAGE)
    if isinstance(depths, (list, tuple)) and isinstance(window, int):
        smallest = max(smallest, side * min(window, WINDOW) * 2 ** (len(depths) - 1))
    return min(size, math.ceil(smallest / side) * side)


def _shrink_field(name: str, value: Any, heads: Any, width: int) -> Any:
    if name in WIDTH_FIELDS:
        return _cap(value, width)
    if name in NARROW_FIELDS:
        return _cap(value, width // 2)
    if name in FEED_FORWARD_FIELDS:
        return _cap(value, FEED_FORWARD)
    if name in LAYER_FIELDS:
        return _cap(value, LAYERS)
    if name in HEAD_FIELDS:
        # A list gives the heads of each stage, in proportion to its width: it stays.
        return value if isinstance(value, list) else _cap(value, HEADS)
    if name in KEY_VALUE_HEAD_FIELDS and isinstance(heads, int):
        return max(1, min(heads, HEADS) * value // heads)
    if name in HEAD_DIM_FIELDS:
        return _cap(value, HEAD_DIM)
    if name in POSITION_FIELDS:
        return _cap(value, POSITIONS)
    if name in CHANNEL_LIST_FIELDS:
        return _cap(value, WIDTH)
    if name == "window_size" and isinstance(heads, list):
        return _cap(value, WINDOW)
    if name in INITIALIZER_FIELDS and isinstance(value, float):
        return INITIALIZER_RANGE
    return value


def _cap(value: Any, limit: int) -> Any:
    if isinstance(value, (list, tuple)):
        return [_cap(item, limit) for item in value]
    return min(value, limit) if isinstance(value, int) else value


def _fit_to_layers(name: str, value: Any, layers: int) -> Any:
    """Lists that speak of layers: one entry a layer is cut, indices of layers stay in range."""
    if name in PER_LAYER_FIELDS and isinstance(value, (list, tuple)):
        return list(value[:layers])
    if name in LAYER_INDEX_FIELDS and isinstance(value, (list, tuple)) and value:
        if all(isinstance(item, int) for item in value):
            return [index for index in value if index < layers] or [layers - 1]
        return None  # names of stages: the configuration derives them anew
    return value
