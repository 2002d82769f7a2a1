"""wav2vec 2.0: speech read off frame by frame."""

if __package__ in (None, ""):  # run as a file: python hf_tests/test_wav2vec2.py
    import pathlib
    import sys

    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from hf_tests import family, module_cli


class TestWav2vec2(family.FamilyTestCase):
    """The wav2vec2 family of the registry."""

    family = "wav2vec2"


if __name__ == "__main__":
    module_cli.main(TestWav2vec2)
