"""Semantic segmentation: a class for each pixel of an image."""

if __package__ in (None, ""):  # run as a file: python hf_tests/test_segformer.py
    import pathlib
    import sys

    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from hf_tests import family, module_cli
from hf_tests.probe.properties import encoders


class TestSegformer(encoders.ImageToMap, family.FamilyTestCase):
    """The segformer family of the registry."""

    family = "segformer"


if __name__ == "__main__":
    module_cli.main(TestSegformer)
