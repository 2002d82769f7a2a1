"""Video models: images in an order."""

if __package__ in (None, ""):  # run as a file: python hf_tests/test_videomae.py
    import pathlib
    import sys

    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from hf_tests import family, module_cli
from hf_tests.probe.properties import images, videos
from hf_tests.probe.properties.base import Loaded


class TestVideomae(family.FamilyTestCase):
    """The videomae family of the registry."""

    family = "videomae"

    def property_batch(self, loaded: Loaded) -> None:
        """Videos beside it in a batch do not change a video's answer."""
        images.images_beside_change_nothing(loaded)

    def property_frames(self, loaded: Loaded) -> None:
        """Every quarter of a video counts."""
        videos.every_frame_is_read(loaded)

    def property_order(self, loaded: Loaded) -> None:
        """The order of the frames counts."""
        videos.order_of_frames_counts(loaded)


if __name__ == "__main__":
    module_cli.main(TestVideomae)
