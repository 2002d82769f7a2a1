"""Limits that a job's process puts on itself before it loads anything."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
from pathlib import Path

from hf_tests.job import Job

MIB = 1024 * 1024
PR_SET_PDEATHSIG = 1  # linux/prctl.h
FIRST_TO_DIE = "1000"  # proc(5): the kernel takes such a process before all others
HOST_MEMORY = frozenset({"cpu", "openvino"})


def apply(job: Job) -> None:
    """The job's cores and memory and no more; no core files; first victim of the OOM killer.

    The memory limit counts private writable memory (setrlimit(2), RLIMIT_DATA), so that an
    allocation beyond it fails at once and raises in the library that asked for it. Drivers of
    accelerators map more than they use, so there only the parent watches. Systems without these
    limits have none.
    """
    if job.cores and hasattr(os, "sched_setaffinity"):
        with contextlib.suppress(OSError):  # a core that has been taken offline meanwhile
            os.sched_setaffinity(0, job.cores)
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(FIRST_TO_DIE)
    try:
        import resource
    except ImportError:
        return
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if job.memory_limit_mb is None or job.device.partition(":")[0] not in HOST_MEMORY:
        return
    used = _data_bytes()
    if used is not None:
        limit = used + int(job.memory_limit_mb * MIB)
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def end_with_parent() -> None:
    """Have the kernel kill this process when its parent dies (prctl(2)), where it can."""
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)


def _data_bytes() -> int | None:
    """Private writable memory that this process has already; None where the system keeps none."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmData:"):
                return int(line.split()[1]) * 1024
    return None
