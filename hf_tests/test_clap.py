"""Dual encoders: a sound scored against texts."""

if __package__ in (None, ""):  # run as a file: python hf_tests/test_clap.py
    import pathlib
    import sys

    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from hf_tests import family, module_cli
from hf_tests.probe.properties import dual
from hf_tests.probe.properties.base import Loaded


class TestClap(family.FamilyTestCase):
    """The clap family of the registry."""

    family = "clap"

    def property_label_order(self, loaded: Loaded) -> None:
        """The order of labels does not matter."""
        dual.order_of_labels_changes_nothing(loaded)

    def property_logit_scale(self, loaded: Loaded) -> None:
        """Logits are scaled by what was learned."""
        dual.logit_scale_is_applied(loaded)

    def property_normalised(self, loaded: Loaded) -> None:
        """Embeddings of sounds and texts are normalised."""
        dual.embeddings_are_normalised(loaded)


if __name__ == "__main__":
    module_cli.main(TestClap)
