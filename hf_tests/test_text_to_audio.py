"""Text to audio: a text spoken, or turned into music."""

if __package__ in (None, ""):  # run as a file: python hf_tests/test_text_to_audio.py
    import pathlib
    import sys

    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from hf_tests import family, module_cli
from hf_tests.probe.properties import sounds
from hf_tests.probe.properties.base import Loaded


class TestTextToAudio(family.FamilyTestCase):
    """The text_to_audio family of the registry."""

    family = "text_to_audio"

    def property_no_look_ahead(self, loaded: Loaded) -> None:
        """A code knows nothing of those behind it."""
        sounds.codes_do_not_look_ahead(loaded)

    def property_padding(self, loaded: Loaded) -> None:
        """Padding behind a text is not heard."""
        sounds.padding_is_not_heard(loaded)

    def property_text(self, loaded: Loaded) -> None:
        """Another text sounds otherwise."""
        sounds.another_text_sounds_otherwise(loaded)


if __name__ == "__main__":
    module_cli.main(TestTextToAudio)
