"""Forget what a configuration derives from its other values, so that it is derived anew."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Collection
from typing import Any

from hf_tests.probe.tiny import shrink


def drop(values: dict[str, Any], published: Collection[str]) -> None:
    """Remove, in place, sizes and lists that the configuration's class takes no argument for.

    What is ``published`` of that name stays. ``values`` is ``config.to_dict()``. Nested
    configurations are treated alike; one whose model_type has no class of its own stays as it is.
    """
    for block in shrink.blocks(values):
        accepted = _arguments(block.get("model_type"))
        if accepted is None:
            continue
        for name in [name for name, value in block.items() if _is_size(name, value)]:
            if name not in accepted and name not in published:
                del block[name]


def _is_size(name: str, value: Any) -> bool:
    if name.startswith("_") or name.endswith(("_token_id", "_token_index")):
        return False
    return isinstance(value, (int, list, tuple)) and not isinstance(value, bool)


@functools.cache
def _arguments(model_type: str | None) -> frozenset[str] | None:
    """Names of all arguments of a configuration class and its bases; None for no class."""
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    try:
        cls = CONFIG_MAPPING[model_type]
    except KeyError:
        return None
    names: set[str] = {name for pair in cls.attribute_map.items() for name in pair}
    for base in cls.__mro__:
        if "__init__" in vars(base):
            names.update(inspect.signature(vars(base)["__init__"]).parameters)
        names.update(vars(base).get("__annotations__", ()))
    return frozenset(names)
