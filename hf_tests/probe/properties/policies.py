"""Properties of what chooses actions."""

from __future__ import annotations

from typing import Any

from hf_tests.probe.properties.base import Loaded

STATES = ("states", "state")


def state_counts(loaded: Loaded) -> None:
    """In another state the actions are others."""
    name = _state(loaded)
    state = loaded.inputs[name]
    wanted, found = (_actions(loaded, **{name: given}) for given in (state, -state))
    loaded.different(found, wanted, "actions in another state")


def others_beside_change_nothing(loaded: Loaded) -> None:
    """A robot does the same alone and beside another, which is in another state."""
    import torch

    both = {name: torch.cat([value, value]) for name, value in loaded.inputs.items()}
    state = loaded.inputs[_state(loaded)]
    both[_state(loaded)] = torch.cat([state, -state])
    found = _actions(loaded, **both)[:1]
    loaded.same(found, loaded.answer(loaded.outputs), "actions differ beside another robot")


def _state(loaded: Loaded) -> str:
    return next(name for name in STATES if name in loaded.inputs)


def _actions(loaded: Loaded, **changed: Any) -> Any:
    return loaded.answer(loaded.network(**{**loaded.inputs, **changed}))
