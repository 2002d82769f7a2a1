"""Properties of language models that read images as tokens."""

from __future__ import annotations

from typing import Any

from hf_tests.probe.judge import require
from hf_tests.probe.properties.base import Loaded
from hf_tests.probe.properties.text import LONG


def image_tokens_are_as_many_as_features(loaded: Loaded) -> None:
    """The prompt has one image token for each feature of the image, and no other number will do."""
    token = loaded.config.image_token_id
    ids = loaded.inputs["input_ids"]
    found = int((ids == token).sum())
    names = ("pixel_values", "image_sizes")
    images = {name: loaded.inputs[name] for name in names if name in loaded.inputs}
    features = _rows(loaded.network.get_image_features(**images))
    require(found == features > 1, f"{found} image tokens for {features} image features")
    keep = (ids[0] != token).logical_or((ids[0] == token).cumsum(0) > 1)
    short = {**loaded.inputs, "input_ids": ids[:, keep]}
    short["attention_mask"] = loaded.inputs["attention_mask"][:, keep]
    try:
        loaded.network(**short)
    except (ValueError, RuntimeError):
        return
    require(False, "one image token too few was not noticed")


def text_alone_is_its_language_model_s(loaded: Loaded) -> None:
    """Without an image the logits are those of the language model inside."""
    inputs = loaded.encode(LONG)
    found = loaded.network(**inputs).logits
    hidden = loaded.network.get_decoder()(**inputs).last_hidden_state
    wanted = loaded.network.get_output_embeddings()(hidden)
    loaded.same(found, wanted, "logits of a text differ from those of the language model inside")


def _rows(features: Any) -> int:
    """The number of vectors in what ``get_image_features`` gives; it differs between versions."""
    features = getattr(features, "pooler_output", features)
    if isinstance(features, (list, tuple)):
        return sum(_rows(item) for item in features)
    return int(features.shape[:-1].numel())
