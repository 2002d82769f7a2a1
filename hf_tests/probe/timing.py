"""Timed trials of a call."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from hf_tests.probe import devices

Result = TypeVar("Result")


def trials(
    call: Callable[[], Result], device: str, warmup: int, count: int
) -> tuple[Result, tuple[float, ...]]:
    """Run ``call`` a few times unclocked, then ``count`` times with the device idle around each.

    Returns the last result and the seconds of each timed run.
    """
    for _ in range(warmup):
        call()
    times = []
    devices.synchronize(device)
    for _ in range(count):
        start = time.perf_counter()
        result = call()
        devices.synchronize(device)
        times.append(time.perf_counter() - start)
    return result, tuple(times)
