"""Forget what a configuration derives from its other values, so that it is derived anew."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Mapping
from typing import Any

from hf_tests.probe.tiny import shrink

PER_LAYER_PREFIX = "per_layer_"
"""Of objects whose keys are the numbers of layers."""

TAPS = "out_indices"
"""Which of a backbone's stages others read: its class takes them, though not by name."""

LEFT_OPEN = (None, "auto")
"""Defaults of arguments that a class finds the value of itself."""


def drop(values: dict[str, Any], published: Mapping[str, Any], cls: Any = None) -> None:
    """Remove, in place, sizes and lists that the configuration's class finds itself.

    It takes no argument for them; or, where they are no list, one that is open by default. What is
    ``published`` of that name stays. ``values`` is ``config.to_dict()``; ``cls`` is its class where
    its model_type does not say it, since that of a part may be the whole's. Nested configurations
    are treated alike; one whose model_type has no class of its own keeps its sizes, and forgets
    what ``to_dict`` adds to every block: its class need not take that back.
    """
    named = values.get("model_type")
    # A part that may be of several types is declared as what is common to all.
    cls = cls if named and getattr(cls, "model_type", "") else _class_of(named)
    _drop(values, published, cls)
    parts = getattr(cls, "sub_configs", {})
    parts = parts if isinstance(parts, Mapping) else {}  # some tell theirs of an instance alone
    for name, nested in shrink.nested(values):
        own = published.get(name)
        drop(nested, own if isinstance(own, Mapping) else {}, parts.get(name))


def _drop(block: dict[str, Any], published: Mapping[str, Any], cls: Any) -> None:
    arguments = None if cls is None else _arguments(cls)
    if arguments is None:
        for name, default in _common().items():
            if block.get(name, not default) == default:
                del block[name]
        return
    for name, value in list(block.items()):
        if name in published or not _is_size(name, value):
            continue
        is_list = isinstance(value, (list, tuple))
        if name not in arguments or (not is_list and arguments[name] in LEFT_OPEN):
            del block[name]


def _is_size(name: str, value: Any) -> bool:
    if name.startswith("_") or name.endswith(("_token_id", "_token_index")):
        return False
    if isinstance(value, dict):
        return name.startswith(PER_LAYER_PREFIX)
    return isinstance(value, (int, list, tuple)) and not isinstance(value, bool)


@functools.cache
def _common() -> dict[str, Any]:
    """What every configuration has, with its default."""
    from transformers import PretrainedConfig

    values: dict[str, Any] = PretrainedConfig().to_dict()
    values.pop("model_type", None)
    return values


def _class_of(model_type: str | None) -> Any:
    """The configuration class of a model type; None where it has none."""
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    try:
        return CONFIG_MAPPING[model_type]
    except KeyError:
        return None


@functools.cache
def _arguments(cls: Any) -> dict[str, Any]:
    """A configuration class's arguments with their defaults; the alias of one is one too."""
    defaults: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        for name in vars(base).get("__annotations__", ()):
            # What it keeps under a name with an underscore it takes under the one without.
            defaults[name.removeprefix("_")] = vars(base).get(name, inspect.Parameter.empty)
        if "__init__" in vars(base):
            for name, parameter in inspect.signature(vars(base)["__init__"]).parameters.items():
                defaults[name] = parameter.default
    if hasattr(cls, "set_output_features_output_indices"):
        defaults[TAPS] = None
    for alias, name in cls.attribute_map.items():
        if name in defaults:
            defaults.setdefault(alias, defaults[name])
        elif alias in defaults:
            defaults[name] = defaults[alias]
    return defaults
