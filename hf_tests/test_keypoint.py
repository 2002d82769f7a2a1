"""Keypoints: places of an image that are found again in others."""

if __package__ in (None, ""):  # run as a file: python hf_tests/test_keypoint.py
    import pathlib
    import sys

    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from hf_tests import family, module_cli
from hf_tests.probe.properties import keypoints
from hf_tests.probe.properties.base import Loaded


class TestKeypoint(family.FamilyTestCase):
    """The keypoint family of the registry."""

    family = "keypoint"

    def property_batch(self, loaded: Loaded) -> None:
        """An image beside it in a batch does not change an image's keypoints."""
        keypoints.keypoints_beside_change_nothing(loaded)

    def property_moved(self, loaded: Loaded) -> None:
        """What moves in an image is found where it moved to."""
        keypoints.keypoints_follow_the_image(loaded)


if __name__ == "__main__":
    module_cli.main(TestKeypoint)
