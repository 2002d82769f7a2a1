"""What families of generating models share: their TestCases inherit these properties."""

from __future__ import annotations

from hf_tests.probe.properties import generation, text
from hf_tests.probe.properties.base import Loaded


class Decoder:
    """A text continued, each token by those before it."""

    def property_cache(self, loaded: Loaded) -> None:
        """Generation with the key-value cache equals generation without."""
        generation.cache_changes_nothing(loaded)

    def property_left_padding(self, loaded: Loaded) -> None:
        """Padding a batch on the left does not change a continuation."""
        generation.left_padding_changes_nothing(loaded)

    def property_no_look_ahead(self, loaded: Loaded) -> None:
        """Logits do not depend on later tokens."""
        text.later_tokens_are_not_read(loaded)


class EncoderDecoder:
    """A text read by an encoder, and another one written by a decoder."""

    def property_cache(self, loaded: Loaded) -> None:
        """Generation with the key-value cache equals generation without."""
        generation.cache_changes_nothing(loaded)

    def property_encoder_runs_once(self, loaded: Loaded) -> None:
        """The encoder is run once, whatever the number of tokens."""
        generation.encoder_runs_once(loaded)

    def property_no_look_ahead(self, loaded: Loaded) -> None:
        """The decoder's logits do not depend on later tokens."""
        text.later_tokens_are_not_read(loaded)

    def property_padding(self, loaded: Loaded) -> None:
        """Padding a batch does not change a sequence's answer."""
        text.padding_changes_nothing(loaded)
