"""The common end of the methods that call a network themselves: run, time, judge, compare."""

from __future__ import annotations

import dataclasses
import inspect
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from hf_tests.job import Job
from hf_tests.probe import judge, memory, parity, tasks, timing, tolerances
from hf_tests.probe.record import Record
from hf_tests.probe.reference import Reference

KEPT = "_keep_in_fp32_modules_strict"
"""transformers' name for the parts of a network that are in float32 whatever its dtype."""


def measure(
    job: Job,
    record: Record,
    subject: tasks.Subject,
    inputs: dict[str, Any],
    peak: memory.PeakMemory,
    task: tasks.Task | None = None,
) -> Any:
    """Run the network on its inputs, keep times and memory, and judge the last outputs.

    ``task`` is the one in whose way it is run, where that is not the model's own. Returns the
    outputs. Raises WrongOutput, also where the same inputs did not give the same
    outputs, or whatever the network raises.
    """
    import torch

    task = task or tasks.get(job.model.task)
    outputs = _run(job, record, subject, inputs, peak, task)
    with record.timed("judgement"), torch.inference_mode():
        record.verdict = task.judge(subject, inputs, outputs)
    return outputs


def batches(
    job: Job,
    record: Record,
    subject: tasks.Subject,
    inputs: dict[str, Any],
    reference: Reference,
    task: tasks.Task | None = None,
) -> None:
    """Run, time and compare the loaded network on batches of each of the job's sizes.

    A batch is the sample input several times; each of its rows is held against the reference's.
    Raises WrongOutput or whatever the network raises; sizes beyond that are not tried.
    """
    task = task or tasks.get(job.model.task)
    for size in job.batch_sizes:
        part = record.begin_batch(size)
        if task.graph_has_one_size and record.measurement.conversion_path:
            part.reason = "the graph is for as many inputs as it was made with"
        part.reason = part.reason or task.takes_one or None
        if part.reason is not None:
            continue
        peak = memory.PeakMemory(job.device)
        many = task.batch(inputs, size)
        outputs = _run(job, part, subject, many, peak, task)
        compare(job, part, subject, many, reference, outputs, task)


def _run(
    job: Job,
    record: Record,
    subject: tasks.Subject,
    inputs: dict[str, Any],
    peak: memory.PeakMemory,
    task: tasks.Task,
) -> Any:
    """The outputs of the last trial; times and memory are kept.

    Raises WrongOutput where the first run's were others, or where any is NaN.
    """
    import torch

    first: list[Any] = []

    def keep(result: Any) -> None:
        # OpenVINO's outputs are views of memory that the next inference fills.
        first.extend(tensor.clone() for _, tensor in _tensors(result))

    watch = timing.Watch(job.device)
    watched = dataclasses.replace(subject, watch=watch)
    with record.timed("inference"), torch.inference_mode():
        outputs, found = timing.trials(lambda: task.run(watched, inputs), job, keep, watch)
    record.note_trials(found, task.work(job.model))
    record.note_memory(peak)
    new = task.generated(outputs)
    record.note(threads=torch.get_num_threads(), tokens=None if new is None else new.numel())
    record.stage = "judgement"
    last = list(_tensors(outputs))
    for name, tensor in last:
        judge.no_nan(tensor, name)  # else it would be said to change: NaN is equal to nothing
    allowed = tolerances.of_repeats(record.measurement.dtype or "float32", job.device)
    _demand_equal(first, [tensor for _, tensor in last], allowed)
    return outputs


