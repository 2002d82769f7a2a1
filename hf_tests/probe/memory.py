"""Memory of this process and of its device. Sizes are MiB."""

from __future__ import annotations

import contextlib
import ctypes
from pathlib import Path
from typing import Any

from hf_tests.probe import devices

MIB = 1024 * 1024
GRAIN = 32768
"""Elements of a tensor below which torch starts no further thread for it."""

STATUS = Path("/proc/self/status")
CLEAR_REFS = Path("/proc/self/clear_refs")


class PeakMemory:
    """Peak resident memory since it was made, and how far that is above the level then.

    That level is ``before_mb``. On Linux it reads VmHWM, after asking the kernel to reset it
    (proc(5), clear_refs, value 5): unlike ru_maxrss it does not inherit the parent's peak.
    Elsewhere psutil's peak of the whole process is taken, where the system has one.
    """

    def __init__(self, device: str = "cpu") -> None:
        is_cuda = device.partition(":")[0] == "cuda"
        self._cuda = devices.torch_device(device) if is_cuda else None
        self.before_mb = settled_mb()
        with contextlib.suppress(OSError):
            CLEAR_REFS.write_text("5")
        if self._cuda is not None:
            import torch

            torch.cuda.init()  # there is no allocator before, whose figures could be reset
            torch.cuda.reset_peak_memory_stats(self._cuda)

    def peak_mb(self) -> float | None:
        """Peak resident set; None where the system keeps no peak."""
        peak = _status_mb("VmHWM:")
        if peak is not None:
            return peak
        try:
            import psutil
        except ImportError:
            return None
        peak = getattr(psutil.Process().memory_info(), "peak_wset", None)
        return None if peak is None else float(peak) / MIB

    def growth_mb(self) -> float | None:
        """The peak above the level at the start."""
        peak = self.peak_mb()
        if peak is None or self.before_mb is None:
            return None
        return max(0.0, peak - self.before_mb)

    def device_peak_mb(self) -> float | None:
        """Peak that torch allocated on the CUDA device; None for another device."""
        if self._cuda is None:
            return None
        import torch

        return float(torch.cuda.max_memory_allocated(self._cuda)) / MIB

    def device_reserved_mb(self) -> float | None:
        """Peak that torch's allocator held of the CUDA device; None for another device."""
        if self._cuda is None:
            return None
        import torch

        return float(torch.cuda.max_memory_reserved(self._cuda)) / MIB


def settled_mb() -> float | None:
    """Resident set without what the process has freed and its allocator still holds.

    The GNU C library gives that back when it is asked (malloc_trim(3)); others are not asked.
    """
    with contextlib.suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)
    return resident_mb()


def warm_up(device: str = "cpu") -> None:
    """Let torch start its threads, whose stacks and buffers are no model's memory.

    No more are the driver's own structures of a CUDA device, some hundred MiB of this process's.
    """
    import torch

    # What is worth a thread, for each of them (GRAIN_SIZE of ATen/TensorIterator.h).
    torch.empty(torch.get_num_threads() * GRAIN, dtype=torch.uint8).fill_(1)
    if device.partition(":")[0] == "cuda":
        bool(torch.isfinite(torch.ones(MIB, device=devices.torch_device(device))).all())


def resident_mb() -> float | None:
    """Resident set of this process now; None where neither the system nor psutil tells."""
    resident = _status_mb("VmRSS:")
    if resident is not None:
        return resident
    try:
        import psutil
    except ImportError:
        return None
    return float(psutil.Process().memory_info().rss) / MIB


def _status_mb(field: str) -> float | None:
    """A field of /proc/self/status (proc(5)), which is in KiB; None on other systems."""
    with contextlib.suppress(OSError):
        for line in STATUS.read_text().splitlines():
            if line.startswith(field):
                return int(line.split()[1]) / 1024
    return None


def model_size(network: Any) -> tuple[int, float]:
    """Number of parameters, and MiB of parameters and buffers with their real element sizes.

    A tensor that several modules share (tied weights) counts once.
    """
    seen: set[int] = set()
    count, size = 0, 0
    for is_parameter, tensors in ((True, network.parameters()), (False, network.buffers())):
        for tensor in tensors:
            if id(tensor) in seen:
                continue
            seen.add(id(tensor))
            size += tensor.numel() * tensor.element_size()
            count += tensor.numel() if is_parameter else 0
    return count, size / MIB
