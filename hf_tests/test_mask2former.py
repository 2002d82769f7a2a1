"""Mask classification: masks of an image, each with a class."""

if __package__ in (None, ""):  # run as a file: python hf_tests/test_mask2former.py
    import pathlib
    import sys

    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from hf_tests import family, module_cli
from hf_tests.probe.properties import images
from hf_tests.probe.properties.base import Loaded


class TestMask2former(family.FamilyTestCase):
    """The mask2former family of the registry."""

    family = "mask2former"

    def property_batch(self, loaded: Loaded) -> None:
        """Images beside it in a batch do not change an image's answer."""
        images.images_beside_change_nothing(loaded)

    def property_places(self, loaded: Loaded) -> None:
        """What changes in a corner of an image changes that corner of the answer most."""
        images.changes_stay_in_their_place(loaded)


if __name__ == "__main__":
    module_cli.main(TestMask2former)
