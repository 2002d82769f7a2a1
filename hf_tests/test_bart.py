"""Encoder-decoders beside T5: summaries, translations, dialogue."""

if __package__ in (None, ""):  # run as a file: python hf_tests/test_bart.py
    import pathlib
    import sys

    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from hf_tests import family, module_cli
from hf_tests.probe.properties import decoders


class TestBart(decoders.EncoderDecoder, family.FamilyTestCase):
    """The bart family of the registry."""

    family = "bart"


if __name__ == "__main__":
    module_cli.main(TestBart)
