"""Run the jobs of a plan one after the other and complete what their processes left undone."""

from __future__ import annotations

import dataclasses
import signal
from collections.abc import Iterator, Mapping, Sequence
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
    done_before: Mapping[str, JobOutcome],
    fail_fast: bool = False,
) -> Iterator[JobOutcome]:
    """Run the jobs in order and give each one's outcome as it ends.

    ``done_before`` has the outcomes, by job name, that an earlier part of the run came to. Once an
    interruption is requested, the running job is ended, and it and all that remain are given as
    interrupted. With ``fail_fast`` all that remain after a failure are given as skipped.
    """

    def tick() -> bool:
        watcher.tick()
        return not interruption.requested

    failed: str | None = None
    for job in jobs:
        path, log = folder.stream(job), folder.log(job)
        if job.name in done_before:
            done = done_before[job.name]
        elif interruption.requested:
            done = _not_run(job, outcome.ERROR, "the run was interrupted before it began")
        elif failed is not None:
            done = _not_run(job, outcome.SKIPPED, f"--fail-fast after {failed}")
        else:
            watcher.begin(job)
            done = complete(job, path, log, launcher.run(job, path, log, tick))
            watcher.end(done)
        if fail_fast and failed is None and any(result.is_bad for result in done.results):
            failed = f"{job.model.id} on {job.device}"
        yield done


def complete(job: Job, path: Path, log: Path, ending: Ending) -> JobOutcome:
    """The outcome of a job whose process has ended; its stream is completed and closed.

    The plan is walked, not the results: a check whose process died before it wrote anything is
    there all the same.
    """
    job = job.replace(isolation=ending.launcher)
    events = list(stream.read(path))
    found = {result.method for result in stream.results(path)}
    running = {event["method"] for event in events if event["event"] == "check_started"} - found
    writer = stream.Writer(path)
    for method in job.methods:
        if method not in found:
            writer.result(_lost(job, method, method in running, log, ending))
    writer.write("ended", ending=dataclasses.asdict(ending))
    writer.close()
    done = outcome_of(job, path, ending)
    assert done is not None, "every method has a result now"
    return done


def outcome_of(job: Job, path: Path, ending: Ending) -> JobOutcome | None:
    """The outcome that a closed stream tells; None where it lacks a check's result."""
    found = {result.method: result for result in stream.results(path)}
    if not found.keys() >= set(job.methods):
        return None
    clocks = [event["clock"] for event in stream.read(path) if event["event"] == "ready"]
    startup = clocks[0] - ending.launched if clocks else None
    return JobOutcome(job, tuple(found[method] for method in job.methods), ending, startup)


def _not_run(job: Job, status: str, text: str) -> JobOutcome:
    """The outcome of a job that was never started."""
    fields = {"reason": text}
    if status == outcome.ERROR:
        fields = {"error": text, "error_type": "interrupted"}
    results = tuple(result_for(job, method, status, **fields) for method in job.methods)
    return JobOutcome(job, results, None)


def _lost(job: Job, method: str, was_running: bool, log: Path, ending: Ending) -> CheckResult:
    """The result of a check whose process ended before it gave one."""
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
