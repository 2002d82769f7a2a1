"""Readers of pages: where text is, what a line of it says, and how a table is made."""

if __package__ in (None, ""):  # run as a file: python hf_tests/test_ocr.py
    import pathlib
    import sys

    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from hf_tests import family, module_cli
from hf_tests.probe.properties import images
from hf_tests.probe.properties.base import Loaded


class TestOcr(family.FamilyTestCase):
    """The ocr family of the registry."""

    family = "ocr"

    def property_batch(self, loaded: Loaded) -> None:
        """Images beside it in a batch do not change what is read in an image."""
        images.images_beside_change_nothing(loaded)

    def property_corners(self, loaded: Loaded) -> None:
        """An image of which any quarter is blank is read otherwise."""
        images.every_corner_is_read(loaded)


if __name__ == "__main__":
    module_cli.main(TestOcr)
