"""One run from plan to files: the jobs are run, merged as they end, and summed up."""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import shutil
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hf_tests import outcome
from hf_tests.hardware import Hardware
from hf_tests.history import ingest, noise
from hf_tests.isolation import cgroup
from hf_tests.isolation.base import Launcher
from hf_tests.isolation.interruption import Interruption
from hf_tests.job import Job
from hf_tests.nightly import durations, merge, metadata, resources, resume
from hf_tests.nightly.plan import Plan
from hf_tests.nightly.resume import TakenUp
from hf_tests.nightly.schedule import JobOutcome, Schedule, Watcher
from hf_tests.nightly.store import RunFolder, write_json
from hf_tests.outcome import CheckResult, Rerun

OK = 0
BAD = 1
USAGE = 2
NOTHING_TESTED = 3
FRAMEWORK = 4
INTERRUPTED = 130

Check = tuple[str, str, str]
"""Model, device and method of a check."""

BUSY_TIMES = 4  # measurements that may be spoilt by other processes, and are made once more
FEW_JOBS = 20  # or a tenth of the run's: those that are run more than once again

TESTED = frozenset(outcome.STATUSES) - {outcome.SKIPPED}


@dataclass(frozen=True)
class Finished:
    """A run that has come to its end, whole or interrupted; its files are written.

    ``history_note`` is what is to be said of taking it into the history.
    """

    folder: RunFolder
    outcomes: tuple[JobOutcome, ...]
    interrupted: bool
    wall_s: float
    problems: tuple[str, ...] = ()
    history_note: str | None = None

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


@dataclass(frozen=True)
class Conduct:
    """How the jobs of a run are run: how many at a time, in which order, what after a failure."""

    jobs_at_once: int = 1
    longest_first: bool = False
    fail_fast: bool = False
    rerun_failed: bool = False


