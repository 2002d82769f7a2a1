"""A fresh interpreter for every job."""

from __future__ import annotations

import contextlib
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from hf_tests.isolation import cgroup, environment
from hf_tests.isolation import process as processes
from hf_tests.isolation.base import EXITED, OVER_MEMORY, SIGNALLED, Ending
from hf_tests.isolation.watch import Watch
from hf_tests.job import Job

COMMAND = (sys.executable, "-m", "hf_tests.probe.worker")


class SpawnLauncher:
    """Starts a new Python for every job, in a session and a temporary folder of its own."""

    name = "spawn"
    notes: tuple[str, ...] = ()

    def __init__(self, command: Sequence[str] = COMMAND) -> None:
        """``command`` is what a job is run with; it gets the stream's path and the job's JSON."""
        self._command = tuple(command)
        self.startup_s: dict[str, float] = {}

    def close(self) -> None:
        """Nothing is kept."""

    def run(self, job: Job, stream: Path, log: Path, tick: Callable[[], bool]) -> Ending:
        """See `isolation.base.Launcher.run`."""
        with (
            processes.temporary_folder() as temporary,
            cgroup.of_job(job) as group,
            log.open("ab") as output,
        ):
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
                if group is not None:
                    group.add(process.pid)
                _give(process, job.replace(isolation=self.name).to_json())
                reason = _wait(process, Watch(job, launched, tick, group))
            finally:
                _end(process)
                processes.end_escaped(temporary)
            wall = time.monotonic() - launched
            if reason == EXITED and process.returncode < 0:
                reason = OVER_MEMORY if group is not None and group.ran_out() else SIGNALLED
        return Ending(reason, process.returncode, launched, wall, self.name)


def _give(process: subprocess.Popen[bytes], text: str) -> None:
    assert process.stdin is not None
    # A process that died at once has closed its end; its status tells more than this error.
    with contextlib.suppress(BrokenPipeError, OSError), process.stdin:
        process.stdin.write(text.encode())


def _wait(process: subprocess.Popen[bytes], watch: Watch) -> str:
    """Wait for the process's end without polling for it; returns why the wait is over."""
    with processes.end_notice(process.pid) as notice:
        while process.poll() is None:
            reason = watch.reason(process.pid)
            if reason is not None:
                return reason
            pause = min(processes.TICK_S, max(0.0, watch.deadline - time.monotonic()))
            if notice is not None:
                select.select([notice], [], [], pause)
            else:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(pause)
    return EXITED


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the process and all of its process group, politely and then not."""
    if process.poll() is None:
        processes.signal_group(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(processes.GRACE_S)
    # Children that the process left behind are still in its group.
    processes.signal_group(process.pid, processes.SIGKILL)
    process.wait()
