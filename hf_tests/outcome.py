"""What a check ends in: statuses, error types, and CheckResult, the one thing that comes back.

Nothing here imports a model library: both sides of the process boundary use it.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

PASSED = "passed"
FAILED = "failed"
ERROR = "error"
TIMEOUT = "timeout"
CRASHED = "crashed"
SKIPPED = "skipped"
EXPECTED_FAILURE = "expected_failure"
UNEXPECTED_SUCCESS = "unexpected_success"

STATUSES = (
    PASSED,
    FAILED,
    ERROR,
    TIMEOUT,
    CRASHED,
    SKIPPED,
    EXPECTED_FAILURE,
    UNEXPECTED_SUCCESS,
)

BAD_STATUSES = frozenset({FAILED, ERROR, TIMEOUT, CRASHED, UNEXPECTED_SUCCESS})
"""Statuses that make a run's exit status 1."""

ERROR_TYPES = (
    "none",
    "missing_dependency",
    "cuda_error",
    "out_of_memory",
    "timeout",
    "crash",
    "model_not_found",
    "access_denied",
    "network",
    "corrupt_checkpoint",
    "remote_code_required",
    "unsupported",
    "conversion",
    "wrong_output",
    "disk_full",
    "interrupted",
    "other",
)

STAGES = (
    "import",
    "build",
    "download",
    "tokenizer",
    "model",
    "move",
    "conversion",
    "compile",
    "inference",
    "judgement",
)
"""How far a check comes, in about this order: libraries are imported, the tiny checkpoint is built
or the published one downloaded, tokenizer or processor and model are loaded, the model is moved to
its device or converted and compiled for it, it runs, and its output is judged."""

WEIGHTS = ("hub", "local", "tiny")
"""Where a checkpoint came from; stated on every result."""

METHODS = ("pipeline", "from_pretrained", "openvino")


def check_key(method: str, device: str) -> str:
    """The key of a check in a result file: ``pipeline_cuda:1``, ``openvino_cpu``.

    The ``openvino`` method only runs on OpenVINO's own devices, so their prefix is not repeated.
    """
    if method == "openvino":
        _, _, unit = device.partition(":")
        return f"openvino_{unit or 'cpu'}"
    return f"{method}_{device}"


@dataclass(frozen=True)
class Example:
    """One input and the output it gave, both in JSON types and short enough to read."""

    input: Any
    output: Any


@dataclass(frozen=True)
class Measurement:
    """Figures of one check. Times are seconds, sizes MiB; None is "not measured".

    ``trial_times`` holds every timed trial in order, warm-up excluded; each did ``work`` of
    ``work_unit`` on ``batch_size`` times the sample input with ``threads`` threads, and meanwhile
    other processes used ``busy_cores`` cores' worth of time. ``event_times`` are the same trials
    between two events of a CUDA device, without what the processor did before and after.
    ``first_token_times`` are those until a generating model's first token, of ``tokens`` that it
    generated in all. ``slowdown`` says why the processor or GPU ran below its clock, if it did.
    ``load_time`` is all of loading; ``tokenizer_load_time`` and ``model_load_time`` are its parts
    where the method loads them apart, ``device_time`` that of moving the model to its device,
    ``compile_time`` that of compiling it for OpenVINO.
    ``conversion_time`` is what converting for OpenVINO took, in an earlier run where
    ``conversion_cached``; ``conversion_path`` names what did it.
    ``first_inference_time`` is the very first run, with what is compiled in it.
    ``page_cache_share`` is how much of the checkpoint's files was in the system's page cache before
    loading: near 1 they were read from memory, near 0 from disk. ``memory_before_mb`` and
    ``memory_after_load_mb`` are the process's resident set around loading, interpreter and
    libraries included, ``peak_memory_mb`` its peak from then on, and ``memory_growth_mb`` the part
    of the peak above the level before. On a CUDA device torch allocated
    ``device_peak_memory_mb`` at most, and reserved ``device_reserved_mb``.
    """

    load_time: float | None = None
    tokenizer_load_time: float | None = None
    model_load_time: float | None = None
    device_time: float | None = None
    compile_time: float | None = None
    conversion_time: float | None = None
    conversion_cached: bool | None = None
    conversion_path: str | None = None
    first_inference_time: float | None = None
    page_cache_share: float | None = None
    trial_times: tuple[float, ...] = ()
    event_times: tuple[float, ...] = ()
    first_token_times: tuple[float, ...] = ()
    tokens: int | None = None
    batch_size: int = 1
    threads: int | None = None
    work: float | None = None
    work_unit: str | None = None
    busy_cores: float | None = None
    slowdown: str | None = None
    model_size_mb: float | None = None
    num_parameters: int | None = None
    dtype: str | None = None
    memory_before_mb: float | None = None
    memory_after_load_mb: float | None = None
    peak_memory_mb: float | None = None
    memory_growth_mb: float | None = None
    device_peak_memory_mb: float | None = None
    device_reserved_mb: float | None = None


