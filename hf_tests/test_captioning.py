"""BLIP and other models that write what an image shows or says."""

if __package__ in (None, ""):  # run as a file: python hf_tests/test_captioning.py
    import pathlib
    import sys

    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from hf_tests import family, module_cli
from hf_tests.probe.properties import generation, images
from hf_tests.probe.properties.base import Loaded


class TestCaptioning(family.FamilyTestCase):
    """The captioning family of the registry."""

    family = "captioning"

    def property_batch(self, loaded: Loaded) -> None:
        """An image is read alike alone and beside another."""
        images.images_beside_change_nothing(loaded)

    def property_cache(self, loaded: Loaded) -> None:
        """Generation with the key-value cache equals generation without."""
        generation.cache_changes_nothing(loaded)

    def property_corners(self, loaded: Loaded) -> None:
        """Every part of an image counts."""
        images.every_corner_is_read(loaded)


if __name__ == "__main__":
    module_cli.main(TestCaptioning)
