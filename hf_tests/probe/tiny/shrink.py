"""Shrink any transformers configuration, as a dict, to one whose model is built in no time.

One table of field names, by what they size, serves all architectures. What it cannot derive, the
registry's ``shrink`` says.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hf_tests.probe.tiny import images, sounds

WIDTH = 32
HEADS = 4
HEAD_DIM = WIDTH // HEADS
STAGED_HEAD_DIM = 4  # widths double from stage to stage, so a hierarchical model starts narrower
FEED_FORWARD = 64
LAYERS = 2
POSITIONS = 512  # the shortest that today's encoders publish; positions cost little
LABELS = 10
EXPERTS = 4
CHOSEN_EXPERTS = 2
RANK = 16  # of a factored projection
QUERIES = 16  # places of a detector's answer
CHUNK = 8  # tokens that a recurrence computes at once, so that a prompt has several such chunks
VOCABULARY = 1024  # of what no tokenizer numbers: entities, sound codes, ...
MULTIPLIER = 0.25  # of the channels that a network of convolutions was designed with
INITIALIZER_RANGE = 0.18  # about 1 / sqrt(WIDTH): every layer, head and position weighs as much

INITIALIZER_FIELDS = frozenset({"initializer_range", "init_std"})
WIDTH_FIELDS = frozenset(
    {"d_model", "n_embd", "dim", "projection_size", "embed_dim", "emb_dim", "project_dim",
     "output_dim", "embedding_dim", "lru_width", "true_hidden_size", "fpn_feature_size",
     "mask_feature_size", "feature_size", "fusion_hidden_size", "d_latents",
     "embed_dim_per_stage", "stem_out_channels", "descriptor_dim", "descriptor_decoder_dim",
     "bottleneck_features", "num_relative_features", "bin_embedding_dim",
     "codebook_dim", "vector_quantization_hidden_dimension", "flow_size",
     "upsample_initial_channel", "duration_predictor_filter_channels",
     "mask_dim", "auxiliary_channels", "auxiliary_in_channels", "base_channels",
     "output_proj_dims", "x4_feat_dim", "text_projection_in_dim", "text_projection_out_dim"}
)  # fmt: skip
WIDTH_SUFFIXES = ("hidden_size", "projection_dim", "_embed_dim", "_hidden_dim", "_proj_dim",
                  "_emb_size", "projector_input_dim", "projector_output_dim", "_predictor_channels",
                  "net_units", "adapter_in_dim", "adapter_out_dim",
                  "adapter_input_size")  # fmt: skip
NARROW_FIELDS = frozenset({"embedding_size"})
HIDDEN = "hidden_dim"
"""The width of feed-forward layers; where these have another name, the model's own width."""

FEED_FORWARD_FIELDS = frozenset(
    {"hidden_dim", "n_inner", "d_inner", "d_ff", "dff", "dim_ff", "feed_forward_size",
     "feed_forward_hidden_size", "shared_expert_intermediate_size"}
)  # fmt: skip
FEED_FORWARD_SUFFIXES = ("intermediate_size", "intermediate_size_mlp", "mlp_dim", "ffn_dim",
                         "ffn_hidden_size", "feedforward_dim", "dim_feedforward",
                         "feed_forward_hidden_size", "linear_units")  # fmt: skip
LAYER_FIELDS = frozenset(
    {"num_hidden_layers", "n_layer", "n_layers", "num_layers", "num_encoder_layers",
     "num_decoder_layers", "encoder_layers", "decoder_layers", "decoder_num_layers", "depth",
     "depths",
     "blocks_per_stage", "n_attn_blocks", "num_block_repeats", "stage_num_blocks",
     "stage_numb_of_layers", "l_layers", "x_layers", "r_layers",
     "posterior_encoder_num_wavenet_layers", "prior_encoder_num_wavenet_layers",
     "speech_decoder_postnet_layers", "pitch_predictor_layers"}
)  # fmt: skip
STATE_HEAD_FIELDS = frozenset({"mamba_n_heads"})
"""Heads of what attends not: they say nothing of the width of a head of attention."""

HEAD_FIELDS = frozenset(
    {"num_attention_heads", "n_head", "n_heads", "num_heads",
     "encoder_attention_heads", "decoder_attention_heads", "decoder_num_heads",
     "num_encoder_attention_heads", "num_decoder_attention_heads",
     "num_attention_heads_per_stage"}
)  # fmt: skip
HEAD_SUFFIX, LAYER_SUFFIX = "_num_attention_heads", ("_num_hidden_layers", "num_global_layers")
"""Of a part that the configuration names: its decoder, its predictor."""

