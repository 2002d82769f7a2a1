"""Bidirectional encoders: the token behind a mask."""

if __package__ in (None, ""):  # run as a file: python hf_tests/test_bert.py
    import pathlib
    import sys

    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from hf_tests import family, module_cli
from hf_tests.probe.properties import encoders


class TestBert(encoders.MaskedEncoder, family.FamilyTestCase):
    """The bert family of the registry."""

    family = "bert"


if __name__ == "__main__":
    module_cli.main(TestBert)
