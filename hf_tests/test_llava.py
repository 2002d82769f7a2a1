"""LLaVA and its relatives: an image and a question answered."""

if __package__ in (None, ""):  # run as a file: python hf_tests/test_llava.py
    import pathlib
    import sys

    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from hf_tests import family, module_cli
from hf_tests.probe.properties import generation, multimodal
from hf_tests.probe.properties.base import Loaded


class TestLlava(family.FamilyTestCase):
    """The llava family of the registry."""

    family = "llava"

    def property_cache(self, loaded: Loaded) -> None:
        """Generation with the key-value cache equals generation without."""
        generation.cache_changes_nothing(loaded)

    def property_image_tokens(self, loaded: Loaded) -> None:
        """An image takes as many tokens as it has features."""
        multimodal.image_tokens_are_as_many_as_features(loaded)

    def property_text_alone(self, loaded: Loaded) -> None:
        """A text alone gives the language model's own logits."""
        multimodal.text_alone_is_its_language_model_s(loaded)


if __name__ == "__main__":
    module_cli.main(TestLlava)
