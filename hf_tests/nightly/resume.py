"""An interrupted run taken up again: its plan from plan.json, what is done from the streams."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hf_tests import plain, stream
from hf_tests.isolation import process
from hf_tests.isolation.base import INTERRUPTED, Ending
from hf_tests.job import Job
from hf_tests.nightly.plan import Plan
from hf_tests.nightly.schedule import JobOutcome, outcome_of
from hf_tests.nightly.store import RunFolder, read_run_file, write_json
from hf_tests.nightly.usage import UsageError

VERSION = 1


@dataclass(frozen=True)
class TakenUp:
    """What an earlier part of a run left: when it began, its options, and outcomes by job name."""

    plan: Plan
    started: str
    options: Mapping[str, Any]
    done: Mapping[str, JobOutcome]


def take_up(folder: RunFolder) -> TakenUp:
    """Read what is done of a run, and clear away what was torn. Raises UsageError."""
    plan, saved = _load_plan(folder)
    return TakenUp(plan, saved["started"], saved["options"], done_before(folder, plan.jobs))


def save_plan(folder: RunFolder, plan: Plan, described: Mapping[str, Any]) -> None:
    """Write plan.json, from which the run can be taken up."""
    document = {
        "version": VERSION,
        "started": described["started"],
        "options": described["options"],
        "headline": plan.headline,
        "problems": list(plan.problems),
        "jobs": [json.loads(job.to_json()) for job in plan.jobs],
    }
    write_json(folder.path / "plan.json", document)


def _load_plan(folder: RunFolder) -> tuple[Plan, dict[str, Any]]:
    """The plan of a run and what else plan.json says. Raises UsageError where it is unreadable."""
    path = folder.path / "plan.json"
    try:
        document = plain.loads(path.read_text(encoding="utf-8"))
        if document.pop("version") != VERSION:
            raise ValueError("another version")
        jobs = tuple(Job.from_json(json.dumps(item)) for item in document.pop("jobs"))
        plan = Plan(jobs, document.pop("headline"), tuple(document.pop("problems")))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"{path} cannot be resumed from: {error}") from None
    return plan, document


def find(results: Path, run_id: str | None) -> RunFolder:
    """The named run, or the newest that did not come to its end. Raises UsageError."""
    if run_id is not None:
        path = results / Path(run_id).name
        if not (path / "plan.json").is_file():
            raise UsageError(f"{results} has no run {run_id!r} that could be resumed.")
        return RunFolder(results, path.resolve().name)
    for path in sorted(results.glob("*/plan.json"), reverse=True):
        if not path.parent.is_symlink() and not _finished(path.parent / "run.json"):
            return RunFolder(results, path.parent.name)
    raise UsageError(f"{results} has no interrupted run.")


def done_before(folder: RunFolder, jobs: Sequence[Job]) -> dict[str, JobOutcome]:
    """Outcomes of those jobs that came to their end in the run's folder, by name.

    A job that did not, or for which there was no room on a disk, is cleared: what still runs of it
    is killed, and its stream and log removed.
    """
    done = {}
    for job in jobs:
        path = folder.stream(job)
        events = list(stream.read(path))
        ending = _ending(events)
        if ending is not None and ending.reason != INTERRUPTED:
            found = outcome_of(job, events, ending, folder.log(job))
            if found is not None and not any(r.error_type == "disk_full" for r in found.results):
                done[job.name] = found
                continue
        for event in events:
            if event["event"] == "start":
                _kill(event.get("pid"), event.get("birth"))
        path.unlink(missing_ok=True)
        folder.log(job).unlink(missing_ok=True)
    return done


def _finished(path: Path) -> bool:
    try:
        return not read_run_file(path)["metadata"].get("interrupted")
    except (OSError, ValueError):
        return False


def _ending(events: list[dict[str, Any]]) -> Ending | None:
    for event in events:
        if event["event"] == "ended":
            with contextlib.suppress(KeyError, TypeError):
                return Ending(**event["ending"])
    return None


def _kill(pid: Any, birth: Any) -> None:
    """Kill a process that outlived its runner, if it is still the one that wrote the stream."""
    if isinstance(pid, int) and birth is not None and process.birth(pid) == birth:
        with contextlib.suppress(OSError):
            os.kill(pid, process.SIGKILL)
