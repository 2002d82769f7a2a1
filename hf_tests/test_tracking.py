"""Tracking: masks that follow through a video what a prompt marks."""

if __package__ in (None, ""):  # run as a file: python hf_tests/test_tracking.py
    import pathlib
    import sys

    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from hf_tests import family, module_cli
from hf_tests.probe.properties import tracks
from hf_tests.probe.properties.base import Loaded


class TestTracking(family.FamilyTestCase):
    """The tracking family of the registry."""

    family = "tracking"

    def property_apart(self, loaded: Loaded) -> None:
        """Objects of one video are followed apart from each other."""
        tracks.objects_are_followed_apart(loaded)

    def property_memory(self, loaded: Loaded) -> None:
        """What was seen before changes a frame's mask; what comes later does not."""
        tracks.later_frames_are_not_seen(loaded)

    def property_prompts(self, loaded: Loaded) -> None:
        """Points inside and outside are read, and remembered."""
        tracks.prompts_are_read(loaded)

    def property_session(self, loaded: Loaded) -> None:
        """A session that the processor makes of a whole video gives the same masks."""
        tracks.sessions_of_the_processor_give_the_same(loaded)


if __name__ == "__main__":
    module_cli.main(TestTracking)
