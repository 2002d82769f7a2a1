"""Loaded, what a property is asked of, and how a check asks for all properties of its family."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from hf_tests import dependencies, outcome
from hf_tests.job import Job
from hf_tests.outcome import Property
from hf_tests.probe import inference, parity, tasks, tolerances
from hf_tests.probe.judge import WrongOutput, require
from hf_tests.probe.record import Record

PREFIX = "property_"
"""Names of a TestCase's methods that are properties of its family."""

RUNS = 2
"""Two runs are compared here, and each may be off by the tolerance of one."""


class Loaded:
    """A model that a check has loaded, run and found right.

    ``inputs`` are those of its task, on its device, and ``outputs`` what it made of them;
    ``tolerance`` is the normalised RMSE up to which two runs of it are the same; ``worst`` the
    largest that `same` has found, None where it was not asked.
    """

    def __init__(
        self, subject: tasks.Subject, inputs: Mapping[str, Any], outputs: Any, tolerance: float
    ) -> None:
        self.network = tasks.generation.speaking(subject.network)
        self.processor = subject.processor
        self.tokenizer = tasks.base.tokenizer_of(subject.processor)
        self.config = self.network.config
        self.inputs = dict(inputs)
        self.outputs = outputs
        self.tolerance = tolerance
        self.worst: float | None = None
        self.model = subject.model
        self._subject = subject
        self._task = tasks.get(subject.model.task)
        self._made: dict[str, Any] = {}

    def answer(self, outputs: Any) -> Any:
        """The tensor among a network's outputs that speaks for them: logits, or features."""
        return self._task.answer(outputs)

    def run(self, inputs: Mapping[str, Any]) -> Any:
        """One inference on other inputs, as the task makes it."""
        return self._task.run(self._subject, dict(inputs))

    def read(self, inputs: Mapping[str, Any]) -> Any:
        """What the network makes of inputs in one call, before it has generated anything."""
        return self.network(**self._task.one_pass(self._subject, dict(inputs)))

    def once(self, name: str, make: Callable[[], Any]) -> Any:
        """What several properties need and is dear to make, kept under a name."""
        if name not in self._made:
            self._made[name] = make()
        return self._made[name]

    def same(self, found: Any, wanted: Any, what: str) -> None:
        """Two tensors agree within the tolerance; raises WrongOutput where they do not."""
        if tuple(found.shape) != tuple(wanted.shape):
            raise WrongOutput(f"{what}: shape {tuple(found.shape)}, not {tuple(wanted.shape)}")
        error = parity.nrmse(found, wanted)
        self.worst = max(error, self.worst or 0.0)
        require(
            error <= self.tolerance,
            f"{what}: normalised RMSE {error:.2g}, tolerance {self.tolerance:.2g}",
        )

    def different(self, found: Any, other: Any, what: str) -> None:
        """Two tensors of one shape differ; raises WrongOutput where they do not.

        What is not read at all makes no difference in any dtype, since the same numbers are then
        added in the same order; so the least that counts is that of float32.
        """
        error = parity.nrmse(found, other)
        least = min(self.tolerance / RUNS, tolerances.TOLERANCES["float32"].least)
        require(error > least, f"{what}: normalised RMSE {error:.2g}, not above {least:.2g}")

    def place(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """What a processor gave, on the network's device and in its dtype."""
        return inference.on_device(self.network, inputs)

    def encode(self, texts: str | Sequence[str]) -> dict[str, Any]:
        """Token ids and attention mask of one or more texts, padded to the longest."""
        padding = not isinstance(texts, str)
        return self.place(self.tokenizer(texts, return_tensors="pt", padding=padding))


Holds = Callable[[Loaded], None]
"""A property: raises WrongOutput where it does not hold. Its name and docstring are shown."""


def hold(
    properties: Sequence[Holds],
    job: Job,
    record: Record,
    subject: tasks.Subject,
    inputs: Mapping[str, Any],
    outputs: Any,
) -> None:
    """Ask for every property, keep what came in the record, and then raise the first failure.

    What the registry says the model is ``without`` is not asked for. Raises WrongOutput, or at once
    whatever the libraries raise.
    """
    import torch

    figures = record.parity
    floor = None if figures is None else figures.noise_floor
    allowed = RUNS * tolerances.tolerance(record.measurement.dtype or "float32", job.device, floor)
    loaded = Loaded(subject, inputs, outputs, allowed)
    first: WrongOutput | None = None
    for asked in properties:
        name = name_of(asked)
        reason = _without(job, name)
        if reason is not None:
            record.properties.append(_property(asked, outcome.SKIPPED, reason=reason))
            continue
        loaded.worst = None
        # Models write into what they are given, some in generate.
        loaded.inputs = {name: _copied(value) for name, value in inputs.items()}
        status, error = outcome.ERROR, "it did not come to its end"
        try:
            with record.timed("judgement"), torch.inference_mode():
                asked(loaded)
            status, error = outcome.PASSED, ""
        except WrongOutput as wrong:
            status, error = outcome.FAILED, str(wrong)
            first = first or WrongOutput(f"{name}: {wrong}")
        except Exception as raised:
            error = str(raised)
            raise
        finally:
            figure: dict[str, float] = {}
            if loaded.worst is not None and math.isfinite(loaded.worst):  # JSON has no infinity
                figure = {"nrmse": loaded.worst, "tolerance": allowed}
            record.properties.append(_property(asked, status, error=error or None, **figure))
    if first is not None:
        raise first


def _copied(value: Any) -> Any:
    return value.clone() if hasattr(value, "clone") else value


def name_of(asked: Holds) -> str:
    """A property's name in results and in the registry."""
    return str(getattr(asked, "__name__", asked)).removeprefix(PREFIX)


def _property(asked: Holds, status: str, **fields: Any) -> Property:
    return Property(name_of(asked), (asked.__doc__ or "").strip(), status, **fields)


def _without(job: Job, name: str) -> str | None:
    for item in job.model.without:
        if item.property == name and dependencies.applies(item.versions):
            return item.reason
    return None


class _Enough(Exception):
    """As many calls were seen as there was need to see."""


@contextmanager
def calls(module: Any, enough: int = 0) -> Iterator[list[dict[str, Any]]]:
    """The named arguments of each call of a torch module while the block runs.

    After ``enough`` of them the block is left.
    """
    seen: list[dict[str, Any]] = []

    def keep(called: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        del called, arguments
        seen.append(dict(named))
        if len(seen) == enough:
            raise _Enough

    handle = module.register_forward_pre_hook(keep, with_kwargs=True)
    try:
        with suppress(_Enough):
            yield seen
    finally:
        handle.remove()
