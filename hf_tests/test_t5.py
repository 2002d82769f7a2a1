"""T5 and its relatives: text to text."""

if __package__ in (None, ""):  # run as a file: python hf_tests/test_t5.py
    import pathlib
    import sys

    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from hf_tests import family, module_cli
from hf_tests.probe.properties import decoders


class TestT5(decoders.EncoderDecoder, family.FamilyTestCase):
    """The t5 family of the registry."""

    family = "t5"


if __name__ == "__main__":
    module_cli.main(TestT5)
