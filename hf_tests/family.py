"""FamilyTestCase: a family's methods as unittest tests, each a subTest per model and device.

``python -m unittest hf_tests.test_bert`` and the isolated processes of runner.py run the very
same class; only who gives it its jobs and takes its results differs.
"""

from __future__ import annotations

import os
import time
import traceback
import unittest
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from hf_tests import dependencies, outcome
from hf_tests.job import Job, result_for
from hf_tests.outcome import CheckResult
from hf_tests.registry import Expectation

if TYPE_CHECKING:
    from hf_tests.probe.record import Record


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
        """optimum-intel converts the model, OpenVINO runs it, and the outputs are right."""
        self.run_checks("openvino")

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
        result, error = run_check(job, method)
        self.recorder.finished(result)
        if result.status == outcome.SKIPPED:
            self.skipTest(result.reason or "")
        elif result.status == outcome.EXPECTED_FAILURE:
            self.skipTest(f"expected failure: {result.reason}")
        elif result.status == outcome.UNEXPECTED_SUCCESS:
            self.fail(f"unexpected success; it was expected to fail: {result.reason}")
        elif error is not None:
            raise error


def run_check(job: Job, method: str) -> tuple[CheckResult, BaseException | None]:
    """Run one check and say how it ended; the exception that ended it is returned beside.

    Only KeyboardInterrupt and SystemExit are not caught.
    """
    from hf_tests.probe.record import Record, Skip

    record = Record()
    start = time.perf_counter()
    error: BaseException | None = None
    try:
        _skip_where_it_cannot_apply(job, method)
        _run_method(job, method, record)
    except Skip as skip:
        result = result_for(
            job,
            method,
            outcome.SKIPPED,
            reason=str(skip),
            error_type=skip.error_type,
            stage=record.stage,
        )
        return result, skip
    except Exception as caught:  # noqa: BLE001 - whatever a model raises is a result
        error = caught
    fields: dict[str, Any] = {
        "checkpoint": record.checkpoint,
        "stage": record.stage,
        "duration": time.perf_counter() - start,
        "measurement": record.measurement,
        "parity": record.parity,
    }
    if record.verdict is not None:
        fields["predictions"] = record.verdict.predictions
        fields["examples"] = (record.verdict.example,)
    expected = expectation(job, method)
    if error is not None:
        fields |= describe(error, job, record.stage)
        status = outcome.FAILED if fields["error_type"] == "wrong_output" else outcome.ERROR
        if expected is not None and (expected.error or "") in " ".join(fields["error"].split()):
            status, fields["reason"] = outcome.EXPECTED_FAILURE, expected.reason
    elif expected is not None:
        status, fields["reason"] = outcome.UNEXPECTED_SUCCESS, expected.reason
    else:
        status = outcome.PASSED
    return result_for(job, method, status, **fields), error


def describe(error: BaseException, job: Job, stage: str | None) -> dict[str, str]:
    """A CheckResult's fields about an exception: type, message, traceback and hint."""
    from hf_tests.probe import errors

    kind = errors.classify(error, stage)
    message = str(error).strip() or type(error).__name__
    return {
        "error_type": kind,
        "error": f"{type(error).__name__}: {message}",
        "traceback": "".join(traceback.format_exception(error)),
        "hint": errors.hint(kind, job),
    }


def expectation(job: Job, method: str) -> Expectation | None:
    """What the registry says is known to fail about this check under these versions."""
    for item in job.model.expected:
        if (
            item.method == method
            and item.device in (None, job.device)
            and item.weights in (None, job.weights)
            and dependencies.applies(item.versions)
        ):
            return item
    return None


def _skip_where_it_cannot_apply(job: Job, method: str) -> None:
    from hf_tests.probe.record import Skip

    expected = expectation(job, method)
    if expected is not None and expected.status == outcome.SKIPPED:
        raise Skip(expected.reason)
    missing = dependencies.unmet(job.model.dependencies)
    if missing is not None:
        raise Skip(missing, "missing_dependency")
    if method == "openvino":
        missing = dependencies.unmet(dependencies.OPENVINO) or dependencies.unmet_by_optimum_intel()
        if missing is not None:
            raise Skip(missing, "missing_dependency")
    from hf_tests.probe import devices

    absent = devices.unavailable(job.device)
    if absent is not None:
        raise Skip(absent)


def _run_method(job: Job, method: str, record: Record) -> None:
    from hf_tests.probe import direct, openvino, pipeline

    checks = {
        "pipeline": pipeline.check,
        "from_pretrained": direct.check,
        "openvino": openvino.check,
    }
    checks[method](job, record)
