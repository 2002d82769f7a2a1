"""No isolation: the job runs in this very process, for a debugger and as the yardstick."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path

from hf_tests import stream as streams
from hf_tests.isolation import environment
from hf_tests.isolation.base import EXITED, Ending
from hf_tests.job import Job


class InProcessLauncher:
    """Runs jobs here; no time limit holds, and a crash takes the run with it."""

    name = "none"
    notes: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.startup_s: dict[str, float] = {}

    def run(self, job: Job, stream: Path, log: Path, tick: Callable[[], bool]) -> Ending:
        """See `isolation.base.Launcher.run`; ``tick`` is never called while the job runs."""
        del tick
        environment.adopt(downloads=environment.downloads(job))
        from hf_tests.probe import worker

        launched = time.monotonic()
        with (
            log.open("a", encoding="utf-8") as output,
            contextlib.redirect_stdout(output),
            contextlib.redirect_stderr(output),
        ):
            writer = streams.Writer(stream)
            writer.write("start")
            worker.run(job.replace(isolation=self.name), writer)
            writer.close()
        if writer.fault is not None:
            raise writer.fault
        return Ending(EXITED, 0, launched, time.monotonic() - launched, self.name)

    def close(self) -> None:
        """Nothing is kept."""
