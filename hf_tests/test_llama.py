"""Llama and its relatives: a prompt continued."""

if __package__ in (None, ""):  # run as a file: python hf_tests/test_llama.py
    import pathlib
    import sys

    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from hf_tests import family, module_cli
from hf_tests.probe.properties import decoders, text
from hf_tests.probe.properties.base import Loaded


class TestLlama(decoders.Decoder, family.FamilyTestCase):
    """The llama family of the registry."""

    family = "llama"

    def property_grouped_query(self, loaded: Loaded) -> None:
        """The cache has as many heads for keys and values as the config says."""
        text.key_value_heads_are_as_configured(loaded)

    def property_tied_embeddings(self, loaded: Loaded) -> None:
        """Input and output embeddings are one tensor where the config says so."""
        text.embeddings_are_tied_as_configured(loaded)


if __name__ == "__main__":
    module_cli.main(TestLlama)
