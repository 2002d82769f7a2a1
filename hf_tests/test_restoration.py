"""Restoration: an image made larger, sharper or cleaner."""

if __package__ in (None, ""):  # run as a file: python hf_tests/test_restoration.py
    import pathlib
    import sys

    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from hf_tests import family, module_cli
from hf_tests.probe.properties import encoders


class TestRestoration(encoders.ImageToMap, family.FamilyTestCase):
    """The restoration family of the registry."""

    family = "restoration"


if __name__ == "__main__":
    module_cli.main(TestRestoration)
