"""What a year of nights costs the history: ``python benchmarks/year.py [--runs 365]``.

Writes synthetic runs of a thousand checks (334 models on the CPU and OpenVINO, three checks each)
with the suite's own writers into a temporary folder, and times what is promised of them. Prints the
machine, each time in seconds against its target, and the size of the database.
"""

from __future__ import annotations

import argparse
import dataclasses
import random
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from hf_tests import hardware, registry
from hf_tests.history import database, ingest, query
from hf_tests.isolation.base import EXITED, Ending
from hf_tests.job import Job
from hf_tests.nightly import choice, compare
from hf_tests.nightly import run as nightly
from hf_tests.nightly.schedule import JobOutcome
from hf_tests.nightly.store import RunFolder
from hf_tests.outcome import CheckResult, Example, Measurement, Parity
from hf_tests.registry import Model

MODELS = 334
METHODS = {"cpu": ("pipeline", "from_pretrained"), "openvino": ("openvino",)}
TRIALS = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=365)
    options = parser.parse_args()
    machine = hardware.detect()
    print(f"{machine.processor}, {machine.cores} cores, {machine.system}, Python {machine.python}")
    with tempfile.TemporaryDirectory(prefix="hf-tests-year-") as folder:
        measure(Path(folder), options.runs, machine.to_json())


def measure(results: Path, runs: int, machine: dict[str, Any]) -> None:
    """Make the year, time each promise, print the table."""
    listed = registry.load().models
    models = [
        dataclasses.replace(listed[i % len(listed)], id=f"owner/model-{i}") for i in range(MODELS)
    ]
    chance = random.Random(0)
    start = time.perf_counter()
    for night in range(runs):
        write(results, night, models, machine, chance)
    print(f"{runs} runs of {3 * MODELS} checks, written in {time.perf_counter() - start:.0f} s\n")

    def compared() -> object:
        with query.opened(results) as history:
            base, new = choice.pair(history, None, None)
            return compare.compare(base, new, history.trends(last=compare.NIGHTS))

    def trend() -> object:
        with query.opened(results) as history:
            return history.trends(models[7].id)

    rows = [("whole rebuilt", _timed(lambda: ingest.rebuild(results)), 180.0)]
    write(results, runs, models, machine, chance)
    rows.append(("one run taken in", _timed(lambda: ingest.update(results)), 2.0))
    rows.append(("compare", _timed(compared), 1.0))
    rows.append(("a model's trend, all its checks", _timed(trend), 0.2))
    size = (results / database.FILE).stat().st_size / 1024**2
    print(f"{'':34}{'measured':>10}{'processor':>12}{'target':>10}")
    for name, (seconds, used), target in rows:
        print(f"{name:34}{seconds:>8.2f} s{used:>10.2f} s{target:>8.1f} s")
    print(f"{'database':34}{size:>7.0f} MB{500:>19} MB")


def _timed(call: Callable[[], object]) -> tuple[float, float]:
    """Seconds, and those of the processor: others may be busy meanwhile."""
    start, used = time.perf_counter(), time.process_time()
    call()
    return time.perf_counter() - start, time.process_time() - used


def write(
    results: Path, night: int, models: list[Model], machine: dict[str, Any], chance: random.Random
) -> None:
    """One run's files: torch changes every 40 nights, a check in 200 fails."""
    moment = datetime(2025, 1, 1, 2, 30) + timedelta(days=night)
    folder = RunFolder(results, f"{moment:%Y%m%dT%H%M%SZ}-{night:08}")
    started = f"{moment:%Y-%m-%dT%H:%M:%SZ}"
    metadata = {
        "run_id": folder.run_id,
        "started": started,
        "finished": started,
        "version": "0.1.0",
        "isolation": "fork",
        "options": {"all": True},
        "versions": {"torch": f"2.{10 + night // 40}.0", "transformers": "5.5.4"},
        "jobs_at_once": 1,
        "wall_time": 1000.0,
        "interrupted": False,
        "exit_status": 1,
    }
    outcomes = []
    for model in models:
        own = [_outcome(model, device, night, chance) for device in METHODS]
        nightly.write_model(folder, own, machine, metadata)
        outcomes += own
    nightly.write_run(folder, outcomes, machine, metadata)


def _outcome(model: Model, device: str, night: int, chance: random.Random) -> JobOutcome:
    job = Job(
        model=model,
        device=device,
        methods=METHODS[device],
        weights="tiny",
        checkpoint=None,
        cache_dir="",
        timeout_s=600.0,
    )
    results = tuple(_result(job, method, night, chance) for method in job.methods)
    return JobOutcome(job, results, Ending(EXITED, 0, 10.0, 2.5, "fork"), 1.0)


def _result(job: Job, method: str, night: int, chance: random.Random) -> CheckResult:
    failed = chance.random() < 0.005
    level = 0.01 * chance.lognormvariate(0, 0.03)
    measurement = Measurement(
        load_time=level * 10,
        tokenizer_load_time=level,
        model_load_time=level * 9,
        first_inference_time=level * 2,
        trial_times=tuple(level * chance.lognormvariate(0, 0.02) for _ in range(TRIALS)),
        work=12.0,
        work_unit="tokens",
        busy_cores=chance.random() * 0.1,
        model_size_mb=417.5,
        num_parameters=110_000_000,
        dtype="float32",
        peak_memory_mb=900 + chance.random(),
        memory_growth_mb=450 + chance.random(),
    )
    return CheckResult(
        family=job.model.family,
        model=job.model.id,
        device=job.device,
        method=method,
        task=job.model.task,
        class_name=job.model.class_name,
        weights="tiny",
        status="error" if failed else "passed",
        isolation="fork",
        checkpoint=f"/cache/{job.model.id}-0123456789abcdef",
        error_type="other" if failed else "none",
        error=f"RuntimeError: planted in night {night}" if failed else None,
        traceback="Traceback\n" * 20 if failed else None,
        duration=3.0,
        measurement=Measurement() if failed else measurement,
        predictions=tuple({"token": f"word{i}", "score": 0.1 * i} for i in range(5)),
        examples=(Example("The quick brown fox", "jumps over the lazy dog"),),
        parity=Parity(1e-6, "logits", 1.0, 1.0, 1e-4),
    )


if __name__ == "__main__":
    main()
