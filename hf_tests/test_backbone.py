"""Backbones: an image turned into features that others use."""

if __package__ in (None, ""):  # run as a file: python hf_tests/test_backbone.py
    import pathlib
    import sys

    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from hf_tests import family, module_cli
from hf_tests.probe.properties import images
from hf_tests.probe.properties.base import Loaded


class TestBackbone(family.FamilyTestCase):
    """The backbone family of the registry."""

    family = "backbone"

    def property_batch(self, loaded: Loaded) -> None:
        """Images beside it in a batch do not change an image's answer."""
        images.images_beside_change_nothing(loaded)

    def property_corners(self, loaded: Loaded) -> None:
        """Every quarter of an image is read."""
        images.every_corner_is_read(loaded)


if __name__ == "__main__":
    module_cli.main(TestBackbone)
