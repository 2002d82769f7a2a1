"""InternVL, Gemma, Idefics and their kind: an image is read as tokens, or looked at."""

if __package__ in (None, ""):  # run as a file: python hf_tests/test_internvl.py
    import pathlib
    import sys

    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from hf_tests import family, module_cli
from hf_tests.probe.properties import generation, multimodal
from hf_tests.probe.properties.base import Loaded


class TestInternvl(family.FamilyTestCase):
    """The internvl family of the registry."""

    family = "internvl"

    def property_cache(self, loaded: Loaded) -> None:
        """Generation with the key-value cache equals generation without."""
        generation.cache_changes_nothing(loaded)

    def property_image(self, loaded: Loaded) -> None:
        """Another image gives another answer."""
        multimodal.another_image_is_another_answer(loaded)

    def property_image_tokens(self, loaded: Loaded) -> None:
        """An image takes as many tokens as it has features."""
        multimodal.image_tokens_are_as_many_as_features(loaded)


if __name__ == "__main__":
    module_cli.main(TestInternvl)
