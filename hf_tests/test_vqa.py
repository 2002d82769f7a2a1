"""Encoders of pairs: an image and a question about it, read together."""

if __package__ in (None, ""):  # run as a file: python hf_tests/test_vqa.py
    import pathlib
    import sys

    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from hf_tests import family, module_cli
from hf_tests.probe.properties import pairs
from hf_tests.probe.properties.base import Loaded


class TestVqa(family.FamilyTestCase):
    """The vqa family of the registry."""

    family = "vqa"

    def property_image(self, loaded: Loaded) -> None:
        """The image counts."""
        pairs.image_counts(loaded)

    def property_padding(self, loaded: Loaded) -> None:
        """Padding a question does not change its answer."""
        pairs.padding_changes_nothing(loaded)

    def property_question(self, loaded: Loaded) -> None:
        """The question counts."""
        pairs.question_counts(loaded)


if __name__ == "__main__":
    module_cli.main(TestVqa)
