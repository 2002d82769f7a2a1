"""Audio encoders without a head: a vector for each moment of a sound."""

if __package__ in (None, ""):  # run as a file: python hf_tests/test_audioencoder.py
    import pathlib
    import sys

    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from hf_tests import family, module_cli
from hf_tests.probe.properties import speech
from hf_tests.probe.properties.base import Loaded


class TestAudioencoder(family.FamilyTestCase):
    """The audioencoder family of the registry."""

    family = "audioencoder"

    def property_batch(self, loaded: Loaded) -> None:
        """A sound beside it in a batch does not change a sound's features."""
        speech.sounds_beside_change_nothing(loaded)

    def property_end(self, loaded: Loaded) -> None:
        """The end of a sound counts as well as its beginning."""
        speech.the_end_counts(loaded)

    def property_padding(self, loaded: Loaded) -> None:
        """Padding beside a longer sound does not change a sound's features."""
        speech.padding_changes_nothing(loaded)

    def property_sampling_rate(self, loaded: Loaded) -> None:
        """A sound of another sampling rate is refused."""
        speech.other_sampling_rates_are_refused(loaded)


if __name__ == "__main__":
    module_cli.main(TestAudioencoder)
