"""Properties of what writes while it hears."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hf_tests.probe.properties import generation, speech
from hf_tests.probe.properties.base import Loaded
from hf_tests.probe.tasks import base, in_step, sounds


def sounds_beside_change_no_word(loaded: Loaded) -> None:
    """A sound gives the same logits alone and beside another of its length in a batch."""
    sound = sounds.sample(loaded.model, loaded.processor)
    beside, alone = (_written(loaded, given) for given in ([sound, sound[::-1].copy()], [sound]))
    generation.same_steps(loaded, beside, alone, "logits of a sound beside another differ")


def the_end_comes_last(loaded: Loaded) -> None:
    """A silent last quarter changes none of the first word's logits, but the last one's."""
    sound = sounds.sample(loaded.model, loaded.processor)
    found, whole = (_written(loaded, [wave]).logits for wave in (speech.silenced(sound), sound))
    loaded.same(found[0], whole[0], "the first word's logits where the end is silent")
    loaded.different(found[-1], whole[-1], "the last word's logits where the end is silent")


def steps_are_one_pass(loaded: Loaded) -> None:
    """What `generate` finds step by step, with its caches, one pass over the same finds too."""
    import torch

    written, given = in_step.follow(
        loaded.network, lambda: generation.generate(loaded, loaded.inputs)
    )
    steps = torch.stack(written.logits, 1)
    found = loaded.network(**given).logits[:, -steps.shape[1] :]
    loaded.same(steps, found, "logits step by step differ from those of one pass")


def _written(loaded: Loaded, heard: Sequence[Any]) -> Any:
    """What is generated of sounds until the end of them is heard."""
    given = loaded.place(sounds.given(loaded.model, loaded.processor, list(heard)))
    count = base.NEW_TOKENS
    return generation.generate(loaded, given, min_new_tokens=count, max_new_tokens=count)
