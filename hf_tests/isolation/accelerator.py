"""The memory of an accelerator between jobs: drivers free it after the process has gone."""

from __future__ import annotations

import time

from hf_tests import hardware

TIMEOUT_S = 30.0
PAUSE_S = 0.25  # each look starts the driver's tool, which takes about as long
TOLERANCE_MB = 64.0  # what other programs, a desktop for one, may have taken meanwhile


def used_mb(device: str) -> float | None:
    """Memory in use on the device before a job; None where there is nothing to wait for."""
    return hardware.gpu_memory_used_mb(device) if device.partition(":")[0] == "cuda" else None


def wait_until_freed(device: str, before_mb: float, timeout_s: float = TIMEOUT_S) -> str | None:
    """Wait until a job's memory is free again; a sentence where it is not in time."""
    deadline = time.monotonic() + timeout_s
    while True:
        used = used_mb(device)
        if used is None or used <= before_mb + TOLERANCE_MB:
            return None
        if time.monotonic() >= deadline:
            return (
                f"{used - before_mb:.0f} MiB of {device} were still in use {timeout_s:.0f} s after "
                "the job had ended"
            )
        time.sleep(PAUSE_S)
