"""Depth: how far away each pixel of an image is."""

if __package__ in (None, ""):  # run as a file: python hf_tests/test_depth_map.py
    import pathlib
    import sys

    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from hf_tests import family, module_cli
from hf_tests.probe.properties import encoders


class TestDepthMap(encoders.ImageToMap, family.FamilyTestCase):
    """The depth_map family of the registry."""

    family = "depth_map"


if __name__ == "__main__":
    module_cli.main(TestDepthMap)
