"""FamilyTestCase: a family's methods as unittest tests, each a subTest per model and device.

``python -m unittest hf_tests.test_bert`` and the isolated processes of runner.py run the very
same class; only who gives it its jobs and takes its results differs.
"""

from __future__ import annotations

import dataclasses
import os
import time
import traceback
import unittest
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from hf_tests import dependencies, hints, outcome, own_code, plain, stand_ins
from hf_tests.job import Job, result_for
from hf_tests.outcome import CheckResult, Row
from hf_tests.registry import Expectation

if TYPE_CHECKING:
    from hf_tests.probe.properties.base import Holds
    from hf_tests.probe.record import Record, Skip


class Recorder(Protocol):
    """Who wants to know what the checks of a TestCase do."""

    def started(self, job: Job, method: str) -> None:
        """A check begins."""

    def finished(self, result: CheckResult) -> None:
        """A check has ended."""


class _NoRecorder:
    def started(self, job: Job, method: str) -> None:
        pass

    def finished(self, result: CheckResult) -> None:
        pass


class FamilyTestCase(unittest.TestCase):
    """Base of all families' TestCases; a subclass names its family, as in ``family = "bert"``.

    ``jobs`` are the models and devices to test, None meaning those that the environment selects
    (HF_TESTS_MODELS, HF_TESTS_DEVICES, HF_TESTS_WEIGHTS; see `hf_tests.nightly.plan`).
    """

    family: ClassVar[str] = ""
    jobs: ClassVar[tuple[Job, ...] | None] = None
    recorder: ClassVar[Recorder] = _NoRecorder()

    @classmethod
    def setUpClass(cls) -> None:
        if not cls.family:
            raise unittest.SkipTest("the base class has no family")
        if cls.jobs is None:
            from hf_tests.isolation import environment
            from hf_tests.nightly import plan

            environment.adopt(downloads=os.environ.get("HF_TESTS_WEIGHTS") == "hub")
            cls.jobs = plan.jobs_from_environment(cls.family)

    def test_pipeline(self) -> None:
        """The task's pipeline loads the model, runs, and gives a right answer."""
        self.run_checks("pipeline")

    def test_from_pretrained(self) -> None:
        """The model's class loads it, runs, and gives right outputs."""
        self.run_checks("from_pretrained")

    def test_with_openvino(self) -> None:
        """The model is converted, OpenVINO runs it, and the outputs are right."""
        self.run_checks("openvino")

    def properties(self) -> tuple[Holds, ...]:
        """What is special about the family: its methods ``property_*``, in alphabetical order.

        Each is given the model that ``from_pretrained`` has loaded (`probe.properties.base`), says
        what holds in its docstring, and raises WrongOutput where it does not.
        """
        return tuple(getattr(self, name) for name in dir(self) if name.startswith("property_"))

    def run_checks(self, method: str) -> None:
        """One subTest for each job that has the method; skipped where there is none."""
        jobs = [job for job in self.jobs or () if method in job.methods]
        if not jobs:
            self.skipTest(f"no chosen model and device has the method {method}")
        for job in jobs:
            with self.subTest(model=job.model.id, device=job.device, weights=job.weights):
                self._check(job, method)

    def _check(self, job: Job, method: str) -> None:
        self.recorder.started(job, method)
        result, error = run_check(job, method, self.properties() if job.model.akin else ())
        self.recorder.finished(result)
        if result.status == outcome.SKIPPED:
            self.skipTest(result.reason or "")
        elif result.status == outcome.EXPECTED_FAILURE:
            self.skipTest(f"expected failure: {result.reason}")
        elif result.status == outcome.UNEXPECTED_SUCCESS:
            self.fail(f"unexpected success; it was expected to fail: {result.reason}")
        elif error is not None:
            raise error


def run_check(
    job: Job, method: str, properties: Sequence[Holds] = ()
) -> tuple[CheckResult, BaseException | None]:
    """Run one check and say how it ended; the exception that ended it is returned beside.

    ``properties`` are the family's, which the method ``from_pretrained`` asks for. Only
    KeyboardInterrupt and SystemExit are not caught.
    """
    from hf_tests.probe.record import Record, Skip

    start = time.perf_counter()
    attempts: list[_Attempt] = []
    for dtype in job.dtypes or (job.dtype,):
        attempt = _Attempt(dtype, Record())
        attempts.append(attempt)
        try:
            if len(attempts) == 1:
                _skip_where_it_cannot_apply(job, method)
            _run_method(job.replace(dtype=dtype), method, attempt.record, properties)
        except Skip as skip:
            attempt.skip = skip
            if not skip.of_dtype:
                break  # what stands in the way has nothing to do with the dtype
        except stand_ins.MissingLibrary as missing:
            attempt.skip = Skip(str(missing), "missing_dependency")
            break
        except Exception as error:  # noqa: BLE001 - whatever a model raises is a result
            attempt.error = error
            path = attempt.last.measurement.conversion_path
            attempt.described = describe(error, job, attempt.last.stage, method, path)
            # Its frames would keep the network in memory while the next one is loaded.
            traceback.clear_frames(error.__traceback__)
    return _result(job, method, time.perf_counter() - start, attempts)


