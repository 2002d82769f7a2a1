"""Llama and its relatives: a prompt continued."""

if __package__ in (None, ""):  # run as a file: python hf_tests/test_llama.py
    import pathlib
    import sys

    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from hf_tests import family, module_cli


class TestLlama(family.FamilyTestCase):
    """The llama family of the registry."""

    family = "llama"


if __name__ == "__main__":
    module_cli.main(TestLlama)
