"""Late interaction: pages found by the vectors of all their tokens."""

if __package__ in (None, ""):  # run as a file: python hf_tests/test_colpali.py
    import pathlib
    import sys

    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from hf_tests import family, module_cli
from hf_tests.probe.properties import retrieval
from hf_tests.probe.properties.base import Loaded


class TestColpali(family.FamilyTestCase):
    """The colpali family of the registry."""

    family = "colpali"

    def property_batch(self, loaded: Loaded) -> None:
        """A page beside another keeps its vectors."""
        retrieval.pages_beside_change_nothing(loaded)

    def property_pages(self, loaded: Loaded) -> None:
        """Another page has other vectors."""
        retrieval.pages_are_read(loaded)

    def property_padding(self, loaded: Loaded) -> None:
        """Padding a question does not change its vectors."""
        retrieval.padding_changes_no_question(loaded)

    def property_scores(self, loaded: Loaded) -> None:
        """Scores are sums of each vector's best product."""
        retrieval.scores_are_sums_of_best(loaded)


if __name__ == "__main__":
    module_cli.main(TestColpali)
