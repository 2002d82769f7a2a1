"""From jobs' outcomes to the files of a run: pure functions that only build JSON documents."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from hf_tests import latency, outcome
from hf_tests.nightly.schedule import JobOutcome
from hf_tests.outcome import CheckResult, Measurement, Parity
from hf_tests.registry import Model

VERSION = 1
"""Version of both documents, raised when a key changes its meaning."""


def model_document(
    model: Model,
    results: Sequence[CheckResult],
    hardware: Mapping[str, Any],
    metadata: Mapping[str, Any],
) -> dict[str, Any]:
    """One model's checks on all its devices, in the structure of the specification."""
    return {
        "version": VERSION,
        "results": {result.key: _result(result) for result in results},
        "examples": [
            {"method": result.key, "input": example.input, "output": example.output}
            for result in results
            for example in result.examples
        ],
        "performance": {
            key: figures for result in results for key, figures in performance_rows(result).items()
        },
        "hardware": dict(hardware),
        "metadata": {
            **metadata,
            "family": model.family,
            "model": model.id,
            "description": model.description,
            "revision": model.revision,
        },
    }


def run_document(
    done: Sequence[JobOutcome],
    hardware: Mapping[str, Any],
    metadata: Mapping[str, Any],
    files: Mapping[str, str],
    reruns: Sequence[JobOutcome] = (),
) -> dict[str, Any]:
    """The whole run: metadata, hardware, counts, a row for each check and each job.

    ``files`` gives each model's file, relative to the run's folder; ``reruns`` are the outcomes of
    jobs that were run once more.
    """
    results = [result for item in done for result in item.results]
    return {
        "version": VERSION,
        "metadata": dict(metadata),
        "hardware": dict(hardware),
        "counts": counts(results),
        "weights": dict(Counter(item.job.weights for item in _one_per_model(done))),
        "checks": [
            {
                "key": result.key,
                "family": result.family,
                "model": result.model,
                "device": result.device,
                "method": result.method,
                "task": result.task,
                "class": result.class_name,
                "weights": result.weights,
                "status": result.status,
                "error_type": result.error_type,
                "error": result.error,
                "reason": result.reason,
                "hint": result.hint,
                "stage": result.stage,
                "avg_time": _average(result),
                "duration": result.duration,
                "parity": result.parity.nrmse if result.parity else None,
                "jobs_beside": result.jobs_beside,
                "rerun_status": result.rerun.status if result.rerun else None,
                "flaky": result.is_flaky,
                "file": files[result.model],
            }
            for result in results
        ],
        "jobs": [_job(item) for item in (*done, *reruns)],
    }


def _job(item: JobOutcome) -> dict[str, Any]:
    job, ending = item.job, item.ending
    return {
        "name": job.name,
        "family": job.model.family,
        "model": job.model.id,
        "device": job.device,
        "weights": job.weights,
        "attempt": job.attempt,
        "timeout": job.timeout_s,
        "isolation": ending.launcher if ending else None,
        "ending": ending.reason if ending else None,
        "exit_status": ending.exit_status if ending else None,
        "wall_time": ending.wall_s if ending else None,
        "startup_time": item.startup_s,
        "jobs_beside": ending.beside if ending else None,
        "note": ending.note if ending else None,
    }


def counts(results: Sequence[CheckResult]) -> dict[str, int]:
    """How many checks ended in each status, every status named, and their total."""
    found = Counter(result.status for result in results)
    return {**{status: found[status] for status in outcome.STATUSES}, "total": len(results)}


def performance_rows(result: CheckResult) -> dict[str, dict[str, Any]]:
    """A check's figures in each dtype and batch size that was timed; the first's key is its own."""
    rows = {result.key: (result.measurement, result.parity)}
    rows |= {result.key + row.suffix: (row.measurement, row.parity) for row in result.rows}
    return {
        key: _performance(measurement, parity, result.jobs_beside)
        for key, (measurement, parity) in rows.items()
        if measurement.trial_times
    }


