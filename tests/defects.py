"""Defects planted into a copy of a checkpoint: each changes one thing that a port could get wrong.

Every function changes the folder and gives the name of what it changed, so that a test can see that
there was something to change. The names are those that weights have across model types; where a
model has no attention, the same is done to a convolution.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file

HEAD_DIM = 8
"""Width of an attention head in a tiny checkpoint."""

ATTENTION_OUTPUT = (
    r"(attention\.output\.dense|attn\.c_proj|self_attn\.o_proj(\.linear)?|SelfAttention\.o|attn\.out_proj|"
    r"attention\.out_proj|layers\.0\.attn\.proj|mixer\.out_proj)\.weight$"
)
QUERY = (
    r"(attention\.self\.query|attention\.attention\.query|attn\.c_attn|q_proj(\.linear)?|SelfAttention\.q|"
    r"attn\.qkv|mixer\.in_proj)\.weight$"
)
POSITIONS = (
    r"(position_embeddings(\.weight)?|wpe\.weight|position_embedding\.weight|"
    r"embed_positions\.weight|relative_attention_bias\.weight|vision_(encoder|tower)\.pos_embed|"
    r"pos_conv_embed\.conv\.parametrizations\.weight\.original1)$"
)
PATCHES = (
    r"(input_ff_layer\.input_layer|embedder\.input_embedding|patch_embeddings\.projection)\.weight$"
)
CONVOLUTION = r"\.\d+\..*conv\w*\.(weight|parametrizations\.weight\.original1)$"
CODEC = re.compile(r"codec_(model|config)\b")
"""What a model has codes made by, and has a family of its own: half of it does not run here."""

LAYER_COUNTS = (
    "depths",  # what has stages may count them under another name, and not read it
    "num_hidden_layers",
    "n_layer",
    "num_decoder_layers",
    "num_layers",
    "encoder_layers",
    "gnn_layers_types",
    "decoder_num_hidden_layers",
)


def head_zeroed(folder: Path) -> str:
    """What the first attention head gives is lost; or some channels of a convolution."""

    def change(name: str, weight: Any) -> Any:
        if "c_proj" in name:  # stored with the inputs as rows
            weight[:HEAD_DIM] = 0
        else:
            weight[:, :HEAD_DIM] = 0
        return weight

    return _change_weight(folder, (ATTENTION_OUTPUT, CONVOLUTION), change)


def projection_transposed(folder: Path) -> str:
    """A square query projection is transposed; or the inputs and outputs of a convolution."""

    def change(name: str, weight: Any) -> Any:
        if "c_attn" in name:
            side = min(weight.shape)
            weight[:, :side] = weight[:, :side].T.clone()
        else:
            side = min(weight.shape[:2])
            weight[:side, :side] = weight[:side, :side].transpose(0, 1).clone()
        return weight

    return _change_weight(folder, (QUERY, CONVOLUTION), change, least=2)


def positions_shifted(folder: Path) -> str:
    """Every position has its neighbour's embedding.

    Rotary positions that are all off by one change nothing; there the angles' base is another. A
    model with neither knows places by its convolutions alone, or inside its patches: they all look
    a step aside. So for a fixed table of waves, too smooth for a step in it to count in bfloat16.
    """

    def change(name: str, weight: Any) -> Any:
        axis = -1 if "conv" in name else int(weight.dim() >= 3)
        return weight.roll(1, axis)

    def aside(name: str, weight: Any) -> Any:
        return weight.roll(1, -1)

    with contextlib.suppress(LookupError):
        return _change_weight(folder, (POSITIONS,), change)
    with contextlib.suppress(LookupError):
        return _change_config(folder, "rope_theta", lambda base: base / 100)
    return _change_weight(folder, (CONVOLUTION, PATCHES), aside, every=True)


def layer_skipped(folder: Path) -> str:
    """The last layer of the first stack is not run; of several stages, that of the last.

    Where none can be left out, a convolution passes on what it is given.
    """
    for name in LAYER_COUNTS:
        with contextlib.suppress(LookupError):
            return _change_config(folder, name, _one_less)

    def passing(name: str, weight: Any) -> Any:
        weight.zero_()
        rows, columns = weight.shape[:2]
        given = [row % columns for row in range(rows)]
        place = (range(rows), given, *[weight.shape[-1] // 2] * (weight.dim() - 2))
        weight[place] = 1
        return weight

    return _change_weight(folder, (CONVOLUTION,), passing)


def _one_less(count: Any) -> Any:
    if not isinstance(count, list):
        return count - 1
    return count[:-1] if isinstance(count[-1], str) else [*count[:-1], count[-1] - 1]


DEFECTS = (head_zeroed, projection_transposed, positions_shifted, layer_skipped)


def _change_weight(
    folder: Path,
    patterns: Sequence[str],
    change: Callable[[str, Any], Any],
    every: bool = False,
    least: int = 1,
) -> str:
    """Change the first weight, or every one, of the first pattern that has any.

    Its first two dimensions are no smaller than ``least``.
    """
    path = folder / "model.safetensors"
    weights = load_file(path)
    for pattern in patterns:
        names = sorted(
            str(name)
            for name, weight in weights.items()
            if re.search(pattern, name)
            and not CODEC.match(name)
            and weight.dim() > 1
            and min(weight.shape[:2]) >= least
        )
        for name in names if every else names[:1]:
            weights[name] = change(name, weights[name].clone()).contiguous()
        if names:
            save_file(weights, path, metadata={"format": "pt"})
            return names[0]
    raise LookupError(f"{path} has no weight like {' or '.join(patterns)}")


def _change_config(folder: Path, key: str, change: Callable[[Any], Any]) -> str:
    """Change the first entry of that name that is a list or a number other than 1, at any depth.

    A whole may keep a copy of a part's configuration, and read only one of them: both are changed.
    """
    path = folder / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    found: list[dict[str, Any]] = []

    def walk(block: dict[str, Any]) -> None:
        value = block.get(key)
        if isinstance(value, (int, float, list)) and value != 1:
            found.append(block)
        for name, nested in block.items():
            if isinstance(nested, dict) and not CODEC.match(name):
                walk(nested)

    walk(config)
    if not found:
        raise LookupError(f"{path} has no {key}")
    value, kind = found[0][key], found[0].get("model_type")
    for block in found:
        if block is found[0] or (kind and (block.get("model_type"), block[key]) == (kind, value)):
            block[key] = change(value)
            _fit_lists(block, value, block[key])
    path.write_text(json.dumps(config), encoding="utf-8")
    return key


def _fit_lists(block: dict[str, Any], before: Any, after: Any) -> None:
    """Shorten the lists that have an item for each layer; stages are named anew from the count.

    Where several layers are read, each of them is then the one before it. Stages of several layers
    are as many as they were.
    """
    taps = block.get("out_indices") or []
    for name, value in block.items():
        if isinstance(value, list) and len(value) == before:
            block[name] = value[:after]
    if isinstance(before, list) and len(before) == len(after):
        return
    for name in ("stage_names", "out_features", "out_indices"):
        block.pop(name, None)
    if isinstance(before, int) and len(taps) > 1:
        block["out_indices"] = [index - 1 for index in taps]
