"""Run the jobs of a plan one after the other and complete what their processes left undone."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from hf_tests import outcome, stream
from hf_tests.isolation.base import (
    INTERRUPTED,
    OVER_MEMORY,
    SIGNALLED,
    TIMED_OUT,
    Ending,
    Launcher,
)
from hf_tests.isolation.interruption import Interruption
from hf_tests.job import Job, result_for
from hf_tests.nightly.store import RunFolder
from hf_tests.outcome import CheckResult

LOG_TAIL_BYTES = 4000


@dataclass(frozen=True)
class JobOutcome:
    """What became of a job: one result for each of its checks, and how its process ended.

    ``startup_s`` is the time from starting the process to its libraries being imported; None when
    it never got there. ``ending`` is None for a job that was never started.
    """

    job: Job
    results: tuple[CheckResult, ...]
    ending: Ending | None
    startup_s: float | None = None


class Watcher(Protocol):
    """Who is told how a run goes."""

    def begin(self, job: Job) -> None:
        """A job is about to start."""

    def tick(self) -> None:
        """About a second has passed."""

    def end(self, done: JobOutcome) -> None:
        """A job has ended."""


def run(
    jobs: Sequence[Job],
    launcher: Launcher,
    folder: RunFolder,
    watcher: Watcher,
    interruption: Interruption,
) -> Iterator[JobOutcome]:
    """Run the jobs in order and give each one's outcome as it ends.

    Once an interruption is requested, the running job is ended, and it and all that remain are
    given as interrupted.
    """

    def tick() -> bool:
        watcher.tick()
        return not interruption.requested

    for job in jobs:
        path, log = folder.stream(job), folder.log(job)
        if interruption.requested:
            yield complete(job, path, log, None)
            continue
        watcher.begin(job)
        done = complete(job, path, log, launcher.run(job, path, log, tick))
        watcher.end(done)
        yield done


def complete(job: Job, path: Path, log: Path, ending: Ending | None) -> JobOutcome:
    """Read a job's stream, and add to it a result for every check that has none.

    The plan is walked, not the results: a check whose process died before it wrote anything is
    there all the same.
    """
    if ending is not None:
        job = job.replace(isolation=ending.launcher)
    events = list(stream.read(path))
    found = {
        result.method: result for result in stream.results(path) if result.method in job.methods
    }
    running = {
        event["method"] for event in events if event["event"] == "check_started"
    } - found.keys()
    missing = [method for method in job.methods if method not in found]
    for method in missing:
        found[method] = _lost(job, method, method in running, log, ending)
    if missing and ending is not None:
        writer = stream.Writer(path)
        for method in missing:
            writer.result(found[method])
        writer.close()
    clocks = [event["clock"] for event in events if event["event"] == "ready"]
    startup = clocks[0] - ending.launched if clocks and ending is not None else None
    return JobOutcome(job, tuple(found[method] for method in job.methods), ending, startup)


def _lost(
    job: Job, method: str, was_running: bool, log: Path, ending: Ending | None
) -> CheckResult:
    """The result of a check whose process ended before it gave one."""
    if ending is None:
        text = "the run was interrupted before it began"
        return result_for(job, method, outcome.ERROR, error_type="interrupted", error=text)
    status, kind = outcome.CRASHED, "crash"
    if ending.reason == TIMED_OUT:
        status, kind = outcome.TIMEOUT, "timeout"
    elif ending.reason == OVER_MEMORY:
        status, kind = outcome.ERROR, "out_of_memory"
    elif ending.reason == INTERRUPTED:
        status, kind = outcome.ERROR, "interrupted"
    what = "in this check" if was_running else "before this check"
    command = f"{job.command} --method {method}"
    hints = {
        "timeout": f"Give it more time: {command} --timeout {2 * job.timeout_s:.0f}",
        "interrupted": f"Run it again: {command}",
        "out_of_memory": f"Free memory, or allow more: {command} --memory-limit MIB",
        "crash": f"The log shows where. Again: {command}",
    }
    hint = hints[kind]
    if ending.reason == SIGNALLED and ending.exit_status == -getattr(signal, "SIGKILL", 9):
        hint = f"If nobody killed it, the kernel did for want of memory (dmesg tells). {hint}"
    return result_for(
        job,
        method,
        status,
        error_type=kind,
        error=f"the process {ending.describe()} {what}",
        traceback=log_tail(log),
        hint=hint,
        duration=ending.wall_s if was_running else 0.0,
    )


def log_tail(log: Path) -> str | None:
    """The last part of a job's log, where a crash leaves its stack; None when there is none."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - LOG_TAIL_BYTES))
            text = file.read().decode("utf-8", errors="replace")
    except OSError:
        return None
    return text.strip() or None
