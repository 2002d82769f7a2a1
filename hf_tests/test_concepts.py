"""Concepts: masks of all that a text names, followed through a video."""

if __package__ in (None, ""):  # run as a file: python hf_tests/test_concepts.py
    import pathlib
    import sys

    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from hf_tests import family, module_cli
from hf_tests.probe.properties import concepts
from hf_tests.probe.properties.base import Loaded


class TestConcepts(family.FamilyTestCase):
    """The concepts family of the registry."""

    family = "concepts"

    def property_memory(self, loaded: Loaded) -> None:
        """What was seen before changes a frame's masks; what comes later does not."""
        concepts.frames_before_are_remembered(loaded)

    def property_session(self, loaded: Loaded) -> None:
        """A session that the processor makes of a video and a text gives the same masks."""
        concepts.sessions_of_the_processor_give_the_same(loaded)

    def property_text(self, loaded: Loaded) -> None:
        """A text's words are read in their order."""
        concepts.words_are_read_in_their_order(loaded)


if __name__ == "__main__":
    module_cli.main(TestConcepts)
