"""One run from plan to files: the jobs are run, merged as they end, and summed up."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hf_tests import outcome
from hf_tests.hardware import Hardware
from hf_tests.isolation.base import Launcher
from hf_tests.isolation.interruption import Interruption
from hf_tests.nightly import merge, metadata, resume, schedule
from hf_tests.nightly.plan import Plan
from hf_tests.nightly.resume import TakenUp
from hf_tests.nightly.schedule import JobOutcome, Watcher
from hf_tests.nightly.store import RunFolder, write_json
from hf_tests.outcome import CheckResult

OK = 0
BAD = 1
USAGE = 2
NOTHING_TESTED = 3
FRAMEWORK = 4
INTERRUPTED = 130

TESTED = frozenset(outcome.STATUSES) - {outcome.SKIPPED}


@dataclass(frozen=True)
class Finished:
    """A run that has come to its end, whole or interrupted; its files are written."""

    folder: RunFolder
    outcomes: tuple[JobOutcome, ...]
    interrupted: bool
    wall_s: float
    problems: tuple[str, ...] = ()

    @property
    def results(self) -> tuple[CheckResult, ...]:
        """All checks' results in the plan's order."""
        return tuple(result for item in self.outcomes for result in item.results)

    @property
    def exit_status(self) -> int:
        """The exit status of the command that made the run."""
        if self.interrupted:
            return INTERRUPTED
        if self.problems:
            return USAGE
        if any(result.is_bad for result in self.results):
            return BAD
        if not any(result.status in TESTED for result in self.results):
            return NOTHING_TESTED
        return OK


def execute(
    plan: Plan,
    hardware: Hardware,
    launcher: Launcher,
    folder: RunFolder,
    options: Mapping[str, Any],
    watcher: Watcher,
    taken_up: TakenUp | None = None,
    fail_fast: bool = False,
) -> Finished:
    """Run a plan, or what is left of it, and write the run's files into its folder.

    ``taken_up`` is what an earlier part of the run left. Each model's file is written again
    whenever one of its jobs ends, so that an interruption, or a fault of this program, loses
    nothing that was measured.
    """
    start = time.monotonic()
    described = metadata.of_run(
        folder.run_id, taken_up.started if taken_up else metadata.now(), options, launcher.name
    )
    machine = hardware.to_json()
    before = taken_up.done if taken_up is not None else {}
    if taken_up is None:
        resume.save_plan(folder, plan, described)
    done: list[JobOutcome] = []
    by_model: dict[str, list[JobOutcome]] = {}
    with Interruption() as interruption:
        for item in schedule.run(
            plan.jobs, launcher, folder, watcher, interruption, before, fail_fast
        ):
            done.append(item)
            siblings = by_model.setdefault(item.job.model.id, [])
            siblings.append(item)
            write_model(folder, siblings, machine, described)
        wall = time.monotonic() - start
        finished = Finished(folder, tuple(done), interruption.requested, wall, plan.problems)
        described |= {
            "finished": metadata.now(),
            "wall_time": finished.wall_s,
            "interrupted": finished.interrupted,
            "exit_status": finished.exit_status,
            "resumed_jobs": len(before),
            "isolation_notes": list(launcher.notes),
            "problems": list(plan.problems),
        }
        write_run(folder, done, machine, described)
        folder.make_latest()
    return finished


def write_model(
    folder: RunFolder,
    outcomes: Sequence[JobOutcome],
    machine: Mapping[str, Any],
    described: Mapping[str, Any],
) -> None:
    """Write the file of one model from the outcomes of its jobs so far."""
    model = outcomes[0].job.model
    results = [result for item in outcomes for result in item.results]
    document = merge.model_document(model, results, machine, described)
    write_json(folder.model_file(model.family, model.id), document)


def write_run(
    folder: RunFolder,
    outcomes: Sequence[JobOutcome],
    machine: Mapping[str, Any],
    described: Mapping[str, Any],
) -> None:
    """Write run.json."""
    files = {
        item.job.model.id: folder.model_file(item.job.model.family, item.job.model.id)
        .relative_to(folder.path)
        .as_posix()
        for item in outcomes
    }
    write_json(folder.path / "run.json", merge.run_document(outcomes, machine, described, files))
