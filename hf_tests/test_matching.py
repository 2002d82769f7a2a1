"""Matching: which places of two images show the same."""

if __package__ in (None, ""):  # run as a file: python hf_tests/test_matching.py
    import pathlib
    import sys

    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from hf_tests import family, module_cli
from hf_tests.probe.properties import keypoints
from hf_tests.probe.properties.base import Loaded


class TestMatching(family.FamilyTestCase):
    """The matching family of the registry."""

    family = "matching"

    def property_batch(self, loaded: Loaded) -> None:
        """A pair beside it in a batch does not change a pair's matches."""
        keypoints.keypoints_beside_change_nothing(loaded)

    def property_exchange(self, loaded: Loaded) -> None:
        """Exchanged images exchange their matches."""
        keypoints.exchanged_images_exchange_matches(loaded)

    def property_mutual(self, loaded: Loaded) -> None:
        """Matches are mutual."""
        keypoints.matches_are_mutual(loaded)


if __name__ == "__main__":
    module_cli.main(TestMatching)
