"""What a person sees while a run goes: a bar on a terminal, plain lines otherwise."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections import Counter
from typing import Any, TextIO

from hf_tests import outcome
from hf_tests.job import Job
from hf_tests.nightly.schedule import JobOutcome
from hf_tests.nightly.wording import WIDTH, count_statuses, one_line

QUIET, NORMAL, VERBOSE = 0, 1, 2


class Lines:
    """One line a job, a line more for each check that went wrong; all checks when verbose."""

    def __init__(self, total: int, level: int = NORMAL, file: TextIO | None = None) -> None:
        self._total = total
        self._level = level
        self._file = file or sys.stdout
        self._done = 0
        self._started: dict[str, float] = {}

    def begin(self, job: Job) -> None:
        """A job is about to start."""
        self._started[job.name] = time.monotonic()

    def tick(self) -> None:
        """About a second has passed; lines do not move."""

    def end(self, done: JobOutcome) -> None:
        """Print the job's line."""
        self._done += done.job.attempt == 1
        bad = [result for result in done.results if result.is_bad]
        if self._level > QUIET or bad:
            digits = len(str(self._total))
            job = done.job
            seconds = time.monotonic() - self._started.pop(job.name)
            place = f"{self._done:{digits}}/{self._total}"
            self.write(
                f"[{place if job.attempt == 1 else 'again'.rjust(len(place))}] "
                f"{job.model.family} {job.model.id} on {job.device}: "
                f"{count_statuses(done.results)} ({seconds:.1f} s, {job.weights})"
            )
        for result in done.results if self._level >= VERBOSE else bad:
            text = result.error or result.reason or ""
            self.write(
                one_line(f"    {result.key} {result.status} {result.error_type} {text}", WIDTH)
            )
            if self._level >= VERBOSE and result.is_bad and result.traceback:
                self.write(result.traceback)

    def write(self, text: str) -> None:
        """Print text now."""
        print(text, file=self._file, flush=True)

    def close(self) -> None:
        """The run is over."""


class Bar(Lines):
    """tqdm's bar with the running job and the number of failures; failures scroll above it."""

    def __init__(self, total: int, level: int = NORMAL) -> None:
        super().__init__(total, level if level >= VERBOSE else QUIET)
        from tqdm import tqdm

        self._bar: Any = tqdm(total=total, unit="job", dynamic_ncols=True, leave=False)
        self._statuses: Counter[str] = Counter()
        self._running: dict[str, Job] = {}

    def begin(self, job: Job) -> None:
        super().begin(job)
        self._running[job.name] = job
        self._describe()

    def tick(self) -> None:
        """Let the bar's clock go on."""
        self._bar.refresh()

    def end(self, done: JobOutcome) -> None:
        super().end(done)
        del self._running[done.job.name]
        self._describe()
        if done.job.attempt > 1:
            return
        self._statuses.update(result.status for result in done.results)
        failed = sum(self._statuses[status] for status in outcome.BAD_STATUSES)
        self._bar.set_postfix_str(f"{failed} failed")
        self._bar.update()

    def _describe(self) -> None:
        """Name the running job, and how many there are beside it."""
        if self._running:
            job, *others = self._running.values()
            more = f" and {len(others)} more" if others else ""
            text = one_line(f"{job.model.id} on {job.device}", WIDTH // 2 - len(more))
            self._bar.set_description_str(text + more)

    def write(self, text: str) -> None:
        self._bar.write(text)

    def close(self) -> None:
        self._bar.close()


def watcher(total: int, level: int, out: TextIO) -> Lines:
    """A bar where ``out`` is a terminal with room for it and tqdm is installed; lines otherwise."""
    if level > QUIET and out.isatty() and sys.stderr.isatty():
        with contextlib.suppress(ImportError, OSError):
            if os.get_terminal_size(sys.stderr.fileno()).columns >= WIDTH // 2:
                return Bar(total, level)
    return Lines(total, level, out)
