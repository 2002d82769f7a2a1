"""Decoders without a head: text parts of larger models, and embeddings made by a decoder."""

if __package__ in (None, ""):  # run as a file: python hf_tests/test_decoder.py
    import pathlib
    import sys

    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from hf_tests import family, module_cli
from hf_tests.probe.properties import hidden_states, text
from hf_tests.probe.properties.base import Loaded


class TestDecoder(family.FamilyTestCase):
    """The decoder family of the registry."""

    family = "decoder"

    def property_cache(self, loaded: Loaded) -> None:
        """A text read in two parts, the first one cached, gives the features of the whole."""
        hidden_states.cache_changes_nothing(loaded)

    def property_embeddings(self, loaded: Loaded) -> None:
        """Vectors given in place of tokens give the tokens' features."""
        hidden_states.embeddings_stand_for_tokens(loaded)

    def property_left_padding(self, loaded: Loaded) -> None:
        """Padding before a text does not change its features."""
        hidden_states.left_padding_changes_nothing(loaded)

    def property_no_look_ahead(self, loaded: Loaded) -> None:
        """Features do not depend on later tokens."""
        text.later_tokens_are_not_read(loaded)


if __name__ == "__main__":
    module_cli.main(TestDecoder)
