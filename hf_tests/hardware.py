"""This machine: processor, memory, GPUs and OpenVINO's devices, found without importing torch.

GPUs are asked of the driver's own tool; OpenVINO's devices of a short-lived process, so that
neither library is ever loaded into the process that asks.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import os
import platform
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hf_tests import dependencies, gpu_driver, programs

DEVICE_PATTERN = re.compile(r"cpu|mps|cuda(:\d+)?|openvino(:(cpu|gpu(\.\d+)?|npu))?")
NUMBER = re.compile(r"\d+(\.\d+)?")
QUERY_TIMEOUT_S = 60.0
MIB = 1024 * 1024
GPU_FIELDS = ("name", "memory.total", "driver_version")


@dataclass(frozen=True)
class Device:
    """A device that models can run on: ``cpu``, ``cuda:0``, ``mps``, ``openvino:gpu``."""

    name: str
    description: str
    memory_mb: float | None = None
    driver: str | None = None

    @property
    def kind(self) -> str:
        """The name without its unit: ``cuda`` of ``cuda:1``."""
        return self.name.partition(":")[0]


@dataclass(frozen=True)
class Hardware:
    """The machine that a run ran on."""

    machine: str
    system: str
    python: str
    processor: str
    cores: int
    memory_mb: float | None
    devices: tuple[Device, ...]

    def to_json(self) -> dict[str, Any]:
        """The JSON form."""
        return dataclasses.asdict(self)

    def kinds(self) -> tuple[str, ...]:
        """One name for each kind of device that torch or OpenVINO can use, ``cpu`` first."""
        return tuple(dict.fromkeys(device.kind for device in self.devices))

    def names(self) -> tuple[str, ...]:
        """Every single device."""
        return tuple(device.name for device in self.devices)


def is_device(name: str) -> bool:
    """Whether a name is one that a device can have, present or not."""
    return DEVICE_PATTERN.fullmatch(name) is not None


@functools.cache
def detect() -> Hardware:
    """Look at this machine; a part that cannot be found out is left out, never an error."""
    memory = total_memory_mb()
    processor = processor_name()
    devices = [Device("cpu", processor, memory)]
    devices += _cuda_devices()
    if sys.platform == "darwin" and platform.machine() == "arm64":
        devices.append(Device("mps", processor, memory))
    devices += _openvino_devices()
    return Hardware(
        machine=platform.machine(),
        system=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        processor=processor,
        cores=available_cores(),
        memory_mb=memory,
        devices=tuple(devices),
    )


def available_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def core_groups(count: int) -> tuple[tuple[int, ...], ...]:
    """The cores that this process may use, in ``count`` groups of equal size.

    Cores that share a socket or, as hyper-threads, a physical core are kept together. Cores that
    are left over belong to no group.
    """
    if hasattr(os, "sched_getaffinity"):
        cores = sorted(os.sched_getaffinity(0), key=_place)
    else:
        cores = list(range(os.cpu_count() or 1))
    size = len(cores) // count
    return tuple(tuple(sorted(cores[i * size : (i + 1) * size])) for i in range(count))


def _place(core: int) -> tuple[int, int, int]:
    """Socket, physical core and number of a core; zeros where the system does not tell."""
    folder = Path(f"/sys/devices/system/cpu/cpu{core}/topology")
    place = []
    for name in ("physical_package_id", "core_id"):
        try:
            place.append(int((folder / name).read_text()))
        except (OSError, ValueError):
            place.append(0)
    return place[0], place[1], core


def gpu_memory_used_mb(device: str) -> float | None:
    """Memory in MiB that all processes together use on ``cuda`` or ``cuda:N``, as its driver says.

    None where there is no such device or no driver that could be asked.
    """
    for (used,) in gpu_driver.ask(("memory.used",), device).values():
        if NUMBER.fullmatch(used):
            return float(used)
    return None


def processor_name() -> str:
    """The processor's marketing name, or the architecture where the system does not tell it."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def total_memory_mb() -> float | None:
    """Physical memory in MiB."""
    found = _memory()
    return None if found is None else found[0]


def free_memory_mb() -> float | None:
    """Memory in MiB that new processes can have without swapping."""
    found = _memory()
    return None if found is None else found[1]


def _memory() -> tuple[float, float] | None:
    try:
        import psutil
    except ImportError:
        return None
    memory = psutil.virtual_memory()
    return memory.total / MIB, memory.available / MIB


def _cuda_devices() -> list[Device]:
    return [
        Device(name, model, float(memory) if NUMBER.fullmatch(memory) else None, driver)
        for name, (model, memory, driver) in gpu_driver.ask(GPU_FIELDS).items()
    ]


def _openvino_devices() -> list[Device]:
    if dependencies.version("openvino") is None:
        return []
    root = str(Path(__file__).resolve().parent.parent)
    path = os.pathsep.join([root, os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-m", "hf_tests.probe.openvino_devices"]
    output = programs.output(command, QUERY_TIMEOUT_S, {**os.environ, "PYTHONPATH": path})
    try:
        found = json.loads(output or "[]")
        return [Device(**item) for item in found]
    except (ValueError, TypeError):
        return []
