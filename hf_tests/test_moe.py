"""Mixtures of experts: a router chooses who computes each token."""

if __package__ in (None, ""):  # run as a file: python hf_tests/test_moe.py
    import pathlib
    import sys

    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from hf_tests import family, module_cli
from hf_tests.probe.properties import decoders


class TestMoe(decoders.Decoder, family.FamilyTestCase):
    """The moe family of the registry."""

    family = "moe"


if __name__ == "__main__":
    module_cli.main(TestMoe)
