"""What a run's files say about where and how it ran. No secrets: fixed fields only."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import hf_tests
from hf_tests import condition, dependencies, programs

ROOT = Path(hf_tests.__file__).resolve().parent.parent

VARIABLES = (
    "ATEN_CPU_CAPABILITY", "CUBLAS_WORKSPACE_CONFIG", "CUDA_DEVICE_ORDER", "CUDA_LAUNCH_BLOCKING",
    "CUDA_MODULE_LOADING", "CUDA_VISIBLE_DEVICES", "DNNL_MAX_CPU_ISA", "GOMP_CPU_AFFINITY",
    "HF_HUB_OFFLINE", "KMP_AFFINITY", "KMP_BLOCKTIME", "LD_PRELOAD", "MALLOC_ARENA_MAX",
    "MKL_NUM_THREADS", "NVIDIA_TF32_OVERRIDE", "OMP_NUM_THREADS", "OMP_PROC_BIND",
    "ONEDNN_MAX_CPU_ISA", "OPENBLAS_CORETYPE", "OPENBLAS_NUM_THREADS", "PYTHONHASHSEED",
    "PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF", "PYTORCH_ENABLE_MPS_FALLBACK",
    "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE", "TOKENIZERS_PARALLELISM", "TRANSFORMERS_OFFLINE",
)  # fmt: skip
"""Environment variables that can change a figure, and hold no secret. No other is written."""

GIT_TIMEOUT_S = 20.0


def now() -> str:
    """The time in UTC as ISO 8601, to the second."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def of_run(
    run_id: str,
    started: str,
    options: Mapping[str, Any],
    isolation: str,
    environment: Mapping[str, str] = os.environ,
) -> dict[str, Any]:
    """What is known when a run starts: enough to explain a difference a month later.

    ``environment`` is that of this process; of it only VARIABLES are taken.
    """
    return {
        "run_id": run_id,
        "started": started,
        "version": hf_tests.__version__,
        "commit": commit(),
        "isolation": isolation,
        "options": dict(options),
        "versions": dependencies.versions(),
        "torch_build": dependencies.torch_build(),
        "environment": {name: environment[name] for name in VARIABLES if name in environment},
        "before": condition.now().to_json(),
    }


def at_end() -> dict[str, Any]:
    """What is known when a run ends."""
    return {"finished": now(), "after": condition.now().to_json()}


def commit(root: Path = ROOT) -> str | None:
    """This project's commit, with ``+changes`` where files differ from it.

    None where it is not run from a checkout, or git is not there.
    """
    if not (root / ".git").exists():
        return None
    found = _git(root, "rev-parse", "HEAD")
    if found is None:
        return None
    changes = _git(root, "status", "--porcelain", "--untracked-files=no")
    return found if changes == "" else f"{found}+changes"


def _git(root: Path, *arguments: str) -> str | None:
    found = programs.output(["git", "-C", str(root), *arguments], GIT_TIMEOUT_S)
    return None if found is None else found.strip()