@dataclass(frozen=True)
class Parity:
    """How far a check's outputs are from the float32 reference on the CPU, for the same inputs.

    ``nrmse`` is the normalised root mean square error of ``output``, the worst of those compared;
    None where that is missing, of another shape or not finite. ``cosine`` is the least similarity,
    ``top1_agreement`` the share of positions whose most likely class is the same, ``equal_tokens``
    that of generated tokens; None where there are none. ``noise_floor`` is the nrmse of the
    reference itself against float64. A check that is the reference has its noise floor alone, and
    no ``output``. See `hf_tests.probe.parity` and `hf_tests.probe.tolerances`.
    """

    nrmse: float | None
    output: str | None
    cosine: float | None
    top1_agreement: float | None
    tolerance: float
    noise_floor: float | None = None
    equal_tokens: float | None = None


@dataclass(frozen=True)
class Property:
    """What must hold of a family's models, whatever their weights, and whether it did.

    ``says`` is the property in words; ``status`` one of passed, failed, error and skipped, with the
    ``error`` or the ``reason``. ``nrmse`` is the largest difference found between outputs that have
    to be the same, None where none were compared, and ``tolerance`` what is allowed.
    """

    name: str
    says: str
    status: str
    error: str | None = None
    reason: str | None = None
    nrmse: float | None = None
    tolerance: float | None = None


MEASURED, NOT_APPLICABLE = "measured", "not applicable"


@dataclass(frozen=True)
class Answer:
    """What a model said to a question whose answer the registry knows, and from where."""

    question: str
    expected: str
    found: str
    source: str
    is_right: bool


@dataclass(frozen=True)
class Accuracy:
    """A figure on a small labelled set of our own: ``value`` in ``unit`` over ``count`` of it.

    ``unit`` is ``share right`` (0 to 1) or ``perplexity`` (1 is best).
    """

    name: str
    value: float
    count: int
    unit: str


@dataclass(frozen=True)
class Quality:
    """What a checkpoint with real weights knows. ``status`` is MEASURED or NOT_APPLICABLE.

    ``reason`` says why there is no ``accuracy``. A tiny checkpoint's is never applicable.
    """

    status: str
    answers: tuple[Answer, ...] = ()
    accuracy: Accuracy | None = None
    reason: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The JSON form; `from_json` is its inverse."""
        return {
            **vars(self),
            "answers": [vars(item) for item in self.answers],
            "accuracy": None if self.accuracy is None else vars(self.accuracy),
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Quality:
        """Rebuild it from `to_json`'s form."""
        accuracy = data["accuracy"]
        return cls(
            data["status"],
            tuple(Answer(**item) for item in data["answers"]),
            None if accuracy is None else Accuracy(**accuracy),
            data["reason"],
        )


@dataclass(frozen=True)
class Row:
    """Figures of a check in another dtype than its first, or on a batch.

    ``dtype`` is empty for a batch in the first one.
    ``error`` where it failed so, ``reason`` where it cannot run so.
    """

    dtype: str
    measurement: Measurement
    parity: Parity | None = None
    error: str | None = None
    reason: str | None = None
    batch_size: int = 1

    @property
    def suffix(self) -> str:
        """What follows the check's key in this row's: ``_bfloat16``, ``_bfloat16_batch8``."""
        batch = f"_batch{self.batch_size}" if self.batch_size > 1 else ""
        return (f"_{self.dtype}" if self.dtype else "") + batch


@dataclass(frozen=True)
class Rerun:
    """How a check ended that was run once more, in a fresh process, and what it measured then.

    It had failed, or its figures were suspect. ``further`` is what still more processes measured.
    """

    status: str
    error_type: str = "none"
    error: str | None = None
    traceback: str | None = None
    duration: float = 0.0
    measurement: Measurement = dataclasses.field(default_factory=Measurement)
    further: tuple[Measurement, ...] = ()


