"""Qwen-VL and its relatives: images and videos of any size, and questions answered."""

if __package__ in (None, ""):  # run as a file: python hf_tests/test_qwen_vl.py
    import pathlib
    import sys

    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from hf_tests import family, module_cli
from hf_tests.probe.properties import generation, multimodal
from hf_tests.probe.properties.base import Loaded


class TestQwenVl(family.FamilyTestCase):
    """The qwen_vl family of the registry."""

    family = "qwen_vl"

    def property_cache(self, loaded: Loaded) -> None:
        """Generation with the key-value cache equals generation without."""
        generation.cache_changes_nothing(loaded)

    def property_grid(self, loaded: Loaded) -> None:
        """An image takes as many tokens as its grid of patches says."""
        multimodal.images_take_tokens_by_their_size(loaded)

    def property_order(self, loaded: Loaded) -> None:
        """Two images have each its own features, in their order."""
        multimodal.images_keep_their_order(loaded)

    def property_text_alone(self, loaded: Loaded) -> None:
        """A text alone gives the language model's own logits."""
        multimodal.text_alone_is_its_language_model_s(loaded)

    def property_video(self, loaded: Loaded) -> None:
        """A video takes as many tokens as its grid says, and is not the same backwards."""
        multimodal.frames_keep_their_order(loaded)


if __name__ == "__main__":
    module_cli.main(TestQwenVl)
