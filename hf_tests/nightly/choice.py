"""Which two runs are compared: by id, file, date, ``latest``, ``previous``, or by themselves."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from hf_tests.history import record
from hf_tests.history.query import History
from hf_tests.history.record import Record, RecordError, Run
from hf_tests.nightly.usage import UsageError, unknown

COVERED = 0.5  # of the newer run's checks that the older one must have measured alike
LOOKED_AT = 30  # runs before the newer one

DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def pair(history: History, base: str | None, new: str | None) -> tuple[Record, Record]:
    """The two runs; ``base`` None is the newest comparable one before ``new``, which is the latest.

    Raises UsageError.
    """
    later = named(history, new or "latest")
    if base is None or base == "previous":
        return previous(history, later), later
    earlier = named(history, base)
    if earlier.run.id == later.run.id:
        raise UsageError(f"{base} and {new or 'latest'} are the same run, {later.run.id}.")
    return earlier, later


def named(history: History, name: str) -> Record:
    """A run by its id, its folder or run.json, its date, ``latest`` or ``previous``."""
    runs = history.runs()
    path = Path(name)
    if name not in ("latest", "previous") and (path.is_dir() or path.is_file()):
        try:
            return record.read_run(path if path.is_dir() else path.parent)
        except RecordError as error:
            raise UsageError(str(error)) from None
    if not runs:
        raise UsageError("there is no finished run yet.")
    found = None
    if name == "latest":
        found = runs[-1]
    elif name == "previous":
        return previous(history, _record(history, runs[-1]))
    elif DATE.fullmatch(name):
        dated = [run for run in runs if run.started[:10] <= name]
        if not dated:
            raise UsageError(f"no run is as old as {name}; the first one is {runs[0].id}.")
        found = dated[-1]
    else:
        found = history.run(name)
    if found is None:
        raise unknown("run", name, [run.id for run in runs], "runner.py history lists them.")
    return _record(history, found)


def previous(history: History, new: Record) -> Record:
    """The newest run before ``new`` that measured half of its checks under the same conditions.

    Else the one that shares most; UsageError where none shares any.
    """
    runs = history.runs()
    place = [run.id for run in runs].index(new.run.id) if history.run(new.run.id) else len(runs)
    wanted = {check.name: check.condition(new.run) for check in new.checks if not check.variant}
    best: tuple[float, Record] | None = None
    for run in reversed(runs[max(0, place - LOOKED_AT) : place]):
        if run.machine != new.run.machine:
            continue
        found = _record(history, run)
        share = sum(
            check.condition(run) == wanted[check.name]
            or bool(check.is_bad)  # one that failed has no dtype
            for check in found.checks
            if check.name in wanted
        ) / max(1, len(wanted))
        if share >= COVERED:
            return found
        if share and (best is None or share > best[0]):
            best = share, found
    if best is None:
        raise UsageError(f"no run before {new.run.id} measured any of its checks as it did.")
    return best[1]


def _record(history: History, run: Run) -> Record:
    return Record(run, history.checks(run.id))


def later_of(runs: Sequence[Run]) -> Run:
    """The one that started last."""
    return max(runs, key=lambda run: (run.started, run.id))
