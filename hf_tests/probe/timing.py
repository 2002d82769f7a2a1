"""Timed trials of a call, as many as it takes to know its median."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from hf_tests import condition, latency
from hf_tests.job import Job
from hf_tests.probe import devices

PRECISION = 0.02  # half the 95 % interval relative to the median: then it is known well enough

Result = TypeVar("Result")


@dataclass(frozen=True)
class Trials:
    """Seconds of each timed run in order, and what could spoil them.

    ``first_s`` are those of the very first run, which is none of them: what a library compiles or
    chooses when it sees its inputs is in it. ``event_times`` are those between two events on a
    CUDA device, ``first_token_times`` those until a `Watch` was marked; both empty where there are
    none. ``busy_cores`` is how many cores other processes used meanwhile, ``slowdown`` why the
    processor or the GPU ran below its clock.
    """

    first_s: float
    times: tuple[float, ...]
    event_times: tuple[float, ...]
    first_token_times: tuple[float, ...]
    busy_cores: float | None
    slowdown: str | None


class Watch:
    """The moment within a run at which its first token was there."""

    def __init__(self, device: str) -> None:
        self._device = device
        self._start = 0.0
        self.first_s: float | None = None

    def start(self) -> None:
        """A run begins."""
        self.first_s = None
        self._start = time.perf_counter()

    def mark(self) -> None:
        """A token has been chosen; only the first of a run counts."""
        if self.first_s is None:
            devices.synchronize(self._device)
            self.first_s = time.perf_counter() - self._start


def trials(
    call: Callable[[], Result],
    job: Job,
    see_first: Callable[[Result], None] = lambda result: None,
    watch: Watch | None = None,
) -> tuple[Result, Trials]:
    """Run ``call`` to warm up, at least once, then timed, with the device idle around each.

    At least ``min_trials`` runs are timed; more until the median is known to PRECISION, the job's
    time budget is spent or there are ``trials``. Returns the last result beside the times;
    ``see_first`` is given the first. ``watch`` is what the call marks at its first token.
    """
    watch = watch or Watch(job.device)
    devices.synchronize(job.device)
    watch.start()
    start = time.perf_counter()
    result = call()
    devices.synchronize(job.device)
    first_s = time.perf_counter() - start
    see_first(result)
    for _ in range(job.warmup - 1):
        watch.start()
        call()
    times: list[float] = []
    first_tokens: list[float] = []
    events = _Events(job.device)
    throttles = condition.processor_throttles()
    devices.synchronize(job.device)
    load = _Load()
    while True:
        watch.start()
        start = time.perf_counter()
        events.start()
        result = call()
        events.end()
        devices.synchronize(job.device)
        times.append(time.perf_counter() - start)
        events.read()
        if watch.first_s is not None:
            first_tokens.append(watch.first_s)
        if len(times) >= job.min_trials and (
            len(times) >= job.trials
            or sum(times) >= job.time_budget_s
            or latency.summary(times).precision <= PRECISION
        ):
            break
    busy_cores = load.of_others()
    slowdown = _slowdown(job.device, throttles)
    return result, Trials(
        first_s, tuple(times), tuple(events.times), tuple(first_tokens), busy_cores, slowdown
    )


def _slowdown(device: str, throttles: int | None) -> str | None:
    if device.partition(":")[0] == "cuda":
        reason = condition.gpu_slowdown(device)
        if reason is not None:
            return f"the GPU ran below its clock ({reason})"
    after = condition.processor_throttles()
    if throttles is not None and after is not None and after > throttles:
        return f"the processor slowed itself for heat {after - throttles} times"
    return None


class _Events:
    """Two events in a CUDA device's own queue around each run; nothing on another device."""

    def __init__(self, device: str) -> None:
        self.times: list[float] = []
        self._events: tuple[Any, Any] | None = None
        if device.partition(":")[0] == "cuda":
            import torch

            # Events belong to the current device.
            torch.cuda.set_device(devices.torch_device(device))
            self._events = (
                torch.cuda.Event(enable_timing=True),
                torch.cuda.Event(enable_timing=True),
            )

    def start(self) -> None:
        if self._events is not None:
            self._events[0].record()

    def end(self) -> None:
        if self._events is not None:
            self._events[1].record()

    def read(self) -> None:
        """Keep the seconds between the two, once the device is idle."""
        if self._events is not None:
            self.times.append(self._events[0].elapsed_time(self._events[1]) / 1000)


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
