"""Readers of pages: words with their places."""

if __package__ in (None, ""):  # run as a file: python hf_tests/test_document.py
    import pathlib
    import sys

    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from hf_tests import family, module_cli
from hf_tests.probe.properties import documents
from hf_tests.probe.properties.base import Loaded


class TestDocument(family.FamilyTestCase):
    """The document family of the registry."""

    family = "document"

    def property_padding(self, loaded: Loaded) -> None:
        """Padding a page does not change its answer."""
        documents.padding_changes_nothing(loaded)

    def property_places(self, loaded: Loaded) -> None:
        """The places of words count."""
        documents.places_count(loaded)


if __name__ == "__main__":
    module_cli.main(TestDocument)
