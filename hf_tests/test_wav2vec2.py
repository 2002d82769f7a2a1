"""wav2vec 2.0: speech read off frame by frame."""

if __package__ in (None, ""):  # run as a file: python hf_tests/test_wav2vec2.py
    import pathlib
    import sys

    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from hf_tests import family, module_cli
from hf_tests.probe.properties import speech
from hf_tests.probe.properties.base import Loaded


class TestWav2vec2(family.FamilyTestCase):
    """The wav2vec2 family of the registry."""

    family = "wav2vec2"

    def property_batch(self, loaded: Loaded) -> None:
        """Sounds beside it in a batch do not change a sound's answer."""
        speech.sounds_beside_change_nothing(loaded)

    def property_collapse(self, loaded: Loaded) -> None:
        """Equal frames are one character, unless a blank is between them."""
        speech.repeated_frames_are_one_character(loaded)

    def property_frames(self, loaded: Loaded) -> None:
        """Kernels and strides of the config say how many frames there are."""
        speech.frames_follow_the_strides(loaded)

    def property_loudness(self, loaded: Loaded) -> None:
        """The loudness of a recording does not matter."""
        speech.loudness_changes_nothing(loaded)


if __name__ == "__main__":
    module_cli.main(TestWav2vec2)
