"""LLaVA and its relatives: an image and a question answered."""

if __package__ in (None, ""):  # run as a file: python hf_tests/test_llava.py
    import pathlib
    import sys

    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from hf_tests import family, module_cli


class TestLlava(family.FamilyTestCase):
    """The llava family of the registry."""

    family = "llava"


if __name__ == "__main__":
    module_cli.main(TestLlava)
