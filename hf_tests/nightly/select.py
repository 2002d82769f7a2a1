"""From what was asked for (families, models, devices, methods) to what will be tested."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hf_tests import registry as registries
from hf_tests.nightly.usage import UsageError, check_text, unknown
from hf_tests.registry import Family, Model, Registry, RegistryError

if TYPE_CHECKING:
    from hf_tests.hardware import Hardware

# What only a run asks about (hardware, weights) is imported where it is used: a listing is to
# answer at once.

TESTS = Path(registries.__file__).resolve().parent
"""Folder of the families' modules."""

HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
"""An owner and a name; ids without an owner are the Hub's oldest models, and typing errors."""

DEVICES = ("cpu", "cuda", "cuda:0", "cuda:1", "mps", "openvino", "openvino:gpu", "openvino:npu")
"""Examples of every kind of device, for messages."""


def registry(path: str | None = None) -> Registry:
    """The registry at a path, or the shipped one.

    Raises UsageError where it is wrong, or has a family that no module tests.
    """
    try:
        found = registries.load(path or registries.DEFAULT_PATH)
    except RegistryError as error:
        raise UsageError(str(error)) from error
    for family in found.families:
        if not (TESTS / f"test_{family.name}.py").is_file():
            raise UsageError(
                f"{found.path}: /families/{family.name}: it has no hf_tests/test_{family.name}.py"
            )
    return found


def family(registry: Registry, name: str) -> Family:
    """The family of that name. Raises UsageError where the registry has none."""
    try:
        return registry.family(name)
    except KeyError:
        known = [family.name for family in registry.families]
        raise unknown("family", name, known, f"Families: {', '.join(known)}.") from None


def models(
    registry: Registry,
    families: Sequence[str] = (),
    names: Sequence[str] = (),
    choice: str = "auto",
) -> tuple[Model, ...]:
    """The models of the named families and the named models; all of them when nothing is named.

    A name is an id of the registry, a folder with a config.json, or a Hub id whose config.json is
    in the Hub's cache (or is fetched, where ``choice`` of weights is ``hub``); for the last two
    `recognise` finds the family. Raises UsageError.
    """
    if not families and not names:
        return registry.models
    chosen: dict[str, Model] = {}
    for name in families:
        for model in family(registry, name).models:
            chosen[model.id] = model
    for name in names:
        model = _model(registry, name, choice)
        chosen[model.id] = model
    return tuple(chosen.values())


def each_family(registry: Registry, models: Sequence[Model], count: int) -> tuple[Model, ...]:
    """At most ``count`` of the models of each family: its default model, then in the file's order.

    A part of every kind of model and every method, where all of them would take too long.
    """
    chosen: list[Model] = []
    for name in dict.fromkeys(model.family for model in models):
        default = registry.family(name).default_model
        own = sorted(
            (model for model in models if model.family == name), key=lambda m: m.id != default
        )
        chosen += own[:count]
    return tuple(chosen)


def check_devices(names: Sequence[str]) -> None:
    """Raise UsageError for a name that no device can have, wherever one looks."""
    from hf_tests import hardware

    for name in names:
        if not hardware.is_device(name):
            raise unknown(
                "device",
                name,
                DEVICES,
                f"Devices: {', '.join(DEVICES)}; those here: --list-devices",
            )


def devices(machine: Hardware, names: Sequence[str] = (), every: bool = False) -> tuple[str, ...]:
    """The named devices, or one of each kind that the machine has, or every single one.

    OpenVINO is among them even where it is not installed, so that its absence is reported. A named
    device need not be there: its checks are skipped and say so. Raises UsageError for a name that
    no device can have.
    """
    check_devices(names)
    if names:
        return tuple(
            dict.fromkeys("openvino" if name == "openvino:cpu" else name for name in names)
        )
    found = machine.names() if every else machine.kinds()
    return tuple(dict.fromkeys((*found, "openvino")))


def check_methods(names: Sequence[str]) -> tuple[str, ...]:
    """The names as methods. Raises UsageError for one that is none."""
    from hf_tests import outcome

    for name in names:
        if name not in outcome.METHODS:
            raise unknown(
                "method", name, outcome.METHODS, f"Methods: {', '.join(outcome.METHODS)}."
            )
    return tuple(dict.fromkeys(names))


def methods(device: str, wanted: Sequence[str] = ()) -> tuple[str, ...]:
    """The wanted methods that a device has: OpenVINO's devices have one, all others the rest."""
    from hf_tests import outcome

    fitting = [m for m in outcome.METHODS if (m == "openvino") == device.startswith("openvino")]
    return tuple(method for method in fitting if not wanted or method in wanted)


def _model(registry: Registry, name: str, choice: str) -> Model:
    from hf_tests.nightly import weights

    for model in registry.models:
        if model.id == name:
            return model
    path = Path(name).expanduser()
    if path.is_dir():
        return _from_config(registry, check_text(str(path.resolve())), path / "config.json")
    if path.is_absolute() or name.startswith((".", "~")):
        raise UsageError(f"{name} is not a folder.")
    config = weights.cached_file(name, "config.json")
    if config is None and choice == "hub" and HUB_ID.fullmatch(name):
        config = weights.fetched_file(name, "config.json")
    if config is not None:
        return _from_config(registry, name, config)
    raise unknown(
        "model",
        name,
        [model.id for model in registry.models],
        "It is not in the registry, not a folder and not in the Hub's cache; --weights hub "
        "fetches other models of the Hub.",
    )


def _from_config(registry: Registry, model_id: str, path: Path) -> Model:
    """The unlisted model that a config.json describes."""
    from hf_tests.nightly import recognise

    found = recognise.recognise(registry, recognise.read(path))
    return found.family.unlisted(
        model_id, found.class_name, found.model_type, found.why, akin=found.akin
    )
