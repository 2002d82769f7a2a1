"""When a running job must be ended: its time is up, its memory is, or the run is interrupted."""

from __future__ import annotations

import time
from collections.abc import Callable

from hf_tests.isolation.base import INTERRUPTED, OVER_MEMORY, TIMED_OUT
from hf_tests.isolation.cgroup import Group
from hf_tests.job import Job

MIB = 1024 * 1024


class Watch:
    """The limits of one job; asked about once a second."""

    def __init__(
        self, job: Job, launched: float, tick: Callable[[], bool], group: Group | None = None
    ) -> None:
        """``group`` is the job's control group; where it limits the memory, nobody else need."""
        self.deadline = launched + job.timeout_s
        limited = group is not None and group.limits_memory
        self._limit_mb = None if limited else job.memory_limit_mb
        self._tick = tick
        self._start_mb: float | None = None

    def reason(self, pid: int) -> str | None:
        """Why the job's process must be ended now; None while it may go on."""
        if time.monotonic() >= self.deadline:
            return TIMED_OUT
        if not self._tick():
            return INTERRUPTED
        if self._limit_mb is not None:
            used = resident_mb(pid)
            if used is not None:
                # A forked process begins with its server's pages, which are not its own.
                self._start_mb = used if self._start_mb is None else min(used, self._start_mb)
                if used - self._start_mb > self._limit_mb:
                    return OVER_MEMORY
        return None


def resident_mb(pid: int) -> float | None:
    """Resident memory of a process and all its descendants in MiB; None when it has gone."""
    try:
        import psutil
    except ImportError:
        return None
    try:
        leader = psutil.Process(pid)
        return sum(_resident(item) for item in (leader, *leader.children(recursive=True))) / MIB
    except psutil.Error:
        return None


def _resident(process: object) -> int:
    import psutil

    assert isinstance(process, psutil.Process)
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0
