"""Whether a device has room for a model's weights, before a job is started on it."""

from __future__ import annotations

from pathlib import Path

from hf_tests import checkpoint_files, hardware
from hf_tests.job import Job

BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}


def too_large(job: Job) -> str | None:
    """Why the weights do not fit into the device's free memory; None where they do.

    None too where one of the two sizes is not known. Of several dtypes the smallest counts.
    """
    if job.checkpoint is None or job.weights == "tiny":
        return None
    stored = checkpoint_files.stored(Path(job.checkpoint))
    free = _free_mb(job.device)
    if stored is None or free is None:
        return None
    usual = "float32" if job.device.partition(":")[0] in ("cpu", "openvino") else ""
    needed, dtype = min(
        (stored.parameters * BYTES[name] if name else stored.size, name)
        for name in job.dtypes or (usual,)
    )
    if needed / checkpoint_files.MIB <= free:
        return None
    size = needed / checkpoint_files.MIB
    return (
        f"its weights take {size:.0f} MiB in {dtype or 'their own dtype'}, and {job.device} has "
        f"{free:.0f} MiB free; --force tries all the same"
    )


def _free_mb(device: str) -> float | None:
    kind, _, unit = device.partition(":")
    if kind == "cpu" or (kind == "openvino" and unit in ("", "cpu")):
        return hardware.free_memory_mb()
    if kind != "cuda":
        return None
    name = device if unit else "cuda:0"
    total = next((item.memory_mb for item in hardware.detect().devices if item.name == name), None)
    used = hardware.gpu_memory_used_mb(device)
    return None if total is None or used is None else total - used
