"""Kyutai STT, Voxtral Realtime: transcribers that write while they hear."""

if __package__ in (None, ""):  # run as a file: python hf_tests/test_streaming.py
    import pathlib
    import sys

    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from hf_tests import family, module_cli
from hf_tests.probe.properties import streams
from hf_tests.probe.properties.base import Loaded


class TestStreaming(family.FamilyTestCase):
    """The streaming family of the registry."""

    family = "streaming"

    def property_batch(self, loaded: Loaded) -> None:
        """A sound beside it in a batch does not change what is written of a sound."""
        streams.sounds_beside_change_no_word(loaded)

    def property_end(self, loaded: Loaded) -> None:
        """The end of a sound is not heard by the first word, and by the last one it is."""
        streams.the_end_comes_last(loaded)

    def property_steps(self, loaded: Loaded) -> None:
        """Step by step the logits are those of one pass."""
        streams.steps_are_one_pass(loaded)


if __name__ == "__main__":
    module_cli.main(TestStreaming)
