"""Encoder-decoders beside T5: summaries, translations, dialogue."""

if __package__ in (None, ""):  # run as a file: python hf_tests/test_bart.py
    import pathlib
    import sys

    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from hf_tests import family, module_cli
from hf_tests.probe.properties import generation, text
from hf_tests.probe.properties.base import Loaded


class TestBart(family.FamilyTestCase):
    """The bart family of the registry."""

    family = "bart"

    def property_cache(self, loaded: Loaded) -> None:
        """Generation with the key-value cache equals generation without."""
        generation.cache_changes_nothing(loaded)

    def property_encoder_runs_once(self, loaded: Loaded) -> None:
        """The encoder is run once, whatever the number of tokens."""
        generation.encoder_runs_once(loaded)

    def property_no_look_ahead(self, loaded: Loaded) -> None:
        """The decoder's logits do not depend on later tokens."""
        text.later_tokens_are_not_read(loaded)

    def property_padding(self, loaded: Loaded) -> None:
        """Padding a batch does not change a sequence's answer."""
        text.padding_changes_nothing(loaded)


if __name__ == "__main__":
    module_cli.main(TestBart)
