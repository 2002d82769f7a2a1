"""Dual encoders: a sound scored against texts."""

if __package__ in (None, ""):  # run as a file: python hf_tests/test_clap.py
    import pathlib
    import sys

    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from hf_tests import family, module_cli
from hf_tests.probe.properties import encoders


class TestClap(encoders.DualEncoder, family.FamilyTestCase):
    """The clap family of the registry."""

    family = "clap"


if __name__ == "__main__":
    module_cli.main(TestClap)