@contextlib.contextmanager
def _collecting_seldom() -> Iterator[None]:
    """Have Python look for cycles a hundred times more seldom.

    Results are kept until the end, and every look is at all of them: a sixth of a large run's time.
    """
    before = gc.get_threshold()
    gc.set_threshold(100 * before[0], *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


@_collecting_seldom()
def execute(
    plan: Plan,
    hardware: Hardware,
    launcher: Launcher,
    folder: RunFolder,
    options: Mapping[str, Any],
    watcher: Watcher,
    taken_up: TakenUp | None = None,
    conduct: Conduct = Conduct(),
    suspects: Callable[[RunFolder], Collection[Check]] | None = None,
) -> Finished:
    """Run a plan, or what is left of it, and write the run's files into its folder.

    ``taken_up`` is what an earlier part of the run left. ``suspects`` names the checks that are to
    be run again beside those that failed, from what is in the folder's files, until it names none.
    A model's file is written when the last of its jobs has ended, and for what is left when the run
    ends, however it does; a runner that is killed leaves the streams, from which ``--resume``
    writes it.
    """
    start = time.monotonic()
    described = metadata.of_run(
        folder.run_id, taken_up.started if taken_up else metadata.now(), options, launcher.name
    )
    described["jobs_at_once"] = conduct.jobs_at_once
    described["control_groups"] = cgroup.parent() is not None
    before = taken_up.done if taken_up is not None else {}
    if taken_up is None:
        resume.save_plan(folder, plan, described)
    report = _Report(folder, plan.jobs, hardware.to_json(), described)
    with (
        Interruption() as interruption,
        contextlib.closing(
            Schedule(
                launcher,
                folder,
                watcher,
                interruption,
                resources.of_machine(conduct.jobs_at_once),
                conduct.fail_fast,
            )
        ) as schedule,
        contextlib.closing(report),
    ):
        jobs = plan.jobs
        if conduct.longest_first:
            jobs = durations.longest_first(jobs, durations.earlier(folder.results))
        for item in schedule.run(jobs, before):
            report.add(item)
        report.close()
        if conduct.rerun_failed:
            for attempt in range(2, 2 + noise.AGAIN + BUSY_TIMES):
                slow: Collection[Check] = ()
                if suspects is not None and not interruption.requested:
                    write_run(folder, report.outcomes, report.machine, described)
                    slow = suspects(folder)
                found = (_again(item, slow, attempt) for item in report.outcomes)
                again = [job for job in found if job is not None]
                if attempt > 2:
                    again = again[: max(FEW_JOBS, len(jobs) // 10)]
                for item in schedule.rerun(again, resume.done_before(folder, again)):
                    report.add_rerun(item)
                report.close()
                if not again:
                    break
        wall = time.monotonic() - start
        finished = Finished(folder, report.outcomes, interruption.requested, wall, plan.problems)
        described |= metadata.at_end() | {
            "wall_time": finished.wall_s,
            "interrupted": finished.interrupted,
            "exit_status": finished.exit_status,
            "resumed_jobs": len(before),
            "isolation_notes": list(launcher.notes),
            "server_startup_time": dict(launcher.startup_s),
            "problems": list(plan.problems),
        }
        write_run(folder, report.outcomes, report.machine, described, report.reruns)
        folder.make_latest()
        if not finished.interrupted:
            shutil.rmtree(folder.references, ignore_errors=True)
    # All files are written: what becomes of the history changes nothing about the run.
    return dataclasses.replace(finished, history_note=ingest.note_of_run(folder.results))


class _Report:
    """The outcomes of a run so far, in the plan's order, and the models' files that tell them."""

    def __init__(
        self,
        folder: RunFolder,
        jobs: Sequence[Job],
        machine: Mapping[str, Any],
        described: Mapping[str, Any],
    ) -> None:
        self.machine = machine
        self.reruns: list[JobOutcome] = []
        self._folder = folder
        self._described = described
        self._places = {job.name: place for place, job in enumerate(jobs)}
        self._outcomes: dict[str, JobOutcome] = {}
        self._by_model: dict[str, set[str]] = defaultdict(set)
        for job in jobs:
            self._by_model[job.model.id].add(job.name)
        self._unwritten: set[str] = set()  # models with outcomes that their files do not tell

    @property
    def outcomes(self) -> tuple[JobOutcome, ...]:
        """All outcomes so far, in the plan's order."""
        return self._ordered(self._outcomes)

    def add(self, item: JobOutcome) -> None:
        """Take in a job's outcome, and write its model's file where it was the last one."""
        model = item.job.model.id
        self._outcomes[item.job.name] = item
        self._unwritten.add(model)
        if self._by_model[model] <= self._outcomes.keys():
            self._write(model)

    def close(self) -> None:
        """Write the files of the models that have outcomes and wait for more."""
        for model in sorted(self._unwritten):
            self._write(model)

    def _write(self, model: str) -> None:
        names = self._by_model[model] & self._outcomes.keys()
        write_model(self._folder, self._ordered(names), self.machine, self._described)
        self._unwritten.discard(model)

    def add_rerun(self, item: JobOutcome) -> None:
        """Put the outcome of a further attempt beside that of the first."""
        self.reruns.append(item)
        first = self._outcomes[item.job.replace(attempt=1).name]
        again = {result.method: result for result in item.results}
        results = tuple(
            dataclasses.replace(result, rerun=_rerun(result.rerun, again[result.method]))
            if result.method in again
            else result
            for result in first.results
        )
        self.add(dataclasses.replace(first, results=results))

    def _ordered(self, names: Iterable[str]) -> tuple[JobOutcome, ...]:
        return tuple(self._outcomes[name] for name in sorted(names, key=self._places.__getitem__))


def _again(item: JobOutcome, slow: Collection[Check], attempt: int) -> Job | None:
    """The job of what failed or is suspect in another one, to be run once more; None for nothing.

    What failed is run a second time and no more. What was not run or was ended because the run was
    interrupted has not failed.
    """
    bad = [
        r.method
        for r in item.results
        if (r.is_bad and r.error_type != "interrupted" and attempt == 2)
        or (r.model, r.device, r.method) in slow
    ]
    return item.job.replace(methods=tuple(bad), attempt=attempt) if bad else None


def _rerun(before: Rerun | None, result: CheckResult) -> Rerun:
    if before is not None:
        measured = (result.measurement,) if result.measurement.trial_times else ()
        return dataclasses.replace(before, further=before.further + measured)
    return Rerun(
        result.status,
        result.error_type,
        result.error,
        result.traceback,
        result.duration,
        result.measurement,
    )


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
    write_json(folder.model_file(model.family, model.id), document, depth=3)


def write_run(
    folder: RunFolder,
    outcomes: Sequence[JobOutcome],
    machine: Mapping[str, Any],
    described: Mapping[str, Any],
    reruns: Sequence[JobOutcome] = (),
) -> None:
    """Write run.json; ``reruns`` are the outcomes of jobs that were run once more."""
    files = {
        item.job.model.id: folder.model_file(item.job.model.family, item.job.model.id)
        .relative_to(folder.path)
        .as_posix()
        for item in outcomes
    }
    document = merge.run_document(outcomes, machine, described, files, reruns)
    write_json(folder.path / "run.json", document)
