"""GPT-2 and its relatives: a prompt continued."""

if __package__ in (None, ""):  # run as a file: python hf_tests/test_gpt.py
    import pathlib
    import sys

    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from hf_tests import family, module_cli


class TestGpt(family.FamilyTestCase):
    """The gpt family of the registry."""

    family = "gpt"


if __name__ == "__main__":
    module_cli.main(TestGpt)
