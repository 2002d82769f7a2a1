"""Vision transformers: an image classified."""

if __package__ in (None, ""):  # run as a file: python hf_tests/test_vit.py
    import pathlib
    import sys

    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from hf_tests import family, module_cli
from hf_tests.probe.properties import images
from hf_tests.probe.properties.base import Loaded


class TestVit(family.FamilyTestCase):
    """The vit family of the registry."""

    family = "vit"

    def property_batch(self, loaded: Loaded) -> None:
        """Images beside it in a batch do not change an image's answer."""
        images.images_beside_change_nothing(loaded)

    def property_interpolated_positions(self, loaded: Loaded) -> None:
        """Positions are interpolated for an image larger than the model's own size."""
        images.positions_interpolate(loaded)


if __name__ == "__main__":
    module_cli.main(TestVit)
