"""Embeddings: a text turned into vectors, to search and to compare."""

if __package__ in (None, ""):  # run as a file: python hf_tests/test_embedding.py
    import pathlib
    import sys

    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from hf_tests import family, module_cli
from hf_tests.probe.properties import encoders


class TestEmbedding(encoders.Encoder, family.FamilyTestCase):
    """The embedding family of the registry."""

    family = "embedding"


if __name__ == "__main__":
    module_cli.main(TestEmbedding)
