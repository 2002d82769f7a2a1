"""Which family, class and model type a checkpoint's config.json is of."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hf_tests import cache, dependencies, plain
from hf_tests.nightly import auto_classes
from hf_tests.nightly.usage import UsageError
from hf_tests.registry import Family, Registry

MODEL_TYPE = re.compile(r"[\w.+-]{1,100}")
"""A name: it is put into messages and into an entry of the registry."""

OF_NO_TASK = frozenset(
    {
        "MODEL_MAPPING_NAMES",
        "MODEL_FOR_PRETRAINING_MAPPING_NAMES",
        "MODEL_WITH_LM_HEAD_MAPPING_NAMES",
    }
)
"""Tables of the auto-classes that hold classes of many tasks."""


@dataclass(frozen=True)
class Config:
    """What a config.json says of itself; ``classes`` are its ``architectures``, maybe none."""

    path: Path
    model_type: str
    classes: tuple[str, ...]
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Recognised:
    """A family of the registry and the class and model type of a model that it can test.

    ``why`` says by what it was found, as the end of a sentence; ``akin`` whether the registry has
    others of its model type there, and not only of its task.
    """

    family: Family
    class_name: str
    model_type: str
    why: str
    akin: bool


def read(path: Path) -> Config:
    """Read a config.json. Raises UsageError where it is none of a model."""
    try:
        values = plain.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(
            f"{path.parent} holds no config.json, so it is no model's folder."
        ) from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read as JSON: {error}") from None
    model_type = values.get("model_type") if isinstance(values, dict) else None
    if not isinstance(model_type, str) or not MODEL_TYPE.fullmatch(model_type):
        raise UsageError(f"{path} names no model_type, so its family cannot be found.")
    named = values.get("architectures")
    listed = named if isinstance(named, list) else []
    classes = [item for item in listed if isinstance(item, str) and item.isidentifier()]
    return Config(path, model_type, tuple(classes), values)


def recognise(registry: Registry, config: Config, cache_dir: Path | None = None) -> Recognised:
    """The family that tests such models.

    That of an entry of the same model type and class, else one of the same task, as the tables of
    transformers' auto-classes have it. Raises UsageError where there is none.
    """
    for model in registry.models:
        same_class = not config.classes or model.class_name in config.classes
        if model.model_type == config.model_type and same_class:
            family = registry.family(model.family)
            why = f"as {model.id} is"
            return Recognised(family, model.class_name, config.model_type, why, akin=True)
    tables = auto_classes.of_installed(cache_dir or Path(cache.default_folder()))
    class_name = _class(config, tables)
    family, shared = _nearest(registry, class_name, config, tables)
    why = f"as its class {class_name} is of the task of {_auto_class(shared)}"
    return Recognised(family, class_name, config.model_type, why, akin=False)


def class_of(config: Config, cache_dir: Path | None = None) -> str:
    """The class that the config names, or the only one that its model type has for a task.

    Raises UsageError where this transformers has no such class or model type.
    """
    tables = auto_classes.of_installed(cache_dir or Path(cache.default_folder()))
    return _class(config, tables)


def _class(config: Config, tables: auto_classes.Tables) -> str:
    where, version = config.path, dependencies.version("transformers")
    known = tables.get(config.model_type)
    if known is None:
        custom = "; it brings code of its own" if config.values.get("auto_map") else ""
        raise UsageError(
            f"{where} is a {config.model_type} model, and transformers {version} has no such "
            f"model type{custom}."
        )
    for name in config.classes:
        if name in known:
            return name
    if config.classes:
        raise UsageError(
            f"{where} is of {' and '.join(config.classes)}; of {config.model_type} models the "
            f"auto-classes of transformers {version} know {', '.join(sorted(known))}."
        )
    of_tasks = [name for name, standing in known.items() if set(standing) - OF_NO_TASK]
    if len(of_tasks) != 1:
        raise UsageError(
            f"{where} names no architectures, and {config.model_type} has "
            f"{'several classes' if of_tasks else 'no class'} for a task"
            f"{': ' + ', '.join(of_tasks) if of_tasks else ''}. Name one there."
        )
    return of_tasks[0]


def _nearest(
    registry: Registry, class_name: str, config: Config, tables: auto_classes.Tables
) -> tuple[Family, Iterable[str]]:
    """The family whose class stands in the most of the same tables, and those tables.

    Where several are as near, as all decoders of text are, it is the largest.
    """
    standing = _tables_of(class_name, tables)
    best: tuple[float, int] = (0.0, 0)
    found: tuple[Family, Iterable[str]] | None = None
    for family in registry.families:
        theirs = _tables_of(family.class_name, tables)
        shared = standing & theirs
        rank = (len(shared) / max(1, len(standing | theirs)), len(family.models))
        if shared and rank > best:
            best, found = rank, (family, shared)
    if found is None:
        others = sorted(
            {model.class_name for model in registry.models if model.model_type == config.model_type}
        )
        knows = f"; of this model type the registry has {', '.join(others)}" if others else ""
        task = f"the task of {_auto_class(standing)}" if standing else "no task of the auto-classes"
        raise UsageError(
            f"{config.path} is a {config.model_type} model of {class_name}, which is of {task}, "
            f"and no family has such models{knows}. Families: "
            f"{', '.join(family.name for family in registry.families)}."
        )
    return found


def _tables_of(class_name: str, tables: auto_classes.Tables) -> frozenset[str]:
    return (
        frozenset(table for classes in tables.values() for table in classes.get(class_name, ()))
        - OF_NO_TASK
    )


def _auto_class(tables: Iterable[str]) -> str:
    """The tables' names in words: ``causal lm`` of MODEL_FOR_CAUSAL_LM_MAPPING_NAMES."""
    words: Sequence[str] = sorted(
        table.removeprefix("MODEL_").removeprefix("FOR_").removesuffix("_MAPPING_NAMES")
        for table in tables
    )
    return " and ".join(word.replace("_", " ").lower() for word in words)
