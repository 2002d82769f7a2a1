"""Timed trials of a call, as many as it takes to know its median."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from hf_tests import latency
from hf_tests.job import Job
from hf_tests.probe import devices

PRECISION = 0.02  # half the 95 % interval relative to the median: then it is known well enough

Result = TypeVar("Result")


@dataclass(frozen=True)
class Trials:
    """Seconds of each timed run in order; how many cores other processes used meanwhile.

    ``first_s`` are those of the very first run, which is none of them: what a library compiles or
    chooses when it sees its inputs is in it.
    """

    first_s: float
    times: tuple[float, ...]
    busy_cores: float | None


def trials(
    call: Callable[[], Result],
    job: Job,
    see_first: Callable[[Result], None] = lambda result: None,
) -> tuple[Result, Trials]:
    """Run ``call`` to warm up, at least once, then timed, with the device idle around each.

    At least ``min_trials`` runs are timed; more until the median is known to PRECISION, the job's
    time budget is spent or there are ``trials``. Returns the last result beside the times;
    ``see_first`` is given the first.
    """
    devices.synchronize(job.device)
    start = time.perf_counter()
    result = call()
    devices.synchronize(job.device)
    first_s = time.perf_counter() - start
    see_first(result)
    for _ in range(job.warmup - 1):
        call()
    times: list[float] = []
    devices.synchronize(job.device)
    load = _Load()
    while True:
        start = time.perf_counter()
        result = call()
        devices.synchronize(job.device)
        times.append(time.perf_counter() - start)
        if len(times) >= job.min_trials and (
            len(times) >= job.trials
            or sum(times) >= job.time_budget_s
            or latency.summary(times).precision <= PRECISION
        ):
            return result, Trials(first_s, tuple(times), load.of_others())


class _Load:
    """Processor time that other processes have used since it was made."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._before = self._others_s()

    def of_others(self) -> float | None:
        """Cores' worth of it; None where the system does not tell, or too little time has passed.

        The kernel counts in hundredths of a second.
        """
        after, wall = self._others_s(), time.monotonic() - self._start
        if after is None or self._before is None or wall < 0.1:
            return None
        return max(0.0, (after - self._before) / wall)

    def _others_s(self) -> float | None:
        try:
            import psutil
        except ImportError:
            return None
        cpu = psutil.cpu_times()
        busy = sum(cpu) - cpu.idle - getattr(cpu, "iowait", 0.0)
        # Time of guests is counted in user and nice already.
        busy -= getattr(cpu, "guest", 0.0) + getattr(cpu, "guest_nice", 0.0)
        return float(busy - time.process_time())
