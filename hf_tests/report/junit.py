"""A run as JUnit's XML, which CI systems show: a test suite a family, a test case a check."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import junitparser

from hf_tests import outcome
from hf_tests.nightly.store import write_bytes
from hf_tests.nightly.wording import status_words
from hf_tests.report.forms import Check, Run
from hf_tests.report.wording import visible

NOT_RUN = (outcome.SKIPPED, outcome.EXPECTED_FAILURE)
WRONG = (outcome.FAILED, outcome.UNEXPECTED_SUCCESS)


def write(run: Run, path: Path) -> None:
    """Write the file; texts are without the characters that XML cannot hold."""
    document = junitparser.JUnitXml(name="hf-tests")
    for family in dict.fromkeys(check.family for check in run.checks):
        suite = junitparser.TestSuite(visible(family))
        suite.timestamp = run.started.removesuffix("Z")  # the schema's time has no zone
        suite.hostname = "localhost"
        for name in ("transformers", "torch", "openvino"):
            suite.add_property(name, visible(run.versions.get(name) or "not installed"))
        suite.add_testcases([_case(check) for check in run.checks if check.family == family])
        document.add_testsuite(suite)
    document.update_statistics()  # type: ignore[no-untyped-call]
    file = io.BytesIO()
    document.write(file, pretty=True)
    write_bytes(path, file.getvalue())


def _case(check: Check) -> junitparser.TestCase:
    case = junitparser.TestCase(
        name=visible(check.key),
        classname=visible(f"{check.family}.{check.model}"),
        time=round(check.duration or 0.0, 6),
    )
    if check.status != outcome.PASSED:
        case.result = [_result(check)]
    says = [f"weights: {check.weights}", f"hint: {check.hint}" if check.hint else ""]
    case.system_out = visible("\n".join([*filter(None, says), check.log_tail or ""]))
    return case


def _result(check: Check) -> Any:
    kind: Any = junitparser.Error
    if check.status in NOT_RUN:
        kind = junitparser.Skipped
    elif check.status in WRONG:
        kind = junitparser.Failure
    words = "" if check.status in (outcome.FAILED, outcome.SKIPPED) else status_words(check.status)
    message = visible(": ".join(filter(None, (words, " ".join(check.message.split())))))
    result = kind(message, check.error_type if check.error_type != "none" else check.status)
    if check.traceback:
        result.text = visible(check.traceback)
    return result
