"""The command line of a family's module: ``python hf_tests/test_bert.py --model NAME``.

It runs the family's TestCase in this process, as ``python -m unittest`` does.
"""

from __future__ import annotations

import argparse
import sys
import unittest
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from hf_tests import hardware
from hf_tests.family import FamilyTestCase
from hf_tests.isolation import environment
from hf_tests.job import Job
from hf_tests.nightly import metadata, plan, run, select, weights
from hf_tests.nightly.schedule import JobOutcome
from hf_tests.nightly.store import RunFolder
from hf_tests.nightly.usage import UsageError
from hf_tests.outcome import CheckResult
from hf_tests.registry import Family, Model


class Collector:
    """Keeps the results of a TestCase."""

    def __init__(self) -> None:
        self.results: list[CheckResult] = []

    def started(self, job: Job, method: str) -> None:
        """A check begins."""

    def finished(self, result: CheckResult) -> None:
        """A check has ended."""
        self.results.append(result)


def main(case: type[FamilyTestCase], arguments: Sequence[str] | None = None) -> NoReturn:
    """Parse the command line, test, and exit: 0 all well, 1 a check failed, 2 wrong usage."""
    parser = _parser(case)
    options = parser.parse_args(arguments)
    try:
        status = _run(case, options)
    except UsageError as error:
        parser.exit(run.USAGE, f"{parser.prog}: {error}\n")
    sys.exit(status)


def _parser(case: type[FamilyTestCase]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=f"Test the {case.family} family in this process. Without --model or "
        "--all-models its default model is tested.",
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--model", nargs="+", metavar="ID_OR_PATH", help="test these models")
    which.add_argument("--all-models", action="store_true", help="test all models of the family")
    which.add_argument("--list-models", action="store_true", help="list the family's models")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--device", nargs="+", metavar="NAME", default=[], help="on these devices")
    where.add_argument("--all-hardware", action="store_true", help="on every single device")
    where.add_argument("--cpu-only", action="store_true", help="on the CPU alone")
    parser.add_argument("--weights", choices=weights.CHOICES, default="auto", help="default: auto")
    parser.add_argument("--save", action="store_true", help="write result files")
    parser.add_argument(
        "--output-dir", metavar="DIR", help="where to; implies --save (default: results)"
    )
    parser.add_argument("--registry", metavar="FILE", help="in place of the shipped registry.json")
    parser.add_argument(
        "--cache-dir", metavar="DIR", default="", help="where tiny checkpoints are kept"
    )
    return parser


def _run(case: type[FamilyTestCase], options: argparse.Namespace) -> int:
    environment.adopt(downloads=options.weights == "hub")
    registry = select.registry(options.registry)
    family = select.family(registry, case.family)
    if options.list_models:
        for model in family.models:
            print(f"{model.id:42} {model.class_name}")
        return run.OK
    if options.all_models:
        models = family.models
    elif options.model:
        models = select.models(registry, names=options.model, choice=options.weights)
        _check_family(models, family)
    else:
        models = (family.model(family.default_model),)
    machine = hardware.detect()
    names = ["cpu"] if options.cpu_only else options.device
    chosen = plan.make(
        models,
        select.devices(machine, names, options.all_hardware),
        plan.Options(
            weights=options.weights,
            cache_dir=options.cache_dir,
            registry=options.registry or "",
        ),
    )
    folder = RunFolder.create(Path(options.output_dir or "results")) if _saves(options) else None
    print(chosen.headline, flush=True)
    started = metadata.now()
    collector = Collector()
    case.jobs, case.recorder = chosen.jobs, collector
    suite = unittest.defaultTestLoader.loadTestsFromTestCase(case)
    verdict = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite)
    if folder is not None:
        _save(folder, chosen.jobs, collector.results, machine, started, options)
        print(f"{folder.path}/run.json")
    if not verdict.wasSuccessful():
        return run.BAD
    tested = any(result.status in run.TESTED for result in collector.results)
    return run.OK if tested else run.NOTHING_TESTED


def _saves(options: argparse.Namespace) -> bool:
    return bool(options.save or options.output_dir)


def _check_family(models: Sequence[Model], family: Family) -> None:
    for model in models:
        if model.family != family.name:
            raise UsageError(
                f"{model.id} is a {model.family} model: see hf_tests/test_{model.family}.py"
            )


def _save(
    folder: RunFolder,
    jobs: Sequence[Job],
    results: Sequence[CheckResult],
    machine: hardware.Hardware,
    started: str,
    options: argparse.Namespace,
) -> None:
    described = metadata.of_run(folder.run_id, started, {"weights": options.weights}, "none")
    described |= {"finished": metadata.now(), "interrupted": False, "problems": []}
    outcomes: dict[str, list[JobOutcome]] = {}
    for job in jobs:
        own = tuple(r for r in results if r.model == job.model.id and r.device == job.device)
        outcomes.setdefault(job.model.id, []).append(JobOutcome(job, own, None))
    for siblings in outcomes.values():
        run.write_model(folder, siblings, machine.to_json(), described)
    every = [item for siblings in outcomes.values() for item in siblings]
    run.write_run(folder, every, machine.to_json(), described)
    folder.make_latest()
