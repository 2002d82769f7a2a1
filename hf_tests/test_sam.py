"""Segment Anything: masks from prompts."""

if __package__ in (None, ""):  # run as a file: python hf_tests/test_sam.py
    import pathlib
    import sys

    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from hf_tests import family, module_cli
from hf_tests.probe.properties import masks
from hf_tests.probe.properties.base import Loaded


class TestSam(family.FamilyTestCase):
    """The sam family of the registry."""

    family = "sam"

    def property_embeddings(self, loaded: Loaded) -> None:
        """An image's embeddings serve for many prompts."""
        masks.embeddings_serve_many_prompts(loaded)

    def property_one_mask(self, loaded: Loaded) -> None:
        """One mask can be asked for in place of several."""
        masks.one_mask_is_asked_for(loaded)

    def property_order(self, loaded: Loaded) -> None:
        """Masks and their scores keep the order of the prompts."""
        masks.answers_keep_the_order_of_prompts(loaded)

    def property_prompts(self, loaded: Loaded) -> None:
        """Points inside, points outside and boxes are each read."""
        masks.points_and_boxes_are_read(loaded)


if __name__ == "__main__":
    module_cli.main(TestSam)