@dataclass(frozen=True)
class CheckResult:
    """One method on one model on one device: how it ended and what it measured.

    ``stage`` is the one of `STAGES` that it reached. What was raised stands in one line in
    ``error``, of the type ``error_type``, and whole in ``traceback``; ``hint`` says what to do, and
    ``log_tail`` how its job's log ends.

    ``jobs_beside`` is the largest number of other jobs that ran while its own did. With a
    ``rerun`` the status stays that of the first time.
    """

    family: str
    model: str
    device: str
    method: str
    task: str
    class_name: str
    weights: str
    status: str
    isolation: str = "none"
    checkpoint: str | None = None
    commit: str | None = None
    weights_sha256: str | None = None
    error_type: str = "none"
    error: str | None = None
    traceback: str | None = None
    hint: str | None = None
    stage: str | None = None
    log_tail: str | None = None
    reason: str | None = None
    duration: float = 0.0
    measurement: Measurement = dataclasses.field(default_factory=Measurement)
    predictions: tuple[Any, ...] = ()
    examples: tuple[Example, ...] = ()
    parity: Parity | None = None
    properties: tuple[Property, ...] = ()
    quality: Quality | None = None
    rows: tuple[Row, ...] = ()
    jobs_beside: int = 0
    rerun: Rerun | None = None

    def __post_init__(self) -> None:
        if self.status not in STATUSES:
            raise ValueError(f"unknown status {self.status!r}; one of {', '.join(STATUSES)}")
        if self.error_type not in ERROR_TYPES:
            raise ValueError(f"unknown error type {self.error_type!r}")
        if self.weights not in WEIGHTS:
            raise ValueError(f"unknown weights {self.weights!r}")
        if self.stage is not None and self.stage not in STAGES:
            raise ValueError(f"unknown stage {self.stage!r}; one of {', '.join(STAGES)}")

    @property
    def key(self) -> str:
        """The check's key in the model's result file."""
        return check_key(self.method, self.device)

    @property
    def is_bad(self) -> bool:
        """Whether this result makes the run fail."""
        return self.status in BAD_STATUSES

    @property
    def is_flaky(self) -> bool:
        """Whether it failed and, run once more, ended in another status."""
        return self.rerun is not None and self.rerun.status != self.status

    def to_json(self) -> dict[str, Any]:
        """The JSON form; `from_json` is its inverse."""
        # dataclasses.asdict would copy every value of every prediction.
        return {
            **vars(self),
            "measurement": vars(self.measurement),
            "examples": [vars(example) for example in self.examples],
            "parity": None if self.parity is None else vars(self.parity),
            "properties": [vars(item) for item in self.properties],
            "quality": None if self.quality is None else self.quality.to_json(),
            "rows": [
                {
                    **vars(row),
                    "measurement": vars(row.measurement),
                    "parity": None if row.parity is None else vars(row.parity),
                }
                for row in self.rows
            ],
            "rerun": None
            if self.rerun is None
            else {
                **vars(self.rerun),
                "measurement": vars(self.rerun.measurement),
                "further": [vars(item) for item in self.rerun.further],
            },
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> CheckResult:
        """Rebuild a result from `to_json`'s form.

        Raises KeyError, TypeError or ValueError when the data has another form.
        """
        values = dict(data)
        measurement = _measurement(values.pop("measurement"))
        examples = tuple(Example(**example) for example in values.pop("examples"))
        predictions = tuple(values.pop("predictions"))
        parity, rerun = _parity(values.pop("parity", None)), values.pop("rerun", None)
        quality = values.pop("quality", None)
        rows = tuple(
            Row(
                row["dtype"],
                _measurement(row["measurement"]),
                _parity(row["parity"]),
                row["error"],
                row["reason"],
                row.get("batch_size", 1),
            )
            for row in values.pop("rows", ())
        )
        return cls(
            parity=parity,
            properties=tuple(Property(**item) for item in values.pop("properties", ())),
            quality=None if quality is None else Quality.from_json(quality),
            rows=rows,
            rerun=None if rerun is None else _rerun(rerun),
            measurement=measurement,
            predictions=predictions,
            examples=examples,
            **values,
        )


def _measurement(data: dict[str, Any]) -> Measurement:
    lists = {name: tuple(value) for name, value in data.items() if isinstance(value, list)}
    return Measurement(**{**data, **lists})


def _rerun(data: dict[str, Any]) -> Rerun:
    figures = data.get("measurement")
    further = tuple(_measurement(item) for item in data.get("further", ()))
    first = _measurement(figures) if figures else Measurement()
    return Rerun(**{**data, "measurement": first, "further": further})


def _parity(data: dict[str, Any] | None) -> Parity | None:
    return None if data is None else Parity(**data)
