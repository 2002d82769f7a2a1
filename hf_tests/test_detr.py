"""Detectors: boxes in an image, and what is in them."""

if __package__ in (None, ""):  # run as a file: python hf_tests/test_detr.py
    import pathlib
    import sys

    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from hf_tests import family, module_cli
from hf_tests.probe.properties import boxes, images
from hf_tests.probe.properties.base import Loaded


class TestDetr(family.FamilyTestCase):
    """The detr family of the registry."""

    family = "detr"

    def property_any_size(self, loaded: Loaded) -> None:
        """Images of any size are read whole."""
        images.larger_images_are_read_whole(loaded)

    def property_batch(self, loaded: Loaded) -> None:
        """An image beside it in a batch does not change an image's boxes."""
        boxes.boxes_beside_change_nothing(loaded)

    def property_sizes(self, loaded: Loaded) -> None:
        """Boxes are as large as the image that they are asked for in."""
        boxes.boxes_scale_with_the_image(loaded)

    def property_threshold(self, loaded: Loaded) -> None:
        """A threshold keeps the detections with higher scores."""
        boxes.threshold_keeps_the_best(loaded)


if __name__ == "__main__":
    module_cli.main(TestDetr)
