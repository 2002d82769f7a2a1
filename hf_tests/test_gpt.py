"""GPT-2 and its relatives: a prompt continued."""

if __package__ in (None, ""):  # run as a file: python hf_tests/test_gpt.py
    import pathlib
    import sys

    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from hf_tests import family, module_cli
from hf_tests.probe.properties import decoders, generation, text
from hf_tests.probe.properties.base import Loaded


class TestGpt(decoders.Decoder, family.FamilyTestCase):
    """The gpt family of the registry."""

    family = "gpt"

    def property_greedy(self, loaded: Loaded) -> None:
        """Greedy decoding is deterministic and takes the likeliest token."""
        generation.greedy_choice_is_the_likeliest(loaded)

    def property_tied_embeddings(self, loaded: Loaded) -> None:
        """Input and output embeddings are one tensor where the config says so."""
        text.embeddings_are_tied_as_configured(loaded)


if __name__ == "__main__":
    module_cli.main(TestGpt)
