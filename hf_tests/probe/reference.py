"""The reference: what the checkpoint's class gives in float32 on the CPU for the same inputs.

The first check that needs it makes it; the others of the run read it from a file.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import math
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hf_tests import filenames
from hf_tests.job import Job
from hf_tests.probe import classes, integrity, memory, parity, tasks
from hf_tests.probe.record import Record

OUTPUT, TOKENS = "output.", "tokens"
DOUBLE_LIMIT_MB = 4096.0
"""Largest float32 model whose float64 twin is run too: it takes twice the memory."""


@dataclass(frozen=True)
class Reference:
    """A float32 model's outputs, and what was found out about it while it was there.

    ``outputs`` are tensors by name; ``tokens`` the ids that it generated, shape (1, new tokens),
    None for a task that generates none. ``noise_floor`` is the normalised RMSE of the outputs
    against the same model's in float64: what rounding alone makes; None where it could not be run.
    ``is_own`` where it is the very network that asks for it.
    """

    outputs: dict[str, Any]
    tokens: Any
    num_parameters: int
    size_mb: float
    noise_floor: float | None
    is_own: bool = False


def of(
    job: Job,
    record: Record,
    folder: str,
    processor: Any,
    inputs: Mapping[str, Any],
    network: Any = None,
    ran: Any = None,
) -> Reference:
    """The run's reference for these inputs; made where there is none yet.

    ``network`` is the check's own, where it is one of torch, and ``ran`` what its task's run on the
    inputs gave: where they can serve as the reference nothing is loaded and run twice. Raises what
    `make` raises.
    """
    found = find(job, inputs)
    if found is not None:
        return found
    if not _serves(network):
        return make(job, record, folder, processor, inputs)
    made = make(job, record, folder, processor, inputs, network, ran)
    return dataclasses.replace(made, is_own=True)


def _serves(network: Any) -> bool:
    """Whether a network is what a reference is: in float32 on the CPU."""
    import torch

    if network is None:
        return False
    return bool(network.dtype == torch.float32 and network.device.type == "cpu")


def find(job: Job, inputs: Mapping[str, Any]) -> Reference | None:
    """The reference for these inputs, where the run has one already."""
    path = _path(job, inputs)
    if path is None or not path.is_file():
        return None
    from safetensors import safe_open

    with safe_open(str(path), framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        facts = json.loads(file.metadata()["reference"])
    outputs = {
        name.removeprefix(OUTPUT): tensor
        for name, tensor in tensors.items()
        if name.startswith(OUTPUT)
    }
    return Reference(outputs, tensors.get(TOKENS), **facts)


def make(
    job: Job,
    record: Record,
    folder: str,
    processor: Any,
    inputs: Mapping[str, Any],
    network: Any = None,
    ran: Any = None,
) -> Reference:
    """Make the reference and keep it for the run.

    ``inputs`` are tensors on the CPU as the processor gave them. ``network`` is the model where it
    is loaded already, in float32 on the CPU, and ``ran`` what its task's run on the inputs gave.
    Raises CorruptCheckpoint where the checkpoint is not whole, and what the model raises.
    """
    if network is None:
        record.stage = "model"
        network, ran = load(folder, job), None
    task = tasks.get(job.model.task)
    subject = tasks.Subject(job.model, network, processor)
    import torch

    record.stage = "inference"
    with torch.inference_mode():
        if ran is None:
            ran = task.run(subject, dict(inputs))
        tokens = task.generated(ran)
        found = task.compared(ran) if tokens is None else task.forced(subject, dict(inputs), tokens)
        outputs = {
            # A copy each: one may be a view of another, which a file of safetensors does not take.
            name: tensor.detach().float().cpu().clone(memory_format=torch.contiguous_format)
            for name, tensor in found.items()
        }
        count, size = memory.model_size(network)
        floor = _noise_floor(task, subject, inputs, tokens, outputs) if _fits(size) else None
    reference = Reference(outputs, tokens, count, size, floor)
    path = _path(job, inputs)
    if path is not None:
        # Where it cannot be kept, others make their own; a full disk is the run's to notice.
        with contextlib.suppress(OSError):
            _save(reference, path)
    return reference


def load(folder: str, job: Job) -> Any:
    """The checkpoint's model in float32 on the CPU. Raises CorruptCheckpoint."""
    import torch

    network, info = classes.model_class(job, folder).from_pretrained(
        folder, output_loading_info=True, use_safetensors=True, dtype=torch.float32
    )
    integrity.check_loading(info)
    integrity.check_values(network)
    return network.eval()


def _noise_floor(
    task: tasks.Task,
    subject: tasks.Subject,
    inputs: Mapping[str, Any],
    tokens: Any,
    outputs: Mapping[str, Any],
) -> float | None:
    """Normalised RMSE of float32 outputs against float64; None where the model cannot run so."""
    import torch

    network = subject.network.to(torch.float64)
    try:
        wide = {
            name: value.double() if tasks.base.is_floating(value) else value
            for name, value in inputs.items()
        }
        if tokens is None:
            found = task.compared(task.run(subject, wide))
        else:
            found = task.forced(subject, wide, tokens)
        floor = max(parity.nrmse(outputs[name], tensor.cpu()) for name, tensor in found.items())
    except (RuntimeError, TypeError, ValueError, NotImplementedError):
        # An operator without a float64 form, a dtype that the code takes for given, or another
        # number of places that a model chooses.
        return None
    finally:
        network.to(torch.float32)  # without loss: it was float32 before
    return floor if math.isfinite(floor) else None  # JSON has no infinity


def _fits(size_mb: float) -> bool:
    return size_mb <= DOUBLE_LIMIT_MB


def _path(job: Job, inputs: Mapping[str, Any]) -> Path | None:
    if not job.reference_dir:
        return None
    name = f"{filenames.escape(job.model.id)}-{_digest(inputs)}.safetensors"
    return Path(job.reference_dir) / filenames.escape(job.model.family) / name


def _digest(inputs: Mapping[str, Any]) -> str:
    digest = hashlib.sha256()
    for name, value in sorted(inputs.items()):
        if not hasattr(value, "dtype"):  # numbers, or lists of them
            digest.update(f"{name} {value}\n".encode())
            continue
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode())
        digest.update(value.contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def _save(reference: Reference, path: Path) -> None:
    """Write the file under a temporary name and rename it: others may look for it meanwhile."""
    from safetensors.torch import save

    path.parent.mkdir(parents=True, exist_ok=True)
    tensors = {OUTPUT + name: tensor for name, tensor in reference.outputs.items()}
    if reference.tokens is not None:
        tensors[TOKENS] = reference.tokens.contiguous()
    facts = {
        "num_parameters": reference.num_parameters,
        "size_mb": reference.size_mb,
        "noise_floor": reference.noise_floor,
    }
    # Its own writer of files raises no OSError when the disk is full.
    data = save(tensors, metadata={"reference": json.dumps(facts)})
    descriptor, temporary = tempfile.mkstemp(prefix=".making-", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def audit(folder: str, job: Job) -> None:
    """Load a checkpoint, check it, and let it go again. Raises CorruptCheckpoint.

    For what cannot have the reference in its process before it has done its own work.
    """
    load(folder, job)
