"""Depth: how far away each pixel of an image is."""

if __package__ in (None, ""):  # run as a file: python hf_tests/test_depth_map.py
    import pathlib
    import sys

    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from hf_tests import family, module_cli
from hf_tests.probe.properties import images
from hf_tests.probe.properties.base import Loaded


class TestDepthMap(family.FamilyTestCase):
    """The depth_map family of the registry."""

    family = "depth_map"

    def property_batch(self, loaded: Loaded) -> None:
        """Images beside it in a batch do not change an image's depth."""
        images.images_beside_change_nothing(loaded)

    def property_places(self, loaded: Loaded) -> None:
        """What changes in a corner of an image changes the depth in that corner most."""
        images.changes_stay_in_their_place(loaded)


if __name__ == "__main__":
    module_cli.main(TestDepthMap)
