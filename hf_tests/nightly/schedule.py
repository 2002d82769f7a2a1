"""Run the jobs of a plan, as many at a time as there is room for, and complete what they lack."""

from __future__ import annotations

import dataclasses
import errno
import os
import queue
import signal
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from hf_tests import dependencies, hints, outcome, plain, stream
from hf_tests.isolation import accelerator
from hf_tests.isolation.base import (
    EXITED,
    INTERRUPTED,
    OVER_MEMORY,
    SIGNALLED,
    TIMED_OUT,
    Ending,
    Launcher,
)
from hf_tests.isolation.interruption import Interruption
from hf_tests.job import Job, result_for
from hf_tests.nightly import store
from hf_tests.nightly.resources import Claim, Resources
from hf_tests.nightly.store import RunFolder
from hf_tests.outcome import CheckResult

TICK_S = 1.0


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


class Running:
    """A job that runs, with what it has for itself; ``beside`` counts the others meanwhile."""

    def __init__(self, job: Job, claim: Claim, beside: int) -> None:
        self.job = job
        self.claim = claim
        self.beside = beside


class Schedule:
    """The jobs of a run that are left, those that run, and those that have ended.

    With one job at a time everything happens in the thread that iterates over `run`; with more,
    each job has a thread that waits for its process.
    """

    def __init__(
        self,
        launcher: Launcher,
        folder: RunFolder,
        watcher: Watcher,
        interruption: Interruption,
        resources: Resources,
        fail_fast: bool = False,
    ) -> None:
        self._launcher = launcher
        self._folder = folder
        self._watcher = watcher
        self._interruption = interruption
        self._resources = resources
        self._fail_fast = fail_fast
        self._failed: str | None = None
        self._closed = False
        self._running: dict[str, Running] = {}
        self._ended: queue.SimpleQueue[tuple[Running, JobOutcome | BaseException]] = (
            queue.SimpleQueue()
        )

    def run(
        self, jobs: Sequence[Job], done_before: Mapping[str, JobOutcome]
    ) -> Iterator[JobOutcome]:
        """Run the jobs, the first ones first where there is room, and give outcomes as they come.

        ``done_before`` has the outcomes, by job name, that an earlier part of the run came to. Once
        an interruption is requested, the running jobs are ended, and they and all that remain are
        given as interrupted. With ``fail_fast`` all that remain after a failure are given as
        skipped; those that run already come to their end.
        """
        pending = []
        for job in jobs:
            lacking = None if job.name in done_before else _lacking(job)
            if job.name in done_before:
                yield self._noted(done_before[job.name])
            elif lacking is not None:
                self._watcher.begin(job)
                self._watcher.end(lacking)
                yield lacking
            else:
                pending.append(job)
        pending.reverse()  # taken from the end, a list of any length is as quick as a short one
        while pending or self._running:
            if self._interruption.requested or self._failed is not None:
                for job in reversed(pending):
                    yield self._left_out(job)
                pending.clear()
            for place in reversed(range(len(pending))):
                if len(self._running) == self._resources.slots:
                    break
                claim = self._resources.claim(pending[place])
                if claim is not None:
                    self._start(pending.pop(place), claim)
            if self._running:
                done = self._next()
                if done is not None:
                    yield self._noted(done)

    def close(self) -> None:
        """The run is over; how jobs end that still run now is no outcome."""
        self._closed = True

    def rerun(
        self, jobs: Sequence[Job], done_before: Mapping[str, JobOutcome]
    ) -> Iterator[JobOutcome]:
        """Run jobs once more, and give the outcomes of those that were; a failure stops nothing."""
        self._fail_fast, self._failed = False, None
        for done in self.run(jobs, done_before):
            if done.ending is not None and done.ending.reason != INTERRUPTED:
                yield done

    def _start(self, job: Job, claim: Claim) -> None:
        running = Running(job, claim, len(self._running))
        for other in self._running.values():
            other.beside = max(other.beside, len(self._running))
        self._running[job.name] = running
        self._watcher.begin(job)
        if self._resources.slots == 1:
            self._work(running)
        else:
            # A daemon: whoever leaves at once does not wait for it.
            threading.Thread(target=self._work, args=(running,), daemon=True).start()

    def _next(self) -> JobOutcome | None:
        """The outcome of the next job that ends; None when about a second has passed."""
        try:
            running, done = self._ended.get(timeout=TICK_S)
        except queue.Empty:
            self._watcher.tick()
            return None
        if isinstance(done, BaseException):
            raise done
        del self._running[running.job.name]
        self._resources.release(running.claim)
        self._watcher.end(done)
        return done

    def _work(self, running: Running) -> None:
        """Run one job to its end, whatever that is."""
        job, claim = running.job, running.claim
        path, log = self._folder.stream(job), self._folder.log(job)
        try:
            used = accelerator.used_mb(job.device)
            ending = self._launcher.run(
                job.replace(
                    cores=claim.cores,
                    memory_limit_mb=claim.memory_mb,
                    reference_dir=str(self._folder.references),
                ),
                path,
                log,
                self._tick,
            )
            if self._closed:
                return  # the process was ended with the run; its stream stays open, to be resumed
            note = None if used is None else accelerator.wait_until_freed(job.device, used)
            ending = dataclasses.replace(ending, beside=running.beside, note=note)
            store.shorten(log)
            self._ended.put((running, complete(job, path, log, ending)))
        except BaseException as error:  # raised again by the thread that waits for it
            if self._resources.slots == 1:
                raise
            self._ended.put((running, error))

    def _tick(self) -> bool:
        if self._resources.slots == 1:
            self._watcher.tick()
        return not self._interruption.requested

    def _noted(self, done: JobOutcome) -> JobOutcome:
        if self._fail_fast and self._failed is None and any(r.is_bad for r in done.results):
            self._failed = f"{done.job.model.id} on {done.job.device}"
        return done

    def _left_out(self, job: Job) -> JobOutcome:
        """The outcome of a job that is never started."""
        if self._interruption.requested:
            text = "the run was interrupted before it began"
            status, fields = outcome.ERROR, {"error": text, "error_type": "interrupted"}
        else:
            status, fields = outcome.SKIPPED, {"reason": f"--fail-fast after {self._failed}"}
        results = tuple(result_for(job, method, status, **fields) for method in job.methods)
        return JobOutcome(job, results, None)


