"""What writes while it hears: ``generate`` gives the network a piece of the sound at each step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hf_tests.probe.tasks import base, generation

SOUNDS = frozenset({"input_features", "input_values"})
"""Names of a sound among what ``generate`` is given."""

READ = ("input_ids", "inputs_embeds")
"""Endings of names of what a step reads anew, in the order of the text."""


def follow(network: Any, generate: Callable[[], Any]) -> tuple[Any, dict[str, Any]]:
    """What ``generate`` returns, and one call's arguments with all that it had the network read.

    What a step reads stands behind what the steps before it read; caches and masks are left out.
    """
    import torch

    seen: list[dict[str, Any]] = []

    def keep(called: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        del called, arguments
        seen.append(dict(named))

    handle = network.register_forward_pre_hook(keep, with_kwargs=True)
    try:
        outputs = generate()
    finally:
        handle.remove()
    found: dict[str, Any] = {}
    for name, value in seen[-1].items():
        if isinstance(value, torch.Tensor):
            if name.endswith(READ):
                found[name] = torch.cat([call[name] for call in seen], 1)
            elif value.dim() < 2:  # said of the whole
                found[name] = value
    return outputs, found


def arguments(subject: base.Subject, inputs: dict[str, Any], tokens: Any) -> dict[str, Any]:
    """The arguments of one call that reads what ``generate`` reads where it chooses ``tokens``.

    Inputs without a sound are such arguments already.
    """
    if not SOUNDS & inputs.keys():
        return inputs
    count = tokens.shape[1]
    settings = {"min_new_tokens": count, "max_new_tokens": count}
    settings["logits_processor"] = [_Forcing(tokens)]
    _, found = follow(subject.network, lambda: generation.generate(subject, inputs, **settings))
    return found


class _Forcing:
    """A processor of logits that leaves one token to choose at each step."""

    def __init__(self, tokens: Any) -> None:
        self._left: list[Any] = list(tokens.unbind(1))[::-1]

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        import torch

        *self._left, token = self._left
        chosen = token.to(scores.device)[:, None]
        return torch.full_like(scores, -torch.inf).scatter(1, chosen, 0.0)