def _performance(
    measurement: Measurement, parity: Parity | None, jobs_beside: int
) -> dict[str, Any]:
    """Seconds, MiB and counts; None for what was not measured."""
    figures = dict(vars(measurement))
    times = figures.pop("trial_times")
    found = latency.summary(times)
    work = measurement.work
    slowdown = figures.pop("slowdown")
    lists = {name: list(figures.pop(name)) for name in ("event_times", "first_token_times")}
    return {
        "num_runs": found.count,
        "avg_time": found.mean,
        "median_time": found.median,
        "min_time": found.least,
        "max_time": found.most,
        "std_time": found.deviation,
        "p90_time": found.p90,
        "p95_time": found.p95,
        "p99_time": found.p99,
        "median_interval": None if found.interval is None else list(found.interval),
        "throughput": None if work is None else work / found.median,
        "doubts": list(latency.doubts(times, jobs_beside, measurement.busy_cores, slowdown)),
        "first_token_time": _median(measurement.first_token_times),
        "decoding_rate": _decoding_rate(measurement),
        "event_time": _median(measurement.event_times),
        "parity": None if parity is None else parity.nrmse,
        "trial_times": list(times),
        **lists,
        **figures,
    }


def _median(times: Sequence[float]) -> float | None:
    return statistics.median(times) if times else None


def _decoding_rate(measurement: Measurement) -> float | None:
    """Tokens a second once the first is there, over all sequences of the batch together."""
    firsts, tokens = measurement.first_token_times, measurement.tokens
    if not firsts or tokens is None or tokens <= measurement.batch_size:
        return None
    rests = [whole - first for whole, first in zip(measurement.trial_times, firsts, strict=True)]
    return (tokens - measurement.batch_size) / statistics.median(rests)


def _result(result: CheckResult) -> dict[str, Any]:
    """A check's entry; the method's own figures are prefixed with its name, as specified."""
    times = result.measurement.trial_times
    prefixed: dict[str, Any] = {
        "success": result.status == outcome.PASSED,
        "error_type": result.error_type,
        "load_time": result.measurement.load_time,
        "avg_time": _average(result),
        "min_time": min(times) if times else None,
        "max_time": max(times) if times else None,
        "num_runs": len(times),
    }
    if result.error is not None:
        prefixed |= {"error": result.error, "traceback": result.traceback, "hint": result.hint}
    entry: dict[str, Any] = {
        "model": result.model,
        "device": result.device,
        "task": result.task,
        "class": result.class_name,
        "weights": result.weights,
        "checkpoint": result.checkpoint,
        "commit": result.commit,
        "weights_sha256": result.weights_sha256,
        "status": result.status,
        "reason": result.reason,
        "isolation": result.isolation,
        "jobs_beside": result.jobs_beside,
        "parity": vars(result.parity) if result.parity else None,
        "properties": [vars(item) for item in result.properties],
        "quality": result.quality.to_json() if result.quality else None,
        "rows": [
            {
                "key": result.key + row.suffix,
                "dtype": row.measurement.dtype or row.dtype,
                "batch_size": row.batch_size,
                "error": row.error,
                "reason": row.reason,
            }
            for row in result.rows
        ],
        "flaky": result.is_flaky,
        "rerun": _rerun(result),
        "stage": result.stage,
        "log_tail": result.log_tail,
        "duration": result.duration,
        "tokenizer_load_time": result.measurement.tokenizer_load_time,
        "model_load_time": result.measurement.model_load_time,
        "model_size_mb": result.measurement.model_size_mb,
        "peak_memory_mb": result.measurement.peak_memory_mb,
        "predictions": list(result.predictions),
    }
    if result.method == "openvino":
        for name in ("conversion_time", "conversion_cached", "conversion_path"):
            entry[name] = getattr(result.measurement, name)
    return entry | {f"{result.method}_{name}": value for name, value in prefixed.items()}


def _rerun(result: CheckResult) -> dict[str, Any] | None:
    """The second attempt and those after it, with their figures as under ``performance``."""
    if result.rerun is None:
        return None
    entry = dict(vars(result.rerun))
    measurement = entry.pop("measurement")
    figures = _performance(measurement, None, 0) if measurement.trial_times else None
    further = [_performance(item, None, 0) for item in entry.pop("further")]
    return {**entry, "performance": figures, "further": further}


def _average(result: CheckResult) -> float | None:
    times = result.measurement.trial_times
    return statistics.fmean(times) if times else None


def _one_per_model(done: Sequence[JobOutcome]) -> list[JobOutcome]:
    return list({item.job.model.id: item for item in done}.values())
