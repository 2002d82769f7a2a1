"""Dual encoders: an image scored against texts."""

if __package__ in (None, ""):  # run as a file: python hf_tests/test_clip.py
    import pathlib
    import sys

    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from hf_tests import family, module_cli
from hf_tests.probe.properties import encoders


class TestClip(encoders.DualEncoder, family.FamilyTestCase):
    """The clip family of the registry."""

    family = "clip"


if __name__ == "__main__":
    module_cli.main(TestClip)
