"""Device names as torch and OpenVINO know them, and whether they can be used in this process."""

from __future__ import annotations

from typing import Any

from hf_tests.job import Job


def is_openvino(device: str) -> bool:
    """Whether a device belongs to OpenVINO."""
    return device.partition(":")[0] == "openvino"


def openvino_name(device: str) -> str:
    """OpenVINO's own name: ``openvino`` is CPU, ``openvino:gpu.1`` is GPU.1."""
    return (device.partition(":")[2] or "cpu").upper()


def torch_device(device: str) -> Any:
    """The torch.device of ``cpu``, ``cuda``, ``cuda:1`` or ``mps``.

    ``cuda`` is the first one, by its number: half of `torch.cuda` takes no device without.
    """
    import torch

    return torch.device("cuda:0" if device == "cuda" else device)


def unavailable(device: str) -> str | None:
    """Why a device cannot be used in this process; None when it can. Imports its library."""
    if is_openvino(device):
        import openvino

        name, found = openvino_name(device), openvino.Core().available_devices
        if name in found or any(item.startswith(f"{name}.") for item in found):
            return None
        return f"OpenVINO finds no {name} here, only {', '.join(found)}"
    kind, _, index = device.partition(":")
    if kind == "cpu":
        return None
    import torch

    if kind == "mps":
        return None if torch.backends.mps.is_available() else "torch finds no MPS device here"
    if not torch.cuda.is_available():
        built = torch.version.cuda
        return "torch finds no CUDA device here" if built else "this torch is built without CUDA"
    count = torch.cuda.device_count()
    if index and int(index) >= count:
        return f"torch finds {count} CUDA devices here, no number {index}"
    return None


CAPABILITIES = {"bfloat16": "BF16", "float16": "FP16"}
"""OpenVINO's names of what a device computes in, beside float32."""


def openvino_lacks(job: Job) -> str | None:
    """Why OpenVINO cannot run in the job's dtype on its device; None when it can.

    Asked for a dtype that the device does not have, it takes another and does not say so.
    """
    wanted = CAPABILITIES.get(job.dtype)
    if wanted is None:
        return None
    import openvino

    name = openvino_name(job.device)
    found = openvino.Core().get_property(name, "OPTIMIZATION_CAPABILITIES")
    if wanted in found:
        return None
    return f"OpenVINO's {name} does not compute in {job.dtype} here, only in {', '.join(found)}"


def synchronize(device: str) -> None:
    """Wait until all work queued on the device is done, so that a clock can be read."""
    kind = device.partition(":")[0]
    if kind == "cuda":
        import torch

        torch.cuda.synchronize(torch_device(device))
    elif kind == "mps":
        import torch

        torch.mps.synchronize()


def dtype_of(job: Job) -> Any:
    """The job's dtype; by default float32 on a CPU and the checkpoint's own elsewhere."""
    import torch

    if job.dtype:
        return getattr(torch, job.dtype)
    return torch.float32 if job.device == "cpu" else "auto"
