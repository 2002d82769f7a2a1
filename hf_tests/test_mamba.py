"""State-space and other recurrent language models, and their hybrids."""

if __package__ in (None, ""):  # run as a file: python hf_tests/test_mamba.py
    import pathlib
    import sys

    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from hf_tests import family, module_cli
from hf_tests.probe.properties import generation, text
from hf_tests.probe.properties.base import Loaded


class TestMamba(family.FamilyTestCase):
    """The mamba family of the registry."""

    family = "mamba"

    def property_greedy(self, loaded: Loaded) -> None:
        """Greedy decoding is deterministic and takes the likeliest token."""
        generation.greedy_choice_is_the_likeliest(loaded)

    def property_no_look_ahead(self, loaded: Loaded) -> None:
        """Logits do not depend on later tokens."""
        text.later_tokens_are_not_read(loaded)


if __name__ == "__main__":
    module_cli.main(TestMamba)