KEY_VALUE_HEAD_FIELDS = frozenset(
    {"num_key_value_heads", "num_kv_heads", "num_key_value_attention_heads"}
)
KEY_VALUE_HEAD_SUFFIX = "_num_key_value_heads"
LAYERS_KEY_VALUE_HEADS = "num_key_value_heads_per_layer"
"""A list of those of each layer."""

HEAD_DIM_FIELDS = frozenset({"d_kv", "d_head", "dim_head", "kv_channels", "attention_head_size",
                             "rotary_dim", "query_pre_attn_scalar"})  # fmt: skip
HEAD_DIM_SUFFIXES = ("head_dim",)
POSITION_FIELDS = frozenset(
    {"n_positions", "max_target_positions", "seq_length", "context_length",
     "position_embedding_size"}
)  # fmt: skip
POSITION_SUFFIXES = ("max_position_embeddings",)
EXPERT_FIELDS = frozenset(
    {"n_routed_experts", "num_experts", "num_local_experts", "moe_num_experts", "zero_expert_num"}
)
CHOSEN_EXPERT_FIELDS = frozenset(
    {"num_experts_per_tok", "num_experts_per_token", "moe_topk", "top_k_experts", "moe_k",
     "moe_top_k", "n_group", "num_expert_group"}
)  # fmt: skip
EXPERT_GROUP_FIELDS = frozenset({"topk_group"})
DENSE_LAYER_FIELDS = frozenset({"first_k_dense_replace", "num_dense_layers"})
"""Layers before the first one with experts: fewer than there are layers, or none has any."""

LAST_LAYER_FIELDS = frozenset({"num_blocks"})
"""Layers at the end that do more than those before them: fewer than there are layers."""

CHUNK_FIELDS = frozenset({"chunk_size", "mamba_chunk_size"})
QUERY_FIELDS = frozenset({"num_queries", "num_detection_tokens", "two_stage_num_proposals"})
RANK_SUFFIXES = ("_rank",)
LAYER_PERIOD_SUFFIX, LAYER_OFFSET_SUFFIX = "layer_period", "layer_offset"
CHANNEL_LIST_FIELDS = frozenset(
    {"conv_dim", "hidden_sizes", "tdnn_dim", "resnet_head", "bridge_connector",
     "out_point_positions2D", "keypoint_encoder_sizes", "out_features",
     "subsampling_conv_channels", "conv_channels", "sscp_conv_channel_size"}
)  # fmt: skip
CHANNEL_GROUP_FIELDS = frozenset({"upsample_groups", "num_groups"})
CHANNEL_LIST_SUFFIXES = ("_channels", "hidden_sizes", "_configs")
CHANNEL_MULTIPLES = frozenset({"channel_multiplier"})
"""How many times the channels of its first stage each stage has."""

MULTIPLIER_FIELDS = frozenset({"depth_multiplier", "width_multiplier", "width_coefficient"})
DEPTH_MULTIPLIER_FIELDS = frozenset({"depth_coefficient"})
STAGE_BLOCK_FIELDS = frozenset({"blocks_per_stage"})
WINDOW_FIELDS = frozenset({"window_size", "window_size_per_stage"})
FOLLOWING_SUFFIXES = ("feature_sizes", "image_grid_pinpoints")
"""Sizes of maps that are made of an image, and of images made of it: they follow its size."""

VOCABULARY_SUFFIXES = ("_vocab_size", "vocab_size_per_layer_input", "codebook_size")
LABELS_SUFFIX = "_labels"
"""Numbers of answers, or of kinds of objects, that are told apart."""

LAYER_INDEX_FIELDS = frozenset(
    {"global_attn_indexes", "attn_layer_indices", "global_attention_blocks",
     "deepstack_visual_indexes", "fullatt_block_indexes", "cross_attention_layers",
     "intermediate_layers_indices"}
)  # fmt: skip
TOWER_LAYERS_SUFFIXES = ("_feature_layers", "_feature_layer")
"""Layers of a nested configuration, whose name begins alike, that are read together; lists of the
second name are of newer versions."""

ROTARY_SECTIONS = "mrope_section"
"""Frequencies of a head's rotary positions for time, height and width, among those of a rope."""

PATCH_VALUE_FIELDS = frozenset({"patch_embed_hidden_size"})
"""Numbers of values in a patch: they follow from its size."""

WIDTH_SHARE_FIELDS = frozenset({"axial_pos_embds_dim"})
"""Lists whose entries add up to the model's width."""

TAP_FIELDS = {"out_indices": 1, "backbone_out_indices": 0, "intermediate_hidden_state_indices": 0}
"""Layers whose outputs others read, and what the first layer's output is called there."""

