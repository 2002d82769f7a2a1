"""Properties of what reads an image and a text together."""

from __future__ import annotations

from typing import Any

from hf_tests.probe.judge import require
from hf_tests.probe.properties.base import Loaded
from hf_tests.probe.tasks import base

LONGER = "Which animal is it that sleeps in the tree?"
MASK = "attention_mask"


def image_counts(loaded: Loaded) -> None:
    """About another image a question has another answer."""
    _other_counts(loaded, _image(loaded), lambda seen: seen.flip(-1) * 0.5, "another image")


def question_counts(loaded: Loaded) -> None:
    """Of another question about an image the answer is another."""
    _other_counts(loaded, "input_ids", lambda ids: ids.flip(1), "another question")


def padding_changes_nothing(loaded: Loaded) -> None:
    """A question has the same answer alone and padded beside a longer one."""
    import torch

    ids = loaded.inputs["input_ids"]
    longer = loaded.place(loaded.tokenizer(LONGER, return_tensors="pt"))
    missing = longer["input_ids"].shape[1] - ids.shape[1]
    require(missing > 0, "the longer question is no longer")
    filler = loaded.tokenizer.pad_token_id
    both: dict[str, Any] = {}
    for name, value in loaded.inputs.items():
        if name in longer:
            padding = filler if name == "input_ids" else 0
            padded = torch.nn.functional.pad(value, (0, missing), value=padding)
            both[name] = torch.cat([padded, longer[name]])
        else:
            both[name] = torch.cat([value, value])
    found = loaded.answer(base.run_alike(loaded.network, both))
    wanted = loaded.answer(loaded.outputs)
    loaded.same(found[:1], wanted, "the answer to a padded question differs")


def _image(loaded: Loaded) -> str:
    """The name of the image among a network's inputs: pixels, or features of its regions."""
    return next(name for name, value in loaded.inputs.items() if value.is_floating_point())


def _other_counts(loaded: Loaded, name: str, change: Any, what: str) -> None:
    value = loaded.inputs[name]
    wanted, found = (
        loaded.answer(base.run_alike(loaded.network, {**loaded.inputs, name: given}))
        for given in (value, change(value))
    )
    loaded.different(found, wanted, f"the answer with {what}")
