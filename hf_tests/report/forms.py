"""What a run's files hold, as frozen dataclasses; `hf_tests.report.reading` makes them.

Times are seconds and sizes MiB; None (or empty) is what the files do not say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from hf_tests import outcome


@dataclass(frozen=True)
class Figures:
    """What was measured of a check in one dtype.

    ``label`` tells apart the further rows of a check: its dtype; empty for the first row.
    """

    label: str = ""
    dtype: str | None = None
    num_runs: int | None = None
    median_time: float | None = None
    avg_time: float | None = None
    min_time: float | None = None
    max_time: float | None = None
    std_time: float | None = None
    p90_time: float | None = None
    p95_time: float | None = None
    p99_time: float | None = None
    median_interval: tuple[float, ...] = ()
    trial_times: tuple[float, ...] = ()
    throughput: float | None = None
    work_unit: str | None = None
    load_time: float | None = None
    tokenizer_load_time: float | None = None
    model_load_time: float | None = None
    device_time: float | None = None
    compile_time: float | None = None
    conversion_time: float | None = None
    first_inference_time: float | None = None
    peak_memory_mb: float | None = None
    memory_growth_mb: float | None = None
    device_peak_memory_mb: float | None = None
    model_size_mb: float | None = None
    num_parameters: int | None = None
    parity: float | None = None
    doubts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Parity:
    """How far the outputs are from the reference's; see `hf_tests.outcome.Parity`."""

    nrmse: float | None = None
    output: str | None = None
    cosine: float | None = None
    top1_agreement: float | None = None
    tolerance: float | None = None
    noise_floor: float | None = None
    equal_tokens: float | None = None


@dataclass(frozen=True)
class Quality:
    """What a checkpoint with real weights knows; see `hf_tests.outcome.Quality`."""

    status: str = ""
    right: int = 0
    asked: int = 0
    name: str = ""
    value: float | None = None
    count: int | None = None
    unit: str = ""


@dataclass(frozen=True)
class Dtype:
    """A further dtype that a check was run in, and why it failed or could not be."""

    dtype: str = ""
    error: str | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Check:
    """One method on one model on one device."""

    key: str
    family: str
    model: str
    device: str = ""
    method: str = ""
    task: str = ""
    class_name: str = ""
    weights: str = ""
    status: str = ""
    error_type: str = "none"
    error: str | None = None
    reason: str | None = None
    hint: str | None = None
    traceback: str | None = None
    stage: str | None = None
    duration: float | None = None
    checkpoint: str | None = None
    isolation: str | None = None
    jobs_beside: int | None = None
    flaky: bool = False
    rerun_status: str | None = None
    rerun_error: str | None = None
    figures: tuple[Figures, ...] = ()
    dtypes: tuple[Dtype, ...] = ()
    parity: Parity | None = None
    quality: Quality | None = None
    predictions: tuple[Any, ...] = ()
    examples: tuple[tuple[Any, Any], ...] = ()
    log: str | None = None
    log_tail: str | None = None

    @property
    def is_bad(self) -> bool:
        """Whether it makes the run fail; a status that is not known does."""
        return self.status in outcome.BAD_STATUSES or self.status not in outcome.STATUSES

    @property
    def message(self) -> str:
        """What there is to say about its status: why it was to be so, and the error."""
        return "\n".join(text for text in (self.reason, self.error) if text)


@dataclass(frozen=True)
class JobRow:
    """How one job's process lived and ended."""

    name: str = ""
    model: str = ""
    device: str = ""
    attempt: int | None = None
    isolation: str | None = None
    ending: str | None = None
    exit_status: int | None = None
    wall_time: float | None = None
    startup_time: float | None = None
    jobs_beside: int | None = None
    note: str | None = None


@dataclass(frozen=True)
class Model:
    """One model: its checks in the order of the run, and the processes that ran them."""

    family: str
    id: str
    description: str
    file: str | None
    checks: tuple[Check, ...]
    jobs: tuple[JobRow, ...]
    problem: str | None = None

    @property
    def weights(self) -> str:
        """Where its checkpoint came from, one of `outcome.WEIGHTS`; empty where nobody says."""
        return next((check.weights for check in self.checks if check.weights), "")


@dataclass(frozen=True)
class Device:
    """A device of the machine."""

    name: str = ""
    description: str = ""
    memory_mb: float | None = None
    driver: str | None = None


@dataclass(frozen=True)
class Run:
    """A run as its files tell it. ``whole`` is False where it was interrupted or killed."""

    id: str
    path: Path
    started: str
    finished: str | None
    wall_time: float | None
    whole: bool
    exit_status: int | None
    version: str
    options: Mapping[str, Any]
    versions: Mapping[str, str | None]
    system: str
    processor: str
    python: str
    cores: int | None
    memory_mb: float | None
    machine_devices: tuple[Device, ...]
    notes: tuple[str, ...]
    models: tuple[Model, ...]

    @cached_property
    def checks(self) -> tuple[Check, ...]:
        """Every check, model by model."""
        return tuple(check for model in self.models for check in model.checks)

    @cached_property
    def devices(self) -> tuple[str, ...]:
        """The devices that something ran on, in the order of the run."""
        return tuple(dict.fromkeys(check.device for check in self.checks))
