"""Whisper: speech transcribed by a decoder."""

if __package__ in (None, ""):  # run as a file: python hf_tests/test_whisper.py
    import pathlib
    import sys

    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from hf_tests import family, module_cli
from hf_tests.probe.properties import speech
from hf_tests.probe.properties.base import Loaded


class TestWhisper(family.FamilyTestCase):
    """The whisper family of the registry."""

    family = "whisper"

    def property_language_and_task(self, loaded: Loaded) -> None:
        """Language and task are told to the decoder by their tokens."""
        speech.language_and_task_start_the_decoder(loaded)

    def property_long_sound(self, loaded: Loaded) -> None:
        """A sound of more than 30 s is read to its end."""
        speech.long_sound_is_read_in_windows(loaded)

    def property_timestamps(self, loaded: Loaded) -> None:
        """Timestamps begin the text and never go back."""
        speech.timestamps_begin_and_do_not_go_back(loaded)


if __name__ == "__main__":
    module_cli.main(TestWhisper)
