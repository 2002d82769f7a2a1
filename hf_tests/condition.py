"""How this machine is doing right now: load, clocks, temperatures, and whether it slows itself.

Everything is read from the system's own files and the GPU driver's own tool; what cannot be read
is None, never an error.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hf_tests import gpu_driver, hardware

CPUS = Path("/sys/devices/system/cpu")
GPU_FIELDS = (
    "clocks.sm", "clocks.max.sm", "clocks.mem", "temperature.gpu", "power.draw",
    "memory.used", "utilization.gpu",
)  # fmt: skip
SLOWDOWNS = ("hw_slowdown", "hw_thermal_slowdown", "hw_power_brake_slowdown", "sw_thermal_slowdown")
"""What the driver says when a GPU runs below its clock to save itself."""


@dataclass(frozen=True)
class Condition:
    """The machine at one moment.

    ``load`` is the number of runnable processes over 1, 5 and 15 minutes; clocks are in MHz (the
    mean over the cores that this process may use), the temperature is the hottest sensor's in
    degrees Celsius. ``throttles`` counts how often the processor has slowed itself for heat since
    it started. ``gpus`` has the driver's own words for each GPU.
    """

    load: tuple[float, ...] | None
    free_memory_mb: float | None
    affinity: tuple[int, ...] | None
    governor: str | None
    clock_mhz: float | None
    clock_limit_mhz: float | None
    temperature_c: float | None
    throttles: int | None
    gpus: tuple[dict[str, str], ...]

    def to_json(self) -> dict[str, Any]:
        """The JSON form."""
        return dataclasses.asdict(self)


def now() -> Condition:
    """Look at the machine; takes some milliseconds, and longer where a driver has to be asked."""
    load: tuple[float, ...] | None = None
    with contextlib.suppress(OSError, AttributeError):
        load = os.getloadavg()
    clock, limit = _clocks()
    return Condition(
        load=load,
        free_memory_mb=hardware.free_memory_mb(),
        affinity=_affinity(),
        governor=_read(CPUS / "cpu0/cpufreq/scaling_governor"),
        clock_mhz=clock,
        clock_limit_mhz=limit,
        temperature_c=_temperature(),
        throttles=processor_throttles(),
        gpus=_gpus(),
    )


def processor_throttles() -> int | None:
    """How often the processor's cores and packages have slowed themselves for heat since boot.

    None where the system does not count it, as in most virtual machines.
    """
    counts = [_read(path) for path in CPUS.glob("cpu[0-9]*/thermal_throttle/*_throttle_count")]
    numbers = [int(text) for text in counts if text and text.isdigit()]
    return sum(numbers) if numbers else None


def gpu_slowdown(device: str) -> str | None:
    """Why ``cuda`` or ``cuda:N`` runs below its clock right now; None where it does not, or no
    driver tells."""
    fields = tuple(f"clocks_throttle_reasons.{name}" for name in SLOWDOWNS)
    for row in gpu_driver.ask(fields, device).values():
        for name, said in zip(SLOWDOWNS, row, strict=True):
            if said == "Active":
                return name.replace("_", " ")
    return None


def _affinity() -> tuple[int, ...] | None:
    if hasattr(os, "sched_getaffinity"):
        return tuple(sorted(os.sched_getaffinity(0)))
    return None


def _clocks() -> tuple[float | None, float | None]:
    try:
        import psutil

        found = psutil.cpu_freq(percpu=True)
    except (ImportError, OSError, NotImplementedError, RuntimeError, AttributeError):
        return None, None
    cores = _affinity()
    if cores and len(found) > max(cores):
        found = [found[core] for core in cores]
    clocks = [item.current for item in found if item.current]
    limits = [item.max for item in found if item.max]
    clock = sum(clocks) / len(clocks) if clocks else None
    return clock, max(limits) if limits else None


def _temperature() -> float | None:
    try:
        import psutil

        groups = psutil.sensors_temperatures()
    except (ImportError, OSError, AttributeError, RuntimeError):
        return None
    found = [item.current for group in groups.values() for item in group if item.current]
    return max(found) if found else None


def _gpus() -> tuple[dict[str, str], ...]:
    return tuple(
        {"device": name, **dict(zip(GPU_FIELDS, row, strict=True))}
        for name, row in gpu_driver.ask(GPU_FIELDS).items()
    )


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return None
