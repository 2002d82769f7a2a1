"""Transcribers: a sound heard whole, and what was said written by a decoder."""

if __package__ in (None, ""):  # run as a file: python hf_tests/test_transcriber.py
    import pathlib
    import sys

    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from hf_tests import family, module_cli
from hf_tests.probe.properties import generation, speech
from hf_tests.probe.properties.base import Loaded


class TestTranscriber(family.FamilyTestCase):
    """The transcriber family of the registry."""

    family = "transcriber"

    def property_batch(self, loaded: Loaded) -> None:
        """A sound beside it in a batch does not change what is written of a sound."""
        speech.sounds_beside_change_no_text(loaded)

    def property_cache(self, loaded: Loaded) -> None:
        """Generation with the key-value cache equals generation without."""
        generation.cache_changes_nothing(loaded)

    def property_encoder_runs_once(self, loaded: Loaded) -> None:
        """The encoder is run once, whatever the number of tokens."""
        generation.encoder_runs_once(loaded)

    def property_end(self, loaded: Loaded) -> None:
        """The end of a sound is heard before the first word is written."""
        speech.the_end_is_heard(loaded)


if __name__ == "__main__":
    module_cli.main(TestTranscriber)
