"""The environment variables of a job's process: the same for every job, whatever the parent's."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from hf_tests import gpu_driver
from hf_tests.job import Job

ROOT = Path(__file__).resolve().parent.parent.parent

QUIET_AND_REPEATABLE = {
    "OPENBLAS_NUM_THREADS": "1",  # importing numpy would start threads; models do not use them
    "PYTORCH_NVML_BASED_CUDA_CHECK": "1",  # asking for CUDA makes no context that a fork breaks
    "DO_NOT_TRACK": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "PYTHONHASHSEED": "0",
    "PYTHONIOENCODING": "utf-8",
    "PYTHONUNBUFFERED": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "TQDM_DISABLE": "1",
}


def downloads(job: Job) -> bool:
    """Whether a job still has to fetch its checkpoint, and so may reach the Hub."""
    return job.weights == "hub" and job.checkpoint is None


def adopt(*, downloads: bool) -> None:
    """Give this very process the same variables, for tests that run in it.

    Without ``downloads`` the Hub cannot be reached. To be called before its client is imported.
    """
    wanted = {**gpu_driver.ORDER, **QUIET_AND_REPEATABLE}
    if not downloads:
        wanted["HF_HUB_OFFLINE"] = "1"
    for name, value in wanted.items():
        os.environ.setdefault(name, value)


def of_job(job: Job, temporary: Path, parent: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The variables for a job; ``temporary`` becomes its folder for temporary files.

    Only a job that still has to download its checkpoint may reach the Hub.
    """
    environment = {**gpu_driver.ORDER, **parent, **QUIET_AND_REPEATABLE}
    environment["TMPDIR"] = environment["TEMP"] = environment["TMP"] = str(temporary)
    paths = [str(ROOT), *filter(None, [parent.get("PYTHONPATH")])]
    environment["PYTHONPATH"] = os.pathsep.join(paths)
    if job.cores:
        environment["OMP_NUM_THREADS"] = str(len(job.cores))
    if not downloads(job):
        environment["HF_HUB_OFFLINE"] = "1"
    return environment
