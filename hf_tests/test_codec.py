"""Codec: a sound made short and made a sound again."""

if __package__ in (None, ""):  # run as a file: python hf_tests/test_codec.py
    import pathlib
    import sys

    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from hf_tests import family, module_cli
from hf_tests.probe.properties import sounds
from hf_tests.probe.properties.base import Loaded


class TestCodec(family.FamilyTestCase):
    """The codec family of the registry."""

    family = "codec"

    def property_batch(self, loaded: Loaded) -> None:
        """A sound beside it in a batch does not change a sound."""
        sounds.sounds_beside_change_nothing(loaded)

    def property_codes(self, loaded: Loaded) -> None:
        """What is encoded is all that decoding needs."""
        sounds.codes_are_all(loaded)

    def property_time(self, loaded: Loaded) -> None:
        """What changes early or late in a sound changes early or late in the answer."""
        sounds.changes_stay_in_their_time(loaded)


if __name__ == "__main__":
    module_cli.main(TestCodec)
