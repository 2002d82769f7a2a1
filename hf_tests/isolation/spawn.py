"""A fresh interpreter for every job."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from hf_tests.isolation import environment
from hf_tests.isolation.base import EXITED, INTERRUPTED, SIGNALLED, TIMED_OUT, Ending
from hf_tests.job import Job

TICK_S = 1.0  # between looks at the clock while a job is measured
GRACE_S = 5.0  # between asking a process to end and killing it
COMMAND = (sys.executable, "-m", "hf_tests.probe.worker")


class SpawnLauncher:
    """Starts a new Python for every job, in a session and a temporary folder of its own."""

    name = "spawn"

    def __init__(self, command: Sequence[str] = COMMAND) -> None:
        """``command`` is what a job is run with; it gets the stream's path and the job's JSON."""
        self._command = tuple(command)

    def run(self, job: Job, stream: Path, log: Path, tick: Callable[[], bool]) -> Ending:
        """See `isolation.base.Launcher.run`."""
        with _temporary_folder() as temporary, log.open("ab") as output:
            launched = time.monotonic()
            process = subprocess.Popen(
                [*self._command, str(stream.resolve())],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=temporary,
                env=environment.of_job(job, temporary),
                start_new_session=True,
            )
            try:
                _give(process, job.to_json())
                reason = _wait(process, launched + job.timeout_s, tick)
            finally:
                _end(process)
            wall = time.monotonic() - launched
        if reason == EXITED and process.returncode < 0:
            reason = SIGNALLED
        return Ending(reason, process.returncode, launched, wall)


@contextlib.contextmanager
def _temporary_folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="hf-tests-"))
    try:
        yield folder
    finally:
        # What a killed process left behind may be unreadable or still growing.
        shutil.rmtree(folder, ignore_errors=True)


def _give(process: subprocess.Popen[bytes], text: str) -> None:
    assert process.stdin is not None
    # A process that died at once has closed its end; its status tells more than this error.
    with contextlib.suppress(BrokenPipeError, OSError), process.stdin:
        process.stdin.write(text.encode())


def _wait(process: subprocess.Popen[bytes], deadline: float, tick: Callable[[], bool]) -> str:
    """Wait for the process's end without polling for it; returns why the wait is over."""
    with _end_notice(process.pid) as notice:
        while process.poll() is None:
            left = deadline - time.monotonic()
            if left <= 0:
                return TIMED_OUT
            if not tick():
                return INTERRUPTED
            pause = min(TICK_S, left)
            if notice is not None:
                select.select([notice], [], [], pause)
            else:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(pause)
    return EXITED


@contextlib.contextmanager
def _end_notice(pid: int) -> Iterator[int | None]:
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


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the process and all of its process group, politely and then not."""
    if process.poll() is None:
        _signal_group(process, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_S)
    # Children that the process left behind are still in its group.
    _signal_group(process, getattr(signal, "SIGKILL", signal.SIGTERM))
    process.wait()


def _signal_group(process: subprocess.Popen[bytes], number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, number)
        elif process.poll() is None:
            process.terminate()
