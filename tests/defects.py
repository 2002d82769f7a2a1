"""Defects planted into a copy of a checkpoint: each changes one thing that a port could get wrong.

Every function changes the folder and gives the name of what it changed, so that a test can see that
there was something to change. The names are those of the weights in the families' default models.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file

HEAD_DIM = 8
"""Width of an attention head in a tiny checkpoint."""

ATTENTION_OUTPUT = (
    r"(attention\.output\.dense|attn\.c_proj|self_attn\.o_proj|SelfAttention\.o|attn\.out_proj|"
    r"attention\.out_proj|layers\.0\.attn\.proj)\.weight$"
)
QUERY = (
    r"(attention\.self\.query|attention\.attention\.query|attn\.c_attn|q_proj|SelfAttention\.q|"
    r"attn\.qkv)\.weight$"
)
POSITIONS = (
    r"(position_embeddings(\.weight)?|wpe\.weight|position_embedding\.weight|"
    r"embed_positions\.weight|relative_attention_bias\.weight|vision_encoder\.pos_embed|"
    r"pos_conv_embed\.conv\.parametrizations\.weight\.original1)$"
)
LAYER_COUNTS = (
    "num_hidden_layers",
    "n_layer",
    "num_decoder_layers",
    "num_layers",
    "encoder_layers",
)


def head_zeroed(folder: Path) -> str:
    """The first attention head's part of its layer's output is lost."""

    def change(name: str, weight: Any) -> Any:
        if "c_proj" in name:  # stored with the inputs as rows
            weight[:HEAD_DIM] = 0
        else:
            weight[:, :HEAD_DIM] = 0
        return weight

    return _change_weight(folder, ATTENTION_OUTPUT, change)


def projection_transposed(folder: Path) -> str:
    """A square query projection is transposed."""

    def change(name: str, weight: Any) -> Any:
        side = min(weight.shape)
        if "c_attn" in name:
            weight[:, :side] = weight[:, :side].T.clone()
        else:
            weight[:side, :side] = weight[:side, :side].T.clone()
        return weight

    return _change_weight(folder, QUERY, change)


def positions_shifted(folder: Path) -> str:
    """Every position has its neighbour's embedding.

    Rotary positions that are all off by one change nothing; there the angles' base is another.
    """

    def change(name: str, weight: Any) -> Any:
        axis = -1 if "conv" in name else int(weight.dim() >= 3)
        return weight.roll(1, axis)

    try:
        return _change_weight(folder, POSITIONS, change)
    except LookupError:
        return _change_config(folder, "rope_theta", lambda base: base / 4)


def layer_skipped(folder: Path) -> str:
    """The last layer of the first stack is not run."""
    for name in LAYER_COUNTS:
        try:
            return _change_config(folder, name, lambda count: count - 1)
        except LookupError:
            continue
    raise LookupError(f"{folder} names no number of layers")


DEFECTS = (head_zeroed, projection_transposed, positions_shifted, layer_skipped)


def _change_weight(folder: Path, pattern: str, change: Callable[[str, Any], Any]) -> str:
    path = folder / "model.safetensors"
    weights = load_file(path)
    names = [str(name) for name in sorted(weights) if re.search(pattern, name)]
    if not names:
        raise LookupError(f"{path} has no weight like {pattern}")
    name = names[0]
    weights[name] = change(name, weights[name].clone()).contiguous()
    save_file(weights, path, metadata={"format": "pt"})
    return name


def _change_config(folder: Path, key: str, change: Callable[[Any], Any]) -> str:
    """Change the first entry of that name that is a number other than 1, however deep."""
    path = folder / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))

    def walk(block: dict[str, Any]) -> bool:
        for name, value in block.items():
            if name == key and isinstance(value, (int, float)) and value != 1:
                block[name] = change(value)
                types = block.get("layer_types")
                if isinstance(types, list):
                    block["layer_types"] = types[: block[name]]
                return True
        return any(walk(value) for value in block.values() if isinstance(value, dict))

    if not walk(config):
        raise LookupError(f"{path} has no {key}")
    path.write_text(json.dumps(config), encoding="utf-8")
    return key
