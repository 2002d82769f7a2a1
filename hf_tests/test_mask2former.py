"""Mask classification: masks of an image, each with a class."""

if __package__ in (None, ""):  # run as a file: python hf_tests/test_mask2former.py
    import pathlib
    import sys

    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from hf_tests import family, module_cli
from hf_tests.probe.properties import encoders


class TestMask2former(encoders.ImageToMap, family.FamilyTestCase):
    """The mask2former family of the registry."""

    family = "mask2former"


if __name__ == "__main__":
    module_cli.main(TestMask2former)
