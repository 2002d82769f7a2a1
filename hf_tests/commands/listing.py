"""What there is to test: the registry's families and models, this machine's devices."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hf_tests import hub_cache
from hf_tests.nightly import wording

if TYPE_CHECKING:
    from hf_tests.hardware import Hardware
    from hf_tests.registry import Model, Registry

WIDTH = 80
ID_WIDTH = 38
MIB = 1024 * 1024
FLOAT32_BYTES = 4  # as the CPU and the reference have each parameter


def families(registry: Registry) -> int:
    """Print the registry's families; returns the exit status."""
    width = max(len(family.name) for family in registry.families)
    for family in registry.families:
        count = f"{len(family.models)} model{'s' if len(family.models) != 1 else ''}"
        first = f"{family.name:{width}} {count:9} "
        print("\n".join(wording.wrapped(family.description, first, " " * len(first))))
    return 0


def models(registry: Registry, models: Sequence[Model]) -> int:
    """Print models under their families: published size, class, and what there is to know."""
    cache, memory = hub_cache.folder(), _memory_mb()
    name = min(max(len(model.id) for model in models), ID_WIDTH)
    for family in dict.fromkeys(model.family for model in models):
        print(f"{family}: {registry.family(family).description}")
        for model in models:
            if model.family != family:
                continue
            size = _size(model.download_mb)
            marks = ", ".join(_marks(model, cache, memory))
            text = f"{model.class_name}{f' ({marks})' if marks else ''}"
            line = f"  {model.id:{name}} {size:>7} {text}"
            if len(line) > WIDTH:
                line = f"  {model.id:{name}} {size:>7}\n{'':{WIDTH // 8}}{text}"
            print(line)
    return 0


def _marks(model: Model, cache: Path, memory: float | None) -> list[str]:
    marks = ["gated"] if model.gated else []
    is_folder = Path(model.id).is_absolute()
    if not is_folder and hub_cache.snapshot(cache, model.repository, model.revision):
        marks.append("cached")
    needed = model.parameters * FLOAT32_BYTES / MIB if model.parameters else model.download_mb
    if memory is not None and needed is not None and needed > memory:
        marks.append("too large here")
    return marks


def _size(mib: float | None) -> str:
    if mib is None:
        return "?"
    return f"{mib / 1024:.1f} GB" if mib >= 1000 else f"{mib:.0f} MB"


def _memory_mb() -> float | None:
    """This machine's memory; psutil, which knows it everywhere, takes too long to import here."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / MIB
    except (AttributeError, OSError, ValueError):
        return None


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
