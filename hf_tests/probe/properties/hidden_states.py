"""Properties of decoders without a head: what larger models ask of them."""

from __future__ import annotations

from typing import Any

from hf_tests.probe import classes
from hf_tests.probe.judge import require
from hf_tests.probe.properties.base import Loaded
from hf_tests.probe.properties.text import LONG, SHORT

PLACES = "position_ids"


def cache_changes_nothing(loaded: Loaded) -> None:
    """A text's second half, behind a cache of its first, has the features of the whole text."""
    ids = loaded.encode(LONG)["input_ids"]
    half = ids.shape[1] // 2
    whole = loaded.network(input_ids=ids, use_cache=False)
    first = loaded.network(input_ids=ids[:, :half], use_cache=True)
    require(first.past_key_values is not None, "it gives no cache")
    second = loaded.network(
        input_ids=ids[:, half:], past_key_values=first.past_key_values, use_cache=True
    )
    loaded.same(
        loaded.answer(second),
        loaded.answer(whole)[:, half:],
        "features of the second half differ behind a cache of the first",
    )


def embeddings_stand_for_tokens(loaded: Loaded) -> None:
    """Tokens' own embeddings in their place, as an image's are put there, change nothing."""
    inputs = loaded.encode(LONG)
    vectors = loaded.network.get_input_embeddings()(inputs["input_ids"])
    mask = inputs["attention_mask"]
    found = loaded.answer(loaded.network(inputs_embeds=vectors, attention_mask=mask))
    loaded.same(found, loaded.answer(loaded.network(**inputs)), "features of tokens' embeddings")
    other = loaded.answer(loaded.network(inputs_embeds=vectors.flip(1), attention_mask=mask))
    loaded.different(other, found, "features do not depend on the embeddings")


def left_padding_changes_nothing(loaded: Loaded) -> None:
    """A text has the same features alone and behind padding.

    Padding behind a text is nothing that a decoder could read. Places are counted from the text's
    beginning, as generation counts them: not all that a network makes of them is relative.
    """
    import torch

    def places(mask: Any) -> dict[str, Any]:
        counted = (mask.cumsum(-1) - 1).clamp(min=0)
        return {PLACES: counted} if PLACES in classes.parameters_of(name) else {}

    name = loaded.model.class_name
    short, long = (loaded.encode(text)["input_ids"] for text in (SHORT, LONG))
    missing = long.shape[1] - short.shape[1]
    mask = torch.nn.functional.pad(torch.ones_like(short), (missing, 0))
    padded = torch.nn.functional.pad(short, (missing, 0), value=int(long[0, 0]))
    ids, masks = torch.cat([padded, long]), torch.cat([mask, torch.ones_like(long)])
    found = loaded.answer(loaded.network(input_ids=ids, attention_mask=masks, **places(masks)))
    wanted = loaded.answer(loaded.network(input_ids=short, attention_mask=torch.ones_like(short)))
    loaded.same(found[:1, missing:], wanted, "features behind padding differ")
