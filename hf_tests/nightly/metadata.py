"""What a run's files say about where and how it ran. No secrets: fixed fields only."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import hf_tests
from hf_tests import dependencies


def now() -> str:
    """The time in UTC as ISO 8601, to the second."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def of_run(run_id: str, started: str, options: Mapping[str, Any], isolation: str) -> dict[str, Any]:
    """Metadata known when a run starts."""
    return {
        "run_id": run_id,
        "started": started,
        "version": hf_tests.__version__,
        "isolation": isolation,
        "options": dict(options),
        "versions": dependencies.versions(),
        "cuda_build": dependencies.torch_cuda_build(),
    }
