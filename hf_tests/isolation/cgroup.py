"""A control group of its own for each job, where this process may make some (cgroups v2).

The kernel then counts what all processes of a job hold together, shared memory too, kills all of
them at once when that is more than the job may have, and whatever is left when it has ended. Groups
may be made at the root, and in a part of the tree that was handed over (systemd: ``Delegate=yes``).
Elsewhere a job's process limits itself and is watched (`probe.limits`, `isolation.watch`).

https://docs.kernel.org/admin-guide/cgroup-v2.html
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import time
from collections.abc import Iterator
from pathlib import Path

from hf_tests.job import Job

MIB = 1024 * 1024
DELEGATED = ("user.delegate", "trusted.delegate")
"""Attributes that systemd gives to a group that it leaves to others."""

END_TIMEOUT_S = 5.0
PAUSE_S = 0.005

_numbers = itertools.count()


class Group:
    """The control group of one job; ``limits_memory`` where it has a limit."""

    def __init__(self, path: Path, limits_memory: bool) -> None:
        self.limits_memory = limits_memory
        self._path = path

    def add(self, pid: int) -> None:
        """Put a process into the group; its children are born there. One that is gone is none."""
        with contextlib.suppress(ProcessLookupError):
            (self._path / "cgroup.procs").write_text(str(pid))

    def ran_out(self) -> bool:
        """Whether the kernel has killed its processes for want of memory."""
        return _numbers_of(self._path / "memory.events").get("oom_kill", 0) > 0

    def close(self) -> None:
        """Kill what is left in the group, and remove it."""
        with contextlib.suppress(OSError):  # before Linux 5.14 there is no such file
            (self._path / "cgroup.kill").write_text("1")
        deadline = time.monotonic() + END_TIMEOUT_S
        while _numbers_of(self._path / "cgroup.events").get("populated") == 1:
            if time.monotonic() > deadline:
                break
            time.sleep(PAUSE_S)
        with contextlib.suppress(OSError):  # a process that the kernel cannot end keeps it
            self._path.rmdir()


@contextlib.contextmanager
def of_job(job: Job) -> Iterator[Group | None]:
    """An empty group with the job's limits, removed at the end; None where none can be made."""
    base = parent()
    if base is None:
        yield None
        return
    path = base / f"hf-tests-{os.getpid()}-{next(_numbers)}"
    group = Group(path, job.memory_limit_mb is not None)
    try:
        path.mkdir()
        (path / "memory.oom.group").write_text("1")
        if job.memory_limit_mb is not None:
            (path / "memory.max").write_text(str(int(job.memory_limit_mb * MIB)))
            with contextlib.suppress(FileNotFoundError):  # a kernel without swap
                (path / "memory.swap.max").write_text("0")
    except OSError:
        group.close()
        yield None
        return
    try:
        yield group
    finally:
        group.close()


@functools.cache
def parent() -> Path | None:
    """The group below which those of jobs may be made; None where there is none.

    Processes and groups that share out memory may not be in one group, so this process moves into
    one beside those of its jobs, where it was alone in its own.
    """
    base = _own()
    if base is None or not os.access(base, os.W_OK):
        return None
    try:
        if "memory" not in (base / "cgroup.controllers").read_text().split():
            return None
        if (base / "cgroup.type").exists():  # the root has none, and may hold processes
            alone = (base / "cgroup.procs").read_text().split() == [str(os.getpid())]
            if not (alone and _is_delegated(base)):
                return None
            own = base / f"hf-tests-{os.getpid()}"
            own.mkdir()
            (own / "cgroup.procs").write_text(str(os.getpid()))
        (base / "cgroup.subtree_control").write_text("+memory")
    except OSError:
        return None
    return base


def _own() -> Path | None:
    """The folder of this process's group in the unified hierarchy; None where there is none."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
        mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    except OSError:
        return None
    names = [line.removeprefix("0::/") for line in lines if line.startswith("0::/")]
    # proc(5), mountinfo: the fifth field is the mount point, the type stands behind a dash.
    points = [line.split()[4] for line in mounts if " - cgroup2 " in line]
    return Path(points[0]) / names[0] if names and points else None


def _is_delegated(group: Path) -> bool:
    for name in DELEGATED:
        with contextlib.suppress(OSError, AttributeError):
            if os.getxattr(group, name) == b"1":
                return True
    return False


def _numbers_of(path: Path) -> dict[str, int]:
    """A file of lines of a name and a number; empty where it is not there."""
    try:
        pairs = [line.split() for line in path.read_text().splitlines()]
    except OSError:
        return {}
    return {name: int(number) for name, number in pairs}
