"""What a check has found so far: filled while it runs, so that a failure keeps its figures."""

from __future__ import annotations

import contextlib
import dataclasses
import time
import unittest
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from hf_tests.outcome import Measurement, Parity, Property, Quality
from hf_tests.probe.memory import PeakMemory
from hf_tests.probe.timing import Trials

if TYPE_CHECKING:  # the tasks import what records
    from hf_tests.probe.tasks.base import Verdict, Work


class Skip(unittest.SkipTest):
    """The check cannot apply here; the message says why, ``error_type`` what kind of reason.

    ``of_dtype`` is whether it may apply in another dtype.
    """

    def __init__(self, reason: str, error_type: str = "none", *, of_dtype: bool = False) -> None:
        super().__init__(reason)
        self.error_type = error_type
        self.of_dtype = of_dtype


class Record:
    """Figures and findings of one check, and the stage of `outcome.STAGES` that it has reached."""

    def __init__(self) -> None:
        self.stage = "import"
        self.checkpoint: str | None = None
        self.verdict: Verdict | None = None
        self.parity: Parity | None = None
        self.properties: list[Property] = []
        self.quality: Quality | None = None
        self.measurement = Measurement()
        self.batches: list[Record] = []
        self.reason: str | None = None
        """Why this batch cannot be run, where it is one."""

    def note(self, **figures: Any) -> None:
        """Set figures of the measurement."""
        self.measurement = dataclasses.replace(self.measurement, **figures)

    def begin_batch(self, size: int) -> Record:
        """A record of its own for the same loaded network on ``size`` inputs at a time.

        Whatever ends the check from now on has happened to the last one that was begun.
        """
        batch = Record()
        batch.stage = "inference"  # which making so large an input is a part of
        batch.checkpoint = self.checkpoint
        known = self.measurement
        batch.note(
            batch_size=size,
            dtype=known.dtype,
            threads=known.threads,
            model_size_mb=known.model_size_mb,
            num_parameters=known.num_parameters,
        )
        self.batches.append(batch)
        return batch

    @contextlib.contextmanager
    def timed(self, stage: str, figure: str | None = None) -> Iterator[None]:
        """Name the stage of a block, and keep its seconds in a figure."""
        self.stage = stage
        start = time.perf_counter()
        yield
        if figure is not None:
            self.note(**{figure: time.perf_counter() - start})

    def note_trials(self, found: Trials, work: Work) -> None:
        """Keep the times of trials, and what each of them did for each input of its batch."""
        self.note(
            first_inference_time=found.first_s,
            trial_times=found.times,
            event_times=found.event_times,
            first_token_times=found.first_token_times,
            busy_cores=found.busy_cores,
            slowdown=found.slowdown,
            work=work.amount * self.measurement.batch_size,
            work_unit=work.unit,
        )

    def note_memory(self, peak: PeakMemory) -> None:
        """Keep the level before ``peak`` was made, and the peaks since."""
        self.note(
            memory_before_mb=peak.before_mb,
            peak_memory_mb=peak.peak_mb(),
            memory_growth_mb=peak.growth_mb(),
            device_peak_memory_mb=peak.device_peak_mb(),
            device_reserved_mb=peak.device_reserved_mb(),
        )
