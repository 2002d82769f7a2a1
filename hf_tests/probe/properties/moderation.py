"""Properties of what judges an image by policies."""

from __future__ import annotations

from typing import Any

from hf_tests.probe import samples, tasks
from hf_tests.probe.judge import require
from hf_tests.probe.properties.base import Loaded
from hf_tests.probe.tasks import image_moderation as task


def another_image_is_judged_otherwise(loaded: Loaded) -> None:
    """The same policies have other logits for another image."""
    found, wanted = (
        loaded.network(**_asked(loaded, task.POLICIES, image)).logits
        for image in (samples.document(), samples.image())
    )
    loaded.different(found, wanted, "logits of another image")


def policies_are_judged_apart(loaded: Loaded) -> None:
    """A policy has the same logits alone and padded beside others."""
    mask = loaded.inputs["attention_mask"]
    require(not bool(mask.all()), "policies are all of one length: none is padded")
    together = loaded.network(**loaded.inputs).logits
    for row, (name, text) in enumerate(task.POLICIES.items()):
        alone = loaded.network(**_asked(loaded, {name: text})).logits
        loaded.same(together[row : row + 1], alone, f"logits of {name!r} among others")


def words_of_a_policy_count(loaded: Loaded) -> None:
    """Under a name of its own another policy has other logits."""
    first, *others = task.POLICIES
    swapped = {**task.POLICIES, first: task.POLICIES[others[-1]]}
    found = loaded.network(**_asked(loaded, swapped)).logits
    loaded.different(found[:1], loaded.outputs.logits[:1], "logits of another policy")
    loaded.same(found[1:], loaded.outputs.logits[1:], "logits of policies beside another one")


def _asked(loaded: Loaded, policies: Any, image: Any = None) -> dict[str, Any]:
    moderation = tasks.get(loaded.model.task)
    assert isinstance(moderation, task.ImageModeration)
    return loaded.place(moderation.asked(loaded.processor, policies, image))
