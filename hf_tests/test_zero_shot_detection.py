"""Detectors that are told what to look for: boxes of what texts speak of."""

if __package__ in (None, ""):  # run as a file: python hf_tests/test_zero_shot_detection.py
    import pathlib
    import sys

    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from hf_tests import family, module_cli
from hf_tests.probe.properties import sought
from hf_tests.probe.properties.base import Loaded


class TestZeroShotDetection(family.FamilyTestCase):
    """The zero_shot_detection family of the registry."""

    family = "zero_shot_detection"

    def property_batch(self, loaded: Loaded) -> None:
        """An image beside it in a batch does not change an image's boxes."""
        sought.images_beside_change_nothing(loaded)

    def property_image_query(self, loaded: Loaded) -> None:
        """What an image shows is looked for in another."""
        sought.image_is_sought_in_another(loaded)

    def property_label_order(self, loaded: Loaded) -> None:
        """The order of labels does not matter."""
        sought.order_of_labels_changes_nothing(loaded)

    def property_sizes(self, loaded: Loaded) -> None:
        """Boxes are as large as the image that they are asked for in."""
        sought.boxes_scale_with_the_image(loaded)

    def property_threshold(self, loaded: Loaded) -> None:
        """A threshold keeps the detections with higher scores."""
        sought.threshold_keeps_the_best(loaded)


if __name__ == "__main__":
    module_cli.main(TestZeroShotDetection)
