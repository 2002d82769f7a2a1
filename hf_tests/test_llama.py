"""Llama and its relatives: a prompt continued."""

if __package__ in (None, ""):  # run as a file: python hf_tests/test_llama.py
    import pathlib
    import sys

    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from hf_tests import family, module_cli
from hf_tests.probe.properties import generation, text
from hf_tests.probe.properties.base import Loaded


class TestLlama(family.FamilyTestCase):
    """The llama family of the registry."""

    family = "llama"

    def property_cache(self, loaded: Loaded) -> None:
        """Generation with the key-value cache equals generation without."""
        generation.cache_changes_nothing(loaded)

    def property_grouped_query(self, loaded: Loaded) -> None:
        """The cache has as many heads for keys and values as the config says."""
        text.key_value_heads_are_as_configured(loaded)

    def property_left_padding(self, loaded: Loaded) -> None:
        """Padding a batch on the left does not change a continuation."""
        generation.left_padding_changes_nothing(loaded)

    def property_no_look_ahead(self, loaded: Loaded) -> None:
        """Logits do not depend on later tokens."""
        text.later_tokens_are_not_read(loaded)

    def property_tied_embeddings(self, loaded: Loaded) -> None:
        """Input and output embeddings are one tensor where the config says so."""
        text.embeddings_are_tied_as_configured(loaded)


if __name__ == "__main__":
    module_cli.main(TestLlama)
