"""Whisper: speech transcribed by a decoder."""

if __package__ in (None, ""):  # run as a file: python hf_tests/test_whisper.py
    import pathlib
    import sys

    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from hf_tests import family, module_cli


class TestWhisper(family.FamilyTestCase):
    """The whisper family of the registry."""

    family = "whisper"


if __name__ == "__main__":
    module_cli.main(TestWhisper)
