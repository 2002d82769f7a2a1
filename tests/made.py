"""Runs of any checks, written by the suite's own writers: whatever their ids, devices and texts."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from hf_tests import outcome
from hf_tests.isolation.base import EXITED, SIGNALLED, Ending
from hf_tests.nightly import run as nightly
from hf_tests.nightly.schedule import JobOutcome
from hf_tests.nightly.store import RunFolder
from hf_tests.outcome import CheckResult, Example, Measurement, Parity
from tests import support

RUN_ID = "20260102T023000Z-made"
HARDWARE: dict[str, Any] = {
    "machine": "x86_64",
    "system": "Linux 6.1",
    "python": "3.11.7",
    "processor": "a processor",
    "cores": 16,
    "memory_mb": 131072.0,
    "devices": [
        {"name": "cpu", "description": "a processor", "memory_mb": 131072.0, "driver": None},
        {"name": "cuda:0", "description": "a GPU", "memory_mb": 81920.0, "driver": "570.1"},
    ],
}
VERSIONS = {"transformers": "5.5.4", "torch": "2.14.1", "openvino": None, "numpy": "2.4.6"}
TOKENS = ("capital", "centre", "heart", "seat", "largest", "home")


def passed(
    model: str, device: str = "cpu", method: str = "pipeline", **changes: Any
) -> CheckResult:
    """A check that passed, with all that one can have; its figures depend on its names."""
    grain = sum((model + device + method).encode()) % 97 + 3
    times = tuple(grain * 1e-4 * (1 + trial % 5 / 50) for trial in range(20))
    on_gpu = device.startswith("cuda")
    values: dict[str, Any] = {
        "model": model,
        "device": device,
        "method": method,
        "isolation": "fork",
        "checkpoint": f"/cache/{model}-1",
        "stage": "judgement",
        "duration": 1.5,
        "predictions": [
            {"token": token, "token_id": place, "score": 1 / (place + grain)}
            for place, token in enumerate(TOKENS)
        ],
        "examples": (Example("Paris is the [MASK] of France.", "Paris is the capital."),),
        "parity": Parity(4.4e-7, "logits", 0.999999999, 1.0, 1e-5, 4.3e-7, None),
        "measurement": Measurement(
            load_time=0.4,
            tokenizer_load_time=0.1,
            model_load_time=0.3,
            first_inference_time=times[0] * 3,
            trial_times=times,
            work=1.0,
            work_unit="sequences",
            busy_cores=0.4 if grain % 4 == 0 else 0.0,
            model_size_mb=418.0,
            num_parameters=109_514_298,
            dtype="float32",
            peak_memory_mb=900.0 + grain,
            memory_growth_mb=430.0,
            device_peak_memory_mb=500.0 + grain if on_gpu else None,
        ),
    }
    return support.result(**{**values, **changes})


def bad(
    model: str,
    status: str,
    error_type: str,
    device: str = "cpu",
    method: str = "pipeline",
    **changes: Any,
) -> CheckResult:
    """A check that went wrong, with all that is said of it."""
    values: dict[str, Any] = {
        "status": status,
        "error_type": error_type,
        "error": f"{model} did not work: {error_type}",
        "traceback": 'Traceback (most recent call last):\n  File "x.py", line 1, in <module>\n'
        "RuntimeError: it did not work\n",
        "hint": f"python runner.py --model {model} --device {device}",
        "log_tail": "loading\nrunning\nRuntimeError: it did not work",
        "stage": "inference",
        "parity": None,
        "predictions": (),
        "examples": (),
        "measurement": Measurement(),
    }
    return passed(model, device, method, **{**values, **changes})


def every_status() -> list[CheckResult]:
    """Checks of three families on three devices that ended in every way."""
    hub: dict[str, Any] = {"weights": "hub"}
    gpt: dict[str, Any] = {"family": "gpt", "task": "text-generation"}
    return [
        passed("bert-base-uncased", **hub),
        passed("bert-base-uncased", method="from_pretrained", **hub),
        passed("bert-base-uncased", "cuda:0", **hub),
        passed("bert-base-uncased", "openvino", "openvino", **hub),
        passed("owner/tiny-bert", method="from_pretrained"),
        bad("owner/tiny-bert", "failed", "wrong_output", "openvino", "openvino"),
        passed("gpt2", **gpt),
        bad("gpt2", "error", "out_of_memory", "cuda:0", **gpt),
        bad("gpt2", "crashed", "crash", "openvino", "openvino", **gpt),
        bad("distilgpt2", "timeout", "timeout", **gpt),
        bad("distilgpt2", "expected_failure", "unsupported", "cuda:0", **gpt, reason="it is known"),
        passed(
            "t5-small",
            family="t5",
            status="unexpected_success",
            log_tail="end",
            reason="it was to fail",
        ),
        passed(
            "t5-small",
            "cuda:0",
            family="t5",
            status="skipped",
            reason="transformers 5.5.4 has no text2text-generation pipeline",
            measurement=Measurement(),
            predictions=(),
        ),
    ]


def write(
    results: Path, checks: Iterable[CheckResult], run_id: str = RUN_ID, **changes: Any
) -> RunFolder:
    """Write a run of these checks; ``changes`` go into its metadata."""
    folder = RunFolder(results, run_id)
    folder.logs.mkdir(parents=True)
    outcomes = _outcomes(list(checks))
    metadata = {
        "run_id": run_id,
        "started": "2026-01-02T02:30:00Z",
        "finished": "2026-01-02T02:50:00Z",
        "version": "0.1.0",
        "isolation": "auto",
        "options": {"all": True, "weights": "auto"},
        "versions": VERSIONS,
        "jobs_at_once": 1,
        "wall_time": 1200.0,
        "interrupted": False,
        "exit_status": 1,
        **changes,
    }
    by_model: dict[str, list[JobOutcome]] = {}
    for item in outcomes:
        by_model.setdefault(item.job.model.id, []).append(item)
        folder.log(item.job).write_text(f"the log of {item.job.model.id} on {item.job.device}\n")
    for own in by_model.values():
        nightly.write_model(folder, own, HARDWARE, metadata)
    nightly.write_run(folder, outcomes, HARDWARE, metadata)
    folder.make_latest()
    return folder


def _outcomes(checks: Sequence[CheckResult]) -> list[JobOutcome]:
    by_job: dict[tuple[str, str], list[CheckResult]] = {}
    for check in checks:
        by_job.setdefault((check.model, check.device), []).append(check)
    outcomes = []
    for (model, device), found in by_job.items():
        known = dataclasses.replace(
            support.model("bert-base-uncased"), id=model, family=found[0].family
        )
        job = support.job(
            "bert-base-uncased", device, methods=tuple(check.method for check in found)
        ).replace(model=known, weights=found[0].weights)
        died = any(check.status == outcome.CRASHED for check in found)
        ending = Ending(SIGNALLED if died else EXITED, -11 if died else 0, 10.0, 2.5, "fork")
        outcomes.append(JobOutcome(job, tuple(found), ending, 0.03))
    return outcomes