def compare(
    job: Job,
    record: Record,
    subject: tasks.Subject,
    inputs: dict[str, Any],
    reference: Reference,
    outputs: Any = None,
    task: tasks.Task | None = None,
) -> None:
    """Hold the network against the reference; ``outputs`` are those of its own run, if any.

    ``inputs`` may be the reference's as a batch of the record's size. A network that is the
    reference itself has nothing to be held against but its own rows in a batch. Raises WrongOutput
    where they differ by more than the tolerance.
    """
    import torch

    task = task or tasks.get(job.model.task)
    allowed = tolerances.tolerance(
        record.measurement.dtype or "float32", job.device, reference.noise_floor
    )
    record.stage = "judgement"
    size = record.measurement.batch_size
    if reference.is_own and size == 1:
        record.parity = parity.of_reference(allowed, reference.noise_floor)
        return
    with torch.inference_mode():
        equal = None
        if reference.tokens is None:
            found = task.compared(task.run(subject, inputs) if outputs is None else outputs)
        else:
            tokens = task.repeated(reference.tokens, size)
            found = task.forced(subject, inputs, tokens)
            if outputs is not None:
                equal = float((task.generated(outputs) == tokens).double().mean())
        record.parity = parity.compare(
            {name: tensor.detach().float().cpu() for name, tensor in found.items()},
            {
                name: _repeated(task, tensor, size, found.get(name))
                for name, tensor in reference.outputs.items()
            },
            allowed,
            reference.noise_floor,
            equal,
        )
    for name, tensor in found.items():
        judge.no_nan(tensor, name)
    parity.demand(record.parity)


def _repeated(task: tasks.Task, wanted: Any, size: int, found: Any) -> Any:
    """The rows of one output of the reference as often as a batch has them.

    Not every output has: the texts that a batch of images is held against are there once.
    """
    if found is None:
        return wanted
    if found.shape[0] == size * wanted.shape[0]:
        rows = task.repeated(wanted, size)
        if len(wanted) > 1 and rows.shape == found.shape:
            rows = _nearer(found, rows, wanted.repeat_interleave(size, 0))
        # Where as many texts as images are held against one another, the columns are more too.
        is_square = wanted.dim() > 1 and found.shape[1] == size * wanted.shape[1]
        return rows.repeat(1, size, *[1] * (rows.dim() - 2)) if is_square else rows
    # Images of any size are one sequence, the parts of one behind those of the other.
    packed = wanted.dim() > 1 and found.shape[:2] == (wanted.shape[0], size * wanted.shape[1])
    return wanted.repeat(1, size, *[1] * (wanted.dim() - 2)) if packed else wanted


def _nearer(found: Any, one: Any, other: Any) -> Any:
    """Of two orders of the same rows the one that was found.

    There are networks of videos that begin with the first frames of all.
    """
    found = found.detach().float().cpu()
    return one if parity.nrmse(found, one) <= parity.nrmse(found, other) else other


def on_device(network: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs on a torch network's device, those of floating point in its dtype.

    What is no tensor, such as numbers of frames or of tiles, stays as it is. So does what
    ``generate`` alone takes where a network has a part that is always in float32, and reads it.
    """
    taken = inspect.signature(network.forward).parameters
    is_kept = bool(getattr(network, KEPT, None))
    return {
        name: value.to(
            network.device,
            network.dtype
            if tasks.base.is_floating(value) and (name in taken or not is_kept)
            else None,
        )
        if hasattr(value, "to")
        else value
        for name, value in inputs.items()
    }


def _demand_equal(first: Sequence[Any], last: Sequence[Any], allowed: float) -> None:
    """Raise WrongOutput where two runs' tensors differ by more than a normalised RMSE."""
    import torch

    worst = 0.0 if len(first) == len(last) else math.inf
    for one, other in zip(first, last, strict=False):
        if not torch.equal(one, other):
            alike = one.shape == other.shape and other.is_floating_point()
            worst = max(worst, parity.nrmse(other, one) if alike else math.inf)
    says = "the same inputs did not give the same outputs twice"
    judge.require(worst <= allowed, f"{says}: normalised RMSE {worst:.2g}, allowed {allowed:.2g}")


def _tensors(outputs: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """All tensors in what a network returned, each with its place there: ``hidden_states.2``."""
    import torch

    items: Iterable[tuple[Any, Any]] = ()
    if isinstance(outputs, torch.Tensor):
        yield name or "output", outputs
    elif isinstance(outputs, Mapping):
        items = outputs.items()
    elif isinstance(outputs, (list, tuple)):
        items = enumerate(outputs)
    for key, value in items:
        yield from _tensors(value, f"{name}.{key}" if name else str(key))
