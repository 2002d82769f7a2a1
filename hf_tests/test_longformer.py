"""Encoders of long texts, with sparse or approximate attention."""

if __package__ in (None, ""):  # run as a file: python hf_tests/test_longformer.py
    import pathlib
    import sys

    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from hf_tests import family, module_cli
from hf_tests.probe.properties import encoders


class TestLongformer(encoders.MaskedEncoder, family.FamilyTestCase):
    """The longformer family of the registry."""

    family = "longformer"


if __name__ == "__main__":
    module_cli.main(TestLongformer)
