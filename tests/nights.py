"""Runs of several nights made by hand, written by the suite's own writers."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hf_tests.isolation.base import EXITED, Ending
from hf_tests.nightly import run as nightly
from hf_tests.nightly.schedule import JobOutcome
from hf_tests.nightly.store import RunFolder
from hf_tests.outcome import CheckResult, Measurement, Rerun
from tests import support

HARDWARE: dict[str, Any] = {
    "machine": "x86_64",
    "system": "Linux",
    "python": "3.11.0",
    "processor": "a processor",
    "cores": 2,
    "memory_mb": 8192.0,
    "devices": [{"name": "cpu", "description": "", "memory_mb": None, "driver": None}],
}
VERSIONS = {"torch": "2.14.1", "transformers": "5.5.4", "openvino": None}


def timed(
    median: float, model: str = "bert-base-uncased", method: str = "pipeline", **changes: Any
) -> CheckResult:
    """A passed check with that median latency in seconds; busy_cores is that of a quiet machine."""
    figures = Measurement(
        load_time=1.0,
        trial_times=tuple(median * factor for factor in (0.98, 0.99, 1.0, 1.0, 1.01, 1.02, 1.03)),
        memory_growth_mb=changes.pop("memory_mb", 100.0),
        busy_cores=changes.pop("busy_cores", 0.0),
        dtype="float32",
    )
    return support.result(
        model=model,
        family=support.model(model).family,
        method=method,
        isolation="fork",
        checkpoint=f"/cache/{model}-1",
        **{"measurement": figures, **changes},
    )


def measured_again(check: CheckResult, median: float, times: int, **changes: Any) -> CheckResult:
    """The check with further measurements."""
    second = timed(median, check.model, **changes).measurement
    rerun = Rerun("passed", measurement=second, further=(second,) * (times - 1))
    return changed(check, rerun=rerun)


def write(
    results: Path,
    day: int,
    checks: Sequence[CheckResult],
    *,
    month: int = 1,
    hardware: dict[str, Any] | None = None,
    interrupted: bool = False,
    **changes: Any,
) -> str:
    """Write the run of a day's night and give its id; ``changes`` go into its metadata."""
    run_id = f"2026{month:02}{day:02}T023000Z-night{day:02}"
    folder = RunFolder(results, run_id)
    started = f"2026-{month:02}-{day:02}T02:30:00Z"
    metadata = {
        "run_id": run_id,
        "started": started,
        "finished": started,
        "version": "0.1.0",
        "isolation": "fork",
        "options": {"all": True},
        "versions": VERSIONS,
        "jobs_at_once": 1,
        "wall_time": 60.0,
        "interrupted": interrupted,
        "exit_status": int(any(check.is_bad for check in checks)),
        **changes,
    }
    by_job: dict[tuple[str, str], list[CheckResult]] = {}
    for check in checks:
        by_job.setdefault((check.model, check.device), []).append(check)
    outcomes = [
        JobOutcome(
            support.job(model, device, methods=tuple(check.method for check in found)),
            tuple(found),
            Ending(EXITED, 0, 10.0, 2.5, "fork"),
            1.0,
        )
        for (model, device), found in by_job.items()
    ]
    machine = HARDWARE if hardware is None else hardware
    for model in dict.fromkeys(check.model for check in checks):
        own = [item for item in outcomes if item.job.model.id == model]
        nightly.write_model(folder, own, machine, metadata)
    nightly.write_run(folder, outcomes, machine, metadata)
    folder.make_latest()
    return run_id


def changed(check: CheckResult, **changes: Any) -> CheckResult:
    """The check with some fields changed."""
    return dataclasses.replace(check, **changes)
