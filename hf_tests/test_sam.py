"""Segment Anything: masks from prompts."""

if __package__ in (None, ""):  # run as a file: python hf_tests/test_sam.py
    import pathlib
    import sys

    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from hf_tests import family, module_cli


class TestSam(family.FamilyTestCase):
    """The sam family of the registry."""

    family = "sam"


if __name__ == "__main__":
    module_cli.main(TestSam)
