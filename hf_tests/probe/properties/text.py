"""Properties of what reads tokens: padding, direction, embeddings."""

from __future__ import annotations

from typing import Any

from hf_tests.probe.judge import require, shape
from hf_tests.probe.properties.base import Loaded
from hf_tests.probe.tasks import base

SHORT = "The garden is behind the house."
LONG = "In the morning the light came slowly over the wall, and a small bird sang in the old tree."


def padding_changes_nothing(loaded: Loaded) -> None:
    """A text gives the same logits alone and padded beside a longer one."""
    alone, beside = loaded.encode(SHORT), loaded.encode([SHORT, LONG])
    mask = beside["attention_mask"][0].bool()
    require(not bool(mask.all()), "the longer text did not pad the shorter")
    found, wanted = (_logits(loaded, inputs)[0] for inputs in (beside, alone))
    if found.shape != wanted.shape:  # there are some for each token
        found = found[mask]
    loaded.same(found, wanted, "logits of a padded text differ from those without padding")


def later_tokens_are_not_read(loaded: Loaded) -> None:
    """A causal model's logits do not depend on the tokens that follow."""
    half, found, wanted = _with_other_end(loaded)
    loaded.same(
        found[:, :half], wanted[:, :half], "logits of the first half differ for another second half"
    )
    loaded.different(
        found[:, half:], wanted[:, half:], "logits of the second half are those of another"
    )


def both_sides_are_read(loaded: Loaded) -> None:
    """An encoder's logits depend on the tokens that follow."""
    half, found, wanted = _with_other_end(loaded)
    loaded.different(
        found[:, :half], wanted[:, :half], "logits do not depend on the tokens that follow"
    )


def embeddings_are_tied_as_configured(loaded: Loaded) -> None:
    """Input and output embeddings are one tensor, or two, as the configuration says."""
    first = loaded.network.get_input_embeddings().weight
    last = loaded.network.get_output_embeddings().weight
    size = base.vocabulary_size(loaded.config)
    shape(first, (size, None), "input embeddings")
    shape(last, (size, None), "output embeddings")
    tied, wanted = first.data_ptr() == last.data_ptr(), bool(loaded.config.tie_word_embeddings)
    words = {True: "tied", False: "apart"}
    require(tied == wanted, f"embeddings are {words[tied]}; the config says {words[wanted]}")


def key_value_heads_are_as_configured(loaded: Loaded) -> None:
    """The cache holds as many heads as the configuration has for keys and values."""
    inputs = loaded.encode(SHORT)
    text = loaded.config.get_text_config()
    cache = loaded.network(**inputs, use_cache=True).past_key_values
    width = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
    heads = getattr(text, "num_key_value_heads", None) or text.num_attention_heads
    wanted = (1, heads, inputs["input_ids"].shape[1], width)
    require(
        len(cache.layers) == text.num_hidden_layers,
        f"{len(cache.layers)} layers in the cache, {text.num_hidden_layers} in the config",
    )
    for index, layer in enumerate(cache.layers):
        shape(layer.keys, wanted, f"keys of layer {index}")
        shape(layer.values, wanted, f"values of layer {index}")


def _with_other_end(loaded: Loaded) -> tuple[int, Any, Any]:
    """Half of a text's tokens, its logits with another second half, and as it is."""
    inputs = loaded.encode(LONG)
    ids = inputs["input_ids"]
    half = ids.shape[1] // 2
    other = ids.clone()
    other[:, half:] = ids[:, half:].flip(1)
    if loaded.config.is_encoder_decoder:
        found, wanted = (
            loaded.network(**inputs, decoder_input_ids=tokens).logits for tokens in (other, ids)
        )
    else:
        found, wanted = (
            loaded.answer(loaded.network(**{**inputs, "input_ids": tokens}))
            for tokens in (other, ids)
        )
    return half, found, wanted


def _logits(loaded: Loaded, inputs: dict[str, Any]) -> Any:
    """Logits of texts; a decoder of its own is given the first tokens of the short one."""
    if loaded.config.is_encoder_decoder:
        tokens = loaded.encode(SHORT)["input_ids"][:, :4].expand(len(inputs["input_ids"]), -1)
        inputs = {**inputs, "decoder_input_ids": tokens}
    return loaded.answer(loaded.network(**inputs))
