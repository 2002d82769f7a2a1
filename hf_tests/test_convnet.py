"""Convolutional image classifiers."""

if __package__ in (None, ""):  # run as a file: python hf_tests/test_convnet.py
    import pathlib
    import sys

    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from hf_tests import family, module_cli
from hf_tests.probe.properties import images
from hf_tests.probe.properties.base import Loaded


class TestConvnet(family.FamilyTestCase):
    """The convnet family of the registry."""

    family = "convnet"

    def property_any_size(self, loaded: Loaded) -> None:
        """An image larger than the model's own size is read whole."""
        images.larger_images_are_read_whole(loaded)

    def property_batch(self, loaded: Loaded) -> None:
        """Images beside it in a batch do not change an image's answer."""
        images.images_beside_change_nothing(loaded)


if __name__ == "__main__":
    module_cli.main(TestConvnet)
