"""Audio Flamingo, Qwen2-Audio and their kind: a language model hears a sound as tokens."""

if __package__ in (None, ""):  # run as a file: python hf_tests/test_audiolm.py
    import pathlib
    import sys

    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from hf_tests import family, module_cli
from hf_tests.probe.properties import generation, listening, multimodal
from hf_tests.probe.properties.base import Loaded


class TestAudiolm(family.FamilyTestCase):
    """The audiolm family of the registry."""

    family = "audiolm"

    def property_cache(self, loaded: Loaded) -> None:
        """Generation with the key-value cache equals generation without."""
        generation.cache_changes_nothing(loaded)

    def property_end(self, loaded: Loaded) -> None:
        """The end of a sound is heard."""
        listening.the_end_of_a_sound_is_heard(loaded)

    def property_length(self, loaded: Loaded) -> None:
        """A sound of twice the length takes about twice as many tokens."""
        listening.a_longer_sound_takes_more_tokens(loaded)

    def property_sound_tokens(self, loaded: Loaded) -> None:
        """A sound fills the places of its tokens and no others."""
        listening.a_sound_takes_the_places_of_its_tokens(loaded)

    def property_text_alone(self, loaded: Loaded) -> None:
        """A text alone gives the language model's own logits."""
        multimodal.text_alone_is_its_language_model_s(loaded)


if __name__ == "__main__":
    module_cli.main(TestAudiolm)
