"""Policies: what a robot does next."""

if __package__ in (None, ""):  # run as a file: python hf_tests/test_policy.py
    import pathlib
    import sys

    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from hf_tests import family, module_cli
from hf_tests.probe.properties import policies
from hf_tests.probe.properties.base import Loaded


class TestPolicy(family.FamilyTestCase):
    """The policy family of the registry."""

    family = "policy"

    def property_batch(self, loaded: Loaded) -> None:
        """Robots beside it in a batch do not change a robot's actions."""
        policies.others_beside_change_nothing(loaded)

    def property_state(self, loaded: Loaded) -> None:
        """The state counts."""
        policies.state_counts(loaded)


if __name__ == "__main__":
    module_cli.main(TestPolicy)