STAGE_NAME_FIELDS = ("stage_names", "out_features")

PRETRAINED_BACKBONE = "use_pretrained_backbone"
"""Whether a network fetches its backbone's weights when it is made, in configurations of 4.57."""

NAMED_BACKBONE_ARGUMENTS = "backbone_kwargs"
"""Arguments of a backbone that is known by its name; 4.57 refuses them beside a configuration."""


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
    for block in blocks(result):
        if PRETRAINED_BACKBONE in block:
            block[PRETRAINED_BACKBONE] = False  # nothing is fetched for a tiny checkpoint
        if block.get("backbone_config") and NAMED_BACKBONE_ARGUMENTS in block:
            block[NAMED_BACKBONE_ARGUMENTS] = None
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
    for _, value in nested(values):
        yield from blocks(value)


def nested(values: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """The configurations in a configuration, by name."""
    return [
        (name, value)
        for name, value in values.items()
        if isinstance(value, dict) and "model_type" in value
    ]


def image_size(values: dict[str, Any]) -> tuple[int, int] | None:
    """Height and width of the images that the configuration is made for; None for a text model."""
    return images.size_of(blocks(values))


def _shrink_block(block: dict[str, Any], prefix: str, keep: frozenset[str]) -> None:
    before = copy.deepcopy(block)
    heads, doubled = _heads(block), sounds.doublings(block)
    width = STAGED_HEAD_DIM * heads[0] if isinstance(heads, (list, tuple)) else WIDTH
    taps = _taps(block)
    layers = max(LAYERS, len(taps))
    published = _layers(block)
    old_head, old_width = _head_dim(block), block.get("hidden_size")
    for name, value in block.items():
        if f"{prefix}{name}" in keep or name in PATCH_VALUE_FIELDS:
            continue
        if isinstance(value, dict) and "model_type" in value:
            _shrink_block(value, f"{prefix}{name}.", keep)
        elif name in ("id2label", "label2id") and isinstance(value, dict):
            block[name] = dict(list(value.items())[:LABELS])
        elif name == images.size_name(before):
            block[name] = images.shrunken(value, before)
        elif name == HIDDEN and _feeds_forward(before):
            block[name] = _cap(value, width)
        elif name in FEED_FORWARD_FIELDS and isinstance(value, int) and _narrowing(before) < 1:
            block[name] = int(value * _narrowing(before))
        elif doubled and name in sounds.FIELDS and isinstance(value, (int, float)):
            block[name] = sounds.shrunken(name, value, doubled)
        elif name in LAYER_FIELDS or name.endswith(LAYER_SUFFIX):
            block[name] = value if _counts_stages(name, before) else _cap(value, layers)
        elif name in WIDTH_SHARE_FIELDS:
            block[name] = _shares(value, min(width, sum(value)))
        elif name in NARROW_FIELDS and value == old_width:
            block[name] = _cap(value, width)
        elif value is not None and not isinstance(value, (bool, str)):
            block[name] = _shrink_field(name, value, heads, width)
    if "head_dim" in block and block["head_dim"] is None and isinstance(heads, int):
        hidden = next((block[n] for n in ("hidden_size", "d_model") if block.get(n)), None)
        if isinstance(hidden, int):
            block["head_dim"] = hidden // min(heads, HEADS)
    for name, value in _following(before, block):
        if f"{prefix}{name}" not in keep:
            block[name] = value
    new_head = _head_dim(block)
    for value in block.values():
        if isinstance(value, dict) and ROTARY_SECTIONS in value and old_head and new_head:
            sections = value[ROTARY_SECTIONS]
            value[ROTARY_SECTIONS] = _shares(sections, sum(sections) * new_head // old_head)
    left = _layers(block)
    if left is None or published is None:
        return
    for name in block:
        if f"{prefix}{name}" not in keep:
            block[name] = _fit_to_layers(name, block[name], published, left)
    if taps and not keep & {f"{prefix}{name}" for name in (*TAP_FIELDS, *STAGE_NAME_FIELDS)}:
        for name in TAP_FIELDS & block.keys():
            end = left + TAP_FIELDS[name]
            block[name] = list(range(end - len(taps), end))
        for name in STAGE_NAME_FIELDS:
            block.pop(name, None)  # the configuration derives them anew


def _feeds_forward(block: Mapping[str, Any]) -> bool:
    """Whether a block calls the width of its feed-forward layers by a name that says so."""
    return any(name.endswith(FEED_FORWARD_SUFFIXES) for name in block)


def _counts_stages(name: str, block: Mapping[str, Any]) -> bool:
    """Whether a number of layers is that of stages, each of which says its own number of them."""
    depths = [block[other] for other in LAYER_FIELDS - {name} if other in block]
    return any(isinstance(found, (list, tuple)) and len(found) == block[name] for found in depths)


def _heads(block: Mapping[str, Any]) -> Any:
    """Heads of attention: those of each stage where a block says them, else their number."""
    found = [block[name] for name in sorted(HEAD_FIELDS) if block.get(name)]
    staged = [heads for heads in found if isinstance(heads, (list, tuple))]
    return next(iter(staged + found), None)


def _narrowing(block: Mapping[str, Any]) -> float:
    """The share of its channels that a smaller multiplier leaves a block; 1 where it has none."""
    found = [block[name] for name in MULTIPLIER_FIELDS if isinstance(block.get(name), float)]
    return min([MULTIPLIER / value for value in found if value > MULTIPLIER], default=1.0)


def _following(
    before: Mapping[str, Any], block: Mapping[str, Any]
) -> Iterator[tuple[str, Sequence[Any]]]:
    """Lists that follow others, as these are now: blocks counted through stages; what repeats a
    list of a nested configuration, in its order or the other way round; its layers that are read;
    sizes of maps that are made of its images.
    """
    own = [(name, value) for name, value in before.items() if isinstance(value, (list, tuple))]
    for stages in STAGE_BLOCK_FIELDS & set(before):
        for mine, value in own:
            if mine in LAYER_INDEX_FIELDS:
                moved = (_restaged(index, before[stages], block[stages]) for index in value)
                yield mine, list(dict.fromkeys(moved))
    for name, part in nested(before):
        now = block[name]
        for key, old in part.items():
            if isinstance(old, (list, tuple)) and len(old) > 1 and now.get(key, old) != old:
                yield from ((mine, now[key]) for mine, value in own if list(value) == list(old))
                turned, new = list(old)[::-1], list(now[key])[::-1]
                yield from ((mine, new) for mine, value in own if list(value) == turned)
        depth, kind = _layers(now), name.partition("_")[0]
        if depth is not None:
            for mine, value in own:
                if mine in [kind + suffix for suffix in TOWER_LAYERS_SUFFIXES]:
                    yield mine, [max(-depth - 1, min(index, depth)) for index in value]
        old_size, new_size = image_size(part), image_size(now)
        if old_size is not None and new_size is not None:
            for mine, value in own:
                if mine.endswith(FOLLOWING_SUFFIXES):
                    yield mine, _scaled(value, new_size[0] / old_size[0])


def _restaged(index: int, old: Sequence[int], new: Sequence[int]) -> int:
    """The block in the place of one, counted through all stages, where stages have fewer blocks."""
    start = 0
    for blocks_before, blocks_now in zip(old, new, strict=True):
        if index < blocks_before:
            return start + min(index, blocks_now - 1)
        index, start = index - blocks_before, start + blocks_now
    return start - 1


def _scaled(value: Any, factor: float) -> Any:
    if isinstance(value, (list, tuple)):
        return [_scaled(item, factor) for item in value]
    return max(1, round(value * factor))


def _layers(block: Mapping[str, Any]) -> int | None:
    """The number of a block's layers; None where it has stages of several layers, or none."""
    if any(isinstance(block.get(name), (list, tuple)) for name in LAYER_FIELDS):
        return None
    return next((block[n] for n in sorted(LAYER_FIELDS) if isinstance(block.get(n), int)), None)


def _head_dim(block: Mapping[str, Any]) -> int | None:
    """The width of a head of attention; None where a block does not say it."""
    if isinstance(block.get("head_dim"), int):
        return int(block["head_dim"])
    width, heads = block.get("hidden_size"), block.get("num_attention_heads")
    return width // heads if isinstance(width, int) and isinstance(heads, int) else None


def _shares(parts: Sequence[int], total: int) -> list[int]:
    """Whole numbers in the proportion of the parts that add up to the total."""
    ends = [round(total * sum(parts[: count + 1]) / sum(parts)) for count in range(len(parts))]
    return [end - start for start, end in zip([0, *ends], ends, strict=False)]


def _taps(block: Mapping[str, Any]) -> list[int]:
    """Indices of the layers whose outputs others read; empty where there are none, or stages."""
    indices: Any = next((block[name] for name in TAP_FIELDS if block.get(name)), ())
    return [] if _layers(block) is None or not _are_numbers(indices) else list(indices)


def _are_numbers(value: Any) -> bool:
    """Whether a value is a list of whole numbers."""
    return isinstance(value, (list, tuple)) and all(isinstance(item, int) for item in value)


def _shrink_field(name: str, value: Any, heads: Any, width: int) -> Any:
    staged = isinstance(heads, (list, tuple))
    if name in INITIALIZER_FIELDS:
        return INITIALIZER_RANGE if isinstance(value, float) else value
    if name in HEAD_FIELDS or name.endswith(HEAD_SUFFIX):
        # A list gives the heads of each stage, in proportion to its width: it stays.
        return value if isinstance(value, (list, tuple)) else _cap(value, HEADS)
    if name == LAYERS_KEY_VALUE_HEADS and isinstance(heads, int):
        return [max(1, min(heads, HEADS) * count // heads) for count in value]
    if name in KEY_VALUE_HEAD_FIELDS or name.endswith(KEY_VALUE_HEAD_SUFFIX):
        if not isinstance(heads, int) or not isinstance(value, int):
            return value
        return max(1, min(heads, HEADS) * value // heads)
    if name in WINDOW_FIELDS:
        return _cap(value, images.WINDOW) if staged else value
    if name in MULTIPLIER_FIELDS and isinstance(value, float):
        return min(value, MULTIPLIER)
    if name in DEPTH_MULTIPLIER_FIELDS and isinstance(value, float):
        return min(value, 1.0)
    if isinstance(value, (list, tuple)) and name.endswith(CHANNEL_LIST_SUFFIXES) and not staged:
        return _cap(value, WIDTH)
    if staged and _are_numbers(value) and name in CHANNEL_LIST_FIELDS | WIDTH_FIELDS:
        return [STAGED_HEAD_DIM * count for count in heads][: len(value)]
    for limit, names, suffixes in _limits(width):
        if name in names or name.endswith(suffixes):
            return _cap(value, limit)
    if name.endswith(LAYER_PERIOD_SUFFIX):
        return _cap(value, LAYERS)
    if name.endswith(LAYER_OFFSET_SUFFIX):
        return _cap(value, LAYERS - 1)
    return value


def _limits(width: int) -> tuple[tuple[int, frozenset[str], tuple[str, ...]], ...]:
    """Limit, names and endings of names, the first that fits counting."""
    return (
        (HEAD_DIM, HEAD_DIM_FIELDS, HEAD_DIM_SUFFIXES),
        (FEED_FORWARD, FEED_FORWARD_FIELDS, FEED_FORWARD_SUFFIXES),
        (width, WIDTH_FIELDS, WIDTH_SUFFIXES),
        (width // 2, NARROW_FIELDS, ()),
        (POSITIONS, POSITION_FIELDS, POSITION_SUFFIXES),
        (HEADS, STATE_HEAD_FIELDS, ()),
        (EXPERTS, EXPERT_FIELDS, ()),
        (CHOSEN_EXPERTS, CHOSEN_EXPERT_FIELDS, ()),
        (1, EXPERT_GROUP_FIELDS | DENSE_LAYER_FIELDS | CHANNEL_MULTIPLES, ()),
        (RANK, frozenset(), RANK_SUFFIXES),
        (QUERIES, QUERY_FIELDS, ()),
        (CHUNK, CHUNK_FIELDS, ()),
        (WIDTH, CHANNEL_LIST_FIELDS | CHANNEL_GROUP_FIELDS, ()),
        (VOCABULARY, frozenset(), VOCABULARY_SUFFIXES),
        (LABELS, frozenset(), (LABELS_SUFFIX,)),
    )


def _cap(value: Any, limit: int) -> Any:
    if isinstance(value, (list, tuple)):
        return [_cap(item, limit) for item in value]
    return min(value, limit) if isinstance(value, int) else value


def _fit_to_layers(name: str, value: Any, published: int, layers: int) -> Any:
    """Lists that speak of layers: one entry a layer is cut, indices of layers stay in range.

    Of the last layers that are counted by themselves there are fewer than of all.
    """
    if name in LAST_LAYER_FIELDS and isinstance(value, int) and value < published:
        return min(value, layers - 1)
    if not isinstance(value, (list, tuple)) or not value:
        return value
    if name in LAYER_INDEX_FIELDS:
        return [index for index in value if index < layers] or [layers - 1]
    if len(value) == published > layers:
        return _one_of_each(value, layers)
    return value


def _one_of_each(kinds: Sequence[Any], count: int) -> list[Any]:
    """So many of the entries, in their order, the first of each kind before any second one."""
    first = {str(kind): index for index, kind in reversed(list(enumerate(kinds)))}
    chosen = sorted(first.values())[:count]
    others = [index for index in range(len(kinds)) if index not in chosen]
    return [kinds[index] for index in sorted([*chosen, *others[: count - len(chosen)]])]
