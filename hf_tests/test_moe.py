"""Mixtures of experts: a router chooses who computes each token."""

if __package__ in (None, ""):  # run as a file: python hf_tests/test_moe.py
    import pathlib
    import sys

    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from hf_tests import family, module_cli
from hf_tests.probe.properties import generation, text
from hf_tests.probe.properties.base import Loaded


class TestMoe(family.FamilyTestCase):
    """The moe family of the registry."""

    family = "moe"

    def property_cache(self, loaded: Loaded) -> None:
        """Generation with the key-value cache equals generation without."""
        generation.cache_changes_nothing(loaded)

    def property_left_padding(self, loaded: Loaded) -> None:
        """Padding a batch on the left does not change a continuation."""
        generation.left_padding_changes_nothing(loaded)

    def property_no_look_ahead(self, loaded: Loaded) -> None:
        """Logits do not depend on later tokens."""
        text.later_tokens_are_not_read(loaded)


if __name__ == "__main__":
    module_cli.main(TestMoe)
