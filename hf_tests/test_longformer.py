"""Encoders of long texts, with sparse or approximate attention."""

if __package__ in (None, ""):  # run as a file: python hf_tests/test_longformer.py
    import pathlib
    import sys

    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from hf_tests import family, module_cli
from hf_tests.probe.properties import text
from hf_tests.probe.properties.base import Loaded


class TestLongformer(family.FamilyTestCase):
    """The longformer family of the registry."""

    family = "longformer"

    def property_both_sides(self, loaded: Loaded) -> None:
        """Logits depend on the tokens on both sides."""
        text.both_sides_are_read(loaded)

    def property_padding(self, loaded: Loaded) -> None:
        """Padding a batch does not change a sequence's answer."""
        text.padding_changes_nothing(loaded)

    def property_tied_embeddings(self, loaded: Loaded) -> None:
        """Input and output embeddings are one tensor where the config says so."""
        text.embeddings_are_tied_as_configured(loaded)


if __name__ == "__main__":
    module_cli.main(TestLongformer)