def _lacking(job: Job) -> JobOutcome | None:
    """The outcome of a job that is barred, or lacks a library for each of its checks.

    No process is started.
    """
    if job.barred:
        status = outcome.ERROR if "error" in job.barred else outcome.SKIPPED
        fields: dict[str, Any] = {"stage": "download", **job.barred}
        barred = tuple(result_for(job, method, status, **fields) for method in job.methods)
        return JobOutcome(job, barred, None)
    results = []
    for method in job.methods:
        reason = dependencies.unmet_for(job.model.needs(job.weights, method), method)
        if reason is None:
            return None
        fields = {"reason": reason, "error_type": "missing_dependency", "stage": "import"}
        results.append(result_for(job, method, outcome.SKIPPED, **fields))
    return JobOutcome(job, tuple(results), None)


def complete(job: Job, path: Path, log: Path, ending: Ending) -> JobOutcome:
    """The outcome of a job whose process has ended; its stream is completed and closed.

    The plan is walked, not the results: a check whose process died before it wrote anything is
    there all the same. Raises OSError where the disk is full.
    """
    # A process may also die of a full disk before it has a stream to find that out.
    failed = ending.reason == EXITED and ending.exit_status != 0
    if ending.exit_status == stream.DISK_FULL or (failed and stream.is_full(path)):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
    job = job.replace(isolation=ending.launcher)
    events = list(stream.read(path))
    found = {result.method: result for result in stream.results(events)}
    running = {event["method"] for event in events if event["event"] == "check_started"}
    writer = stream.Writer(path)
    for method in job.methods:
        if method not in found:
            found[method] = _lost(job, method, method in running, log, ending)
            writer.result(found[method])
    writer.write("ended", ending=vars(ending))
    writer.close()
    return _outcome(job, events, found, ending, log)


def outcome_of(
    job: Job, events: Sequence[Mapping[str, Any]], ending: Ending, log: Path
) -> JobOutcome | None:
    """The outcome that a closed stream and its log tell; None where it lacks a check's result."""
    found = {result.method: result for result in stream.results(events)}
    if not found.keys() >= set(job.methods):
        return None
    return _outcome(job, events, found, ending, log)


def _outcome(
    job: Job,
    events: Iterable[Mapping[str, Any]],
    found: Mapping[str, CheckResult],
    ending: Ending,
    log: Path,
) -> JobOutcome:
    clocks = [event["clock"] for event in events if event["event"] == "ready"]
    startup = clocks[0] - ending.launched if clocks else None
    results = tuple(
        dataclasses.replace(
            found[method],
            jobs_beside=ending.beside,
            log_tail=plain.log_tail(log) if found[method].error is not None else None,
        )
        for method in job.methods
    )
    return JobOutcome(job, results, ending, startup)


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
    tail = plain.log_tail(log)
    killed = ending.reason == SIGNALLED and ending.exit_status == -getattr(signal, "SIGKILL", 9)
    return result_for(
        job,
        method,
        status,
        error_type=kind,
        error=f"the process {ending.describe()} {what}",
        traceback=plain.stack(tail),
        log_tail=tail,
        hint=hints.hint(kind, job, method, "killed" if killed else ""),
        duration=ending.wall_s if was_running else 0.0,
    )
