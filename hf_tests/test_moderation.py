"""Judges of images: whether one breaks a policy, yes or no."""

if __package__ in (None, ""):  # run as a file: python hf_tests/test_moderation.py
    import pathlib
    import sys

    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from hf_tests import family, module_cli
from hf_tests.probe.properties import moderation
from hf_tests.probe.properties.base import Loaded


class TestModeration(family.FamilyTestCase):
    """The moderation family of the registry."""

    family = "moderation"

    def property_apart(self, loaded: Loaded) -> None:
        """Policies beside it do not change how an image is judged by one."""
        moderation.policies_are_judged_apart(loaded)

    def property_image(self, loaded: Loaded) -> None:
        """Another image is judged otherwise."""
        moderation.another_image_is_judged_otherwise(loaded)

    def property_policy(self, loaded: Loaded) -> None:
        """What a policy says counts."""
        moderation.words_of_a_policy_count(loaded)


if __name__ == "__main__":
    module_cli.main(TestModeration)
