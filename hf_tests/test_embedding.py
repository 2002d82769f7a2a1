"""Embeddings: a text turned into vectors, to search and to compare."""

if __package__ in (None, ""):  # run as a file: python hf_tests/test_embedding.py
    import pathlib
    import sys

    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from hf_tests import family, module_cli
from hf_tests.probe.properties import text
from hf_tests.probe.properties.base import Loaded


class TestEmbedding(family.FamilyTestCase):
    """The embedding family of the registry."""

    family = "embedding"

    def property_both_sides(self, loaded: Loaded) -> None:
        """Logits depend on the tokens on both sides."""
        text.both_sides_are_read(loaded)

    def property_padding(self, loaded: Loaded) -> None:
        """Padding a batch does not change a sequence's answer."""
        text.padding_changes_nothing(loaded)


if __name__ == "__main__":
    module_cli.main(TestEmbedding)
