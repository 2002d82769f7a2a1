"""What several tests share: running the command, tiny checkpoints, valid documents."""

from __future__ import annotations

import dataclasses
import functools
import importlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import fastjsonschema

from hf_tests import cache, registry
from hf_tests.family import FamilyTestCase
from hf_tests.job import Job
from hf_tests.outcome import CheckResult
from hf_tests.registry import Model

ROOT = Path(__file__).resolve().parent.parent
SCHEMAS = ROOT / "hf_tests" / "schemas"
TIMEOUT_S = 240.0

SEVEN = (
    "bert-base-uncased",
    "distilbert-base-uncased",
    "roberta-base",
    "albert-base-v2",
    "google/electra-small-generator",
    "xlm-roberta-base",
    "microsoft/mpnet-base",
)
"""Small models of one family, for runs of seven jobs."""

PRELUDE = """
import json, os, sys, time
from pathlib import Path
from hf_tests import stream
from hf_tests.job import Job, result_for
job = Job.from_json(sys.stdin.read())
writer = stream.Writer(Path(sys.argv[1]))
writer.write("start", pid=os.getpid())
writer.write("ready")
def give(status, **fields):
    for method in job.methods:
        writer.result(result_for(job, method, status, **fields))
"""
"""The beginning of a quick process that takes the place of a worker."""


def run(
    *arguments: str,
    python: str = sys.executable,
    environment: dict[str, str] | None = None,
    cwd: Path | None = None,
    given: str = "",
    limit_s: float = TIMEOUT_S,
) -> subprocess.CompletedProcess[str]:
    """Run a Python command in the checkout and return it with its output as text."""
    return subprocess.run(
        [python, *arguments],
        cwd=cwd or ROOT,
        env={**os.environ, **(environment or {})},
        input=given,
        capture_output=True,
        text=True,
        timeout=limit_s,
        check=False,
    )


def runner(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run ``python runner.py`` with the arguments."""
    return run("runner.py", *arguments, **options)


def temporary_folder(case: Any) -> Path:
    """A folder that is removed when the test is over."""
    folder = tempfile.TemporaryDirectory(prefix="hf-tests-test-", ignore_cleanup_errors=True)
    case.addCleanup(folder.cleanup)
    return Path(folder.name)


def class_folder(cls: Any) -> Path:
    """A folder that is removed when all tests of a class are over."""
    folder = tempfile.TemporaryDirectory(prefix="hf-tests-test-", ignore_cleanup_errors=True)
    cls.addClassCleanup(folder.cleanup)
    return Path(folder.name)


def small_disk(case: Any, options: str) -> Path:
    """A file system in memory; skips the test where this account may not mount one."""
    folder = temporary_folder(case)
    command = ["mount", "-t", "tmpfs", "-o", options, "none", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        case.skipTest("this system has no mount")
    if done.returncode:
        case.skipTest(f"no small file system can be mounted here: {done.stderr.strip()}")
    case.addCleanup(subprocess.run, ["umount", "-l", str(folder)], check=True)
    return folder


@functools.cache
def shipped() -> registry.Registry:
    """The shipped registry."""
    return registry.load()


def model(model_id: str) -> Model:
    """The shipped registry's model of that id."""
    return next(item for item in shipped().models if item.id == model_id)


def properties(name: str) -> tuple[Any, ...]:
    """The properties that a family's models have."""
    module = importlib.import_module(f"hf_tests.test_{name}")
    (case,) = (
        item
        for item in vars(module).values()
        if isinstance(item, type) and issubclass(item, FamilyTestCase) and item != FamilyTestCase
    )
    return case("run_checks").properties()


def job(model_id: str, device: str = "cpu", **changes: Any) -> Job:
    """A job of a listed model on tiny weights.

    Tests give it checkpoints of their own, which know none of the published one's answers.
    """
    methods = ("openvino",) if device.startswith("openvino") else ("pipeline", "from_pretrained")
    made = Job(
        model=dataclasses.replace(model(model_id), answers=()),
        device=device,
        methods=methods,
        weights="tiny",
        checkpoint=None,
        cache_dir=cache.default_folder(),
        timeout_s=120.0,
        trials=2,
    )
    return made.replace(**changes)


def result(status: str = "passed", **changes: Any) -> CheckResult:
    """A result made by hand, for what only handles results."""
    fields: dict[str, Any] = {
        "family": "bert",
        "model": "bert-base-uncased",
        "device": "cpu",
        "method": "pipeline",
        "task": "fill-mask",
        "class_name": "BertForMaskedLM",
        "weights": "tiny",
        "status": status,
    }
    return CheckResult(**{**fields, **changes})


@functools.cache
def _validator(name: str) -> Any:
    return fastjsonschema.compile(json.loads((SCHEMAS / f"{name}.schema.json").read_text()))


def validate(name: str, document: Any) -> None:
    """Raise where a document breaks the schema of that name, ``run`` or ``model``."""
    _validator(name)(json.loads(json.dumps(document)))
