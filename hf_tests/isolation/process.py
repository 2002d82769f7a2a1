"""What all launchers need of a process: a notice of its end, and its end with all its group."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

TICK_S = 1.0  # between looks at the clock while a job is measured
GRACE_S = 5.0  # between asking a process to end and killing it

SIGKILL = getattr(signal, "SIGKILL", signal.SIGTERM)


@contextlib.contextmanager
def temporary_folder() -> Iterator[Path]:
    """A folder for one job's temporary files, removed whatever is left in it."""
    folder = Path(tempfile.mkdtemp(prefix="hf-tests-"))
    try:
        yield folder
    finally:
        # What a killed process left behind may be unreadable or still growing.
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def end_notice(pid: int) -> Iterator[int | None]:
    """A descriptor that becomes readable when the process ends; None where the system has none."""
    try:
        descriptor = os.pidfd_open(pid)
    except (AttributeError, OSError):
        yield None
        return
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def birth(pid: int) -> float | None:
    """When a process began, on a clock that nobody sets; None where there is no such process.

    With the id it names a process, whose id may be another one's by now.
    """
    with contextlib.suppress(OSError, ValueError, IndexError):
        # proc(5), stat: the name, which may hold anything, ends at the last parenthesis;
        # field 22 is the start in clock ticks since the machine booted.
        return float(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    try:
        import psutil

        return float(psutil.Process(pid).create_time())
    except Exception:  # noqa: BLE001 - psutil may be missing, and its errors then are too
        return None


def signal_group(leader: int, number: int) -> None:
    """Send a signal to a process group; nothing happens where there is none any more."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(leader, number)
        else:
            os.kill(leader, number)


def end_escaped(temporary: Path) -> None:
    """Kill what a job started in sessions of their own, which no signal to its group reaches.

    Such processes are known by the job's folder for temporary files in their environment.
    """
    try:
        import psutil
    except ImportError:
        return
    for item in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if item.pid != os.getpid() and item.environ().get("TMPDIR") == str(temporary):
                item.kill()
