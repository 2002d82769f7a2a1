"""What there is to test: the registry's families and models, this machine's devices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hf_tests.hardware import Hardware
    from hf_tests.registry import Model, Registry

WIDTH = 80
ID_WIDTH = 38


def families(registry: Registry) -> int:
    """Print the registry's families; returns the exit status."""
    for family in registry.families:
        count = f"{len(family.models)} model{'s' if len(family.models) != 1 else ''}"
        print(f"{family.name:10} {count:9} {family.description}")
    return 0


def models(registry: Registry, models: Sequence[Model]) -> int:
    """Print models under their families; returns the exit status."""
    name = min(max(len(model.id) for model in models), ID_WIDTH)
    for family in dict.fromkeys(model.family for model in models):
        print(f"{family}: {registry.family(family).description}")
        for model in models:
            if model.family == family:
                gated = " (gated)" if model.gated else ""
                line = f"  {model.id:{name}} {model.class_name}{gated}"
                if len(line) > WIDTH:
                    line = f"  {model.id}\n{'':{WIDTH // 4}}{model.class_name}{gated}"
                print(line)
    return 0


def devices(machine: Hardware) -> int:
    """Print a machine's devices; returns the exit status."""
    print(f"{machine.processor}, {machine.cores} cores, {machine.system}, Python {machine.python}")
    for device in machine.devices:
        memory = f"{device.memory_mb / 1024:.1f} GB" if device.memory_mb else ""
        print(f"{device.name:14} {memory:>9}  {device.description}")
    if not any(device.kind == "openvino" for device in machine.devices):
        from hf_tests import dependencies

        reason = dependencies.unmet(dependencies.OPENVINO) or "it finds no device"
        print(f"{'openvino':14} {'':>9}  not usable: {reason}")
    return 0