@dataclasses.dataclass
class _Attempt:
    """A check in one dtype: what was recorded, and what ended it, if anything did."""

    dtype: str
    record: Record
    skip: Skip | None = None
    error: Exception | None = None
    described: dict[str, str] = dataclasses.field(default_factory=dict)

    @property
    def last(self) -> Record:
        """The record of what ran last in it: what ended it happened there."""
        return self.record.batches[-1] if self.record.batches else self.record

    @property
    def place(self) -> str:
        """Where it ended: ``float16``, ``batches of 8``; empty for the check's own run."""
        size = self.last.measurement.batch_size
        return " and ".join(filter(None, [self.dtype, f"batches of {size}" if size > 1 else ""]))

    @property
    def in_dtype(self) -> str:
        """The dtype that the network ran in; empty where none was asked for and none was loaded."""
        return self.dtype or self.record.measurement.dtype or ""

    def is_explained_by(self, expected: Expectation | None) -> bool:
        """Whether what ended it is what the registry expects."""
        words = " ".join(self.described["error"].split())
        return expected is not None and expected.explains(words)

    def rows(self, is_first: bool) -> list[Row]:
        """Its rows beside the check's own figures: those of the first attempt's single input."""
        records = self.record.batches if is_first else [self.record, *self.record.batches]
        return [
            Row(
                "" if is_first else self.dtype,
                record.measurement,
                record.parity,
                self.described.get("error") if record is self.last else None,
                record.reason if self.skip is None else str(self.skip),
                record.measurement.batch_size,
            )
            for record in records
        ]


def _result(
    job: Job, method: str, duration: float, attempts: list[_Attempt]
) -> tuple[CheckResult, BaseException | None]:
    """The result of a check from its attempts in each dtype, in order."""
    run = [attempt for attempt in attempts if attempt.skip is None]
    if not run:
        skip, stage = attempts[0].skip, attempts[0].record.stage
        assert skip is not None
        fields: dict[str, Any] = {"reason": str(skip), "error_type": skip.error_type}
        return result_for(job, method, outcome.SKIPPED, stage=stage, **fields), skip
    first = run[0].record
    fields = {
        "checkpoint": first.checkpoint,
        "stage": first.stage,
        "duration": duration,
        "measurement": first.measurement,
        "parity": first.parity,
        "properties": tuple(first.properties),
        "quality": first.quality,
        "rows": tuple(row for attempt in attempts for row in attempt.rows(attempt is run[0])),
    }
    if first.verdict is not None:
        fields["predictions"] = first.verdict.predictions
        fields["examples"] = (first.verdict.example,)
    known = [(attempt, expectation(job, method, attempt.in_dtype)) for attempt in run]
    failures = [(attempt, item) for attempt, item in known if attempt.error is not None]
    unexplained = [pair for pair in failures if not pair[0].is_explained_by(pair[1])]
    disproved = [
        item
        for attempt, item in known
        if item is not None and attempt.error is None and (item.dtype or not failures)
    ]
    if not unexplained and (disproved or not failures):
        status = outcome.PASSED
        if disproved:
            status, fields["reason"] = outcome.UNEXPECTED_SUCCESS, disproved[0].reason
        return result_for(job, method, status, **fields), None
    failed, expected = (unexplained or failures)[0]
    fields |= failed.described
    fields["stage"] = failed.last.stage
    if failed.place:
        fields["error"] = f"in {failed.place}: {failed.described['error']}"
    status = outcome.ERROR
    if failed.described["error_type"] == "wrong_output":
        status = outcome.FAILED
    if expected is not None and failed.is_explained_by(expected):
        status, fields["reason"] = outcome.EXPECTED_FAILURE, expected.reason
    return result_for(job, method, status, **fields), failed.error


def describe(
    error: BaseException,
    job: Job,
    stage: str | None,
    method: str,
    conversion_path: str | None = None,
) -> dict[str, str]:
    """A CheckResult's fields about an exception: type, message, traceback and hint."""
    from hf_tests.probe import errors

    found = errors.diagnose(error, stage)
    case = found.case or (conversion_path or "").partition(" ")[0]
    return {
        "error_type": found.kind,
        "error": plain.message(f"{type(error).__name__}: {error}"),
        "traceback": "".join(traceback.format_exception(error)),
        "hint": hints.hint(found.kind, job, method, case),
    }


def expectation(job: Job, method: str, dtype: str = "") -> Expectation | None:
    """What the registry says is known to fail about this check in a dtype under these versions."""
    known = (
        item for item in job.model.expected if item.concerns(method, job.device, dtype, job.weights)
    )
    return next(known, None)


def _skip_where_it_cannot_apply(job: Job, method: str) -> None:
    from hf_tests.probe.record import Skip

    expected = expectation(job, method)
    if expected is not None and expected.status == outcome.SKIPPED:
        raise Skip(expected.reason)
    missing = dependencies.unmet_for(job.model.needs(job.weights, method), method)
    if missing is not None:
        raise Skip(missing, "missing_dependency")
    barred = own_code.barred(job)
    if barred is not None:
        raise Skip(barred["reason"], barred["error_type"])
    from hf_tests.probe import devices

    absent = devices.unavailable(job.device)
    if absent is not None:
        raise Skip(absent)


def _run_method(job: Job, method: str, record: Record, properties: Sequence[Holds]) -> None:
    from hf_tests.probe import direct, openvino, pipeline

    checks: dict[str, Callable[[], None]] = {
        "pipeline": lambda: pipeline.check(job, record),
        "from_pretrained": lambda: direct.check(job, record, properties),
        "openvino": lambda: openvino.check(job, record),
    }
    checks[method]()
