"""Restoration: an image made larger, sharper or cleaner."""

if __package__ in (None, ""):  # run as a file: python hf_tests/test_restoration.py
    import pathlib
    import sys

    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from hf_tests import family, module_cli
from hf_tests.probe.properties import images
from hf_tests.probe.properties.base import Loaded


class TestRestoration(family.FamilyTestCase):
    """The restoration family of the registry."""

    family = "restoration"

    def property_batch(self, loaded: Loaded) -> None:
        """Images beside it in a batch do not change an image's answer."""
        images.images_beside_change_nothing(loaded)

    def property_places(self, loaded: Loaded) -> None:
        """What changes in a corner of an image changes in that corner of the answer."""
        images.changes_stay_in_their_place(loaded)


if __name__ == "__main__":
    module_cli.main(TestRestoration)
