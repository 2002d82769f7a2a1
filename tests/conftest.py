"""How many processes pytest-xdist starts, and with how many threads each computes.

One process more than there are cores: every other test waits for processes that it started, or for
a clock, a third of its time.

Each computes with its share of the cores. With threads for all cores in each, two processes on two
cores take several times as long: the threads of one wait, and spin, for those that the other's have
taken the place of.
"""

from __future__ import annotations

import os

import pytest

WORKERS = os.environ.get("PYTEST_XDIST_WORKER_COUNT")

if WORKERS is not None:
    # Before torch is imported, which asks for it once; commands that a test starts have it too.
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // int(WORKERS))))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """What ``--numprocesses logical`` means."""
    return (os.cpu_count() or 1) + 1
