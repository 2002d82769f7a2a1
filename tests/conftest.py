"""Under pytest-xdist each process computes with its share of the cores.

With threads for all cores in each, two processes on two cores take several times as long: the
threads of one wait, and spin, for those that the other's have taken the place of.
"""

from __future__ import annotations

import os

WORKERS = os.environ.get("PYTEST_XDIST_WORKER_COUNT")

if WORKERS is not None:
    # Before torch is imported, which asks for it once; commands that a test starts have it too.
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // int(WORKERS))))
