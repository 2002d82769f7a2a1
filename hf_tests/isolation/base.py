"""How a job is given a process of its own: the interface, and how such a process may end."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from hf_tests.job import Job

EXITED = "exited"
SIGNALLED = "signalled"
TIMED_OUT = "timed_out"
INTERRUPTED = "interrupted"
OVER_MEMORY = "over_memory"


@dataclass(frozen=True)
class Ending:
    """How a job's process ended.

    ``launched`` is the monotonic clock when it was started, ``wall_s`` the seconds that it lived,
    ``launcher`` the method that started it. ``exit_status`` is negative for a signal, and None
    where nobody could ask for it. ``beside`` is the largest number of other jobs that ran while
    it did, and ``note`` a sentence about what it left behind; the scheduler sets both.
    """

    reason: str
    exit_status: int | None
    launched: float
    wall_s: float
    launcher: str
    beside: int = 0
    note: str | None = None

    def describe(self) -> str:
        """The ending as half a sentence: "was killed by SIGSEGV"."""
        if self.reason == TIMED_OUT:
            return f"was still running after {self.wall_s:.0f} s and was stopped"
        if self.reason == OVER_MEMORY:
            return "used more memory than it may and was stopped"
        if self.reason == INTERRUPTED:
            return "was stopped because the run was interrupted"
        if self.reason == SIGNALLED and self.exit_status is not None:
            return f"was killed by {signal_name(-self.exit_status)}"
        if self.exit_status is None:
            return "ended, and nobody could ask how"
        return f"exited with status {self.exit_status}"


class Launcher(Protocol):
    """Runs one job in a process of its own and waits for its end.

    ``notes`` are sentences about what it could not do as it is meant to; ``startup_s`` has the
    seconds that processes of its own took to get ready, by kind of device, which no job's time
    includes. Where several jobs are to run beside each other, `run` is called by several threads.
    """

    name: str
    notes: tuple[str, ...]
    startup_s: dict[str, float]

    def run(self, job: Job, stream: Path, log: Path, tick: Callable[[], bool]) -> Ending:
        """Run the job; its events go to ``stream``, its output to ``log``.

        ``tick`` is called about once a second while waiting, and says whether to go on. Whatever
        the process does, this returns once it has ended, at the latest when the job's time is up.
        """

    def close(self) -> None:
        """End what is kept between jobs."""


def signal_name(number: int) -> str:
    """``SIGSEGV`` for 11; the number itself where it has no name."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
