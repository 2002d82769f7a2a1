"""What is asked of the history: its runs, a run's checks, trends, since when a check fails."""

from __future__ import annotations

import contextlib
import json
import operator
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from hf_tests import outcome
from hf_tests.history import database, ingest
from hf_tests.history.database import DamagedError
from hf_tests.history.metrics import METRICS, Metric
from hf_tests.history.record import Check, Condition, Figures, Record, Run

BAD = tuple(sorted(outcome.BAD_STATUSES))


@dataclass(frozen=True)
class Change:
    """A package, the driver or the system in another version than in the run before."""

    name: str
    before: str | None
    after: str | None

    def __str__(self) -> str:
        return f"{self.name} {self.before or 'none'} -> {self.after or 'none'}"


class Point(NamedTuple):
    """A check in one run: ``figures`` are those of `FOLLOWED`, ``again`` all of each further time.

    A figure that was not measured is None. A tuple, for a comparison makes tens of thousands.
    ``changes`` are the versions that changed since the point before.
    """

    run_id: str
    started: str
    status: str
    condition: Condition
    figures: Mapping[str, float | None]
    again: tuple[Figures, ...]
    changes: tuple[Change, ...]


@dataclass(frozen=True)
class Trend:
    """One check, or one variant of it, over the runs, oldest first."""

    family: str
    model: str
    device: str
    method: str
    key: str
    variant: str
    points: tuple[Point, ...]

    def values(self, metric: Metric) -> tuple[float | None, ...]:
        """The metric's value at each point; None where it was not measured."""
        return tuple(point.figures.get(metric.key) for point in self.points)

    @property
    def failing_since(self) -> Point | None:
        """The first point of the unbroken row of bad ones that ends with the newest."""
        found = None
        for point in reversed(self.points):
            if point.status not in outcome.BAD_STATUSES:
                break
            found = point
        return found


class History:
    """An open history. Its methods raise DamagedError where the file is broken inside."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def runs(self) -> tuple[Run, ...]:
        """All runs, oldest first."""
        rows = self._rows(f"{_RUN} ORDER BY run.started, run.id")
        environments: dict[int, Any] = {}
        return tuple(_run(row, environments) for row in rows)

    def run(self, run_id: str) -> Run | None:
        """The run of that id."""
        rows = self._rows(f"{_RUN} WHERE run.id = ?", run_id)
        return _run(rows[0], {}) if rows else None

    def checks(self, run_id: str) -> tuple[Check, ...]:
        """The checks of a run with their variants, by model and key; empty for an unknown run."""
        rows = self._rows(
            "SELECT subject.family, subject.model, subject.device, subject.method, subject.key, "
            "subject.variant, result.status, condition.text, message.text, predictions.text, "
            "result.figures, result.rest FROM run JOIN result ON result.run = run.number "
            "JOIN subject ON subject.number = result.subject "
            "JOIN words AS condition ON condition.number = result.condition "
            "LEFT JOIN words AS message ON message.number = result.message "
            "LEFT JOIN words AS predictions ON predictions.number = result.predictions "
            "WHERE run.id = ? "
            "ORDER BY subject.family, subject.model, subject.key, subject.variant",
            run_id,
        )
        conditions = {text: json.loads(text) for text in {row[7] for row in rows}}
        return tuple(_check(row, conditions) for row in rows)

    def record(self, run_id: str) -> Record | None:
        """A run with its checks."""
        run = self.run(run_id)
        return None if run is None else Record(run, self.checks(run_id))

    def models(self) -> tuple[str, ...]:
        """Every model that any run had."""
        return tuple(row[0] for row in self._rows("SELECT DISTINCT model FROM subject ORDER BY 1"))

    def trends(
        self,
        model: str | None = None,
        *,
        device: str | None = None,
        method: str | None = None,
        until: str | None = None,
        last: int | None = None,
    ) -> tuple[Trend, ...]:
        """The trend of each check and variant of a model, or of all; narrowed by device and method.

        ``until`` is the id of the last run to look at, ``last`` how many runs before it.
        """
        runs = self.runs()
        if until is not None:
            ids = [run.id for run in runs]
            runs = runs[: ids.index(until) + 1] if until in ids else runs
        runs = runs[-last:] if last else runs
        if not runs:
            return ()
        wanted, values = ["run.started >= ?"], [runs[0].started]
        for name, value in (("model", model), ("device", device), ("method", method)):
            if value is not None:
                wanted.append(f"subject.{name} = ?")
                values.append(value)
        rows = self._rows(
            "SELECT result.subject, result.run, result.status, result.condition, "
            f"{_FIGURES}, json_extract(result.rest, '$.checkpoint', '$.again') "
            f"{_ALL if model is None else _ONE}"
            f"WHERE {' AND '.join(wanted)} ORDER BY run.started, run.id",
            *values,
        )
        return self._trends(rows, runs)

    def _trends(self, rows: Sequence[Any], runs: Sequence[Run]) -> tuple[Trend, ...]:
        """Trends from rows in the order of the runs.

        What the rows share is read once: joined to each of tens of thousands, it is most of the
        time.
        """
        by_id = {run.id: run for run in runs}
        by_number = {
            number: by_id[run_id]
            for number, run_id in self._rows("SELECT number, id FROM run")
            if run_id in by_id
        }
        texts = self._rows(
            "SELECT number, text FROM words WHERE number IN (SELECT value FROM json_each(?))",
            json.dumps(list({row[3] for row in rows})),
        )
        columns = {number: json.loads(text) for number, text in texts}
        names = "family, model, device, method, key, variant"
        subjects = {row[0]: row[1:] for row in self._rows(f"SELECT number, {names} FROM subject")}
        points = _points(rows, by_number, columns)
        fields = [(*subjects[number], tuple(own)) for number, own in points.items()]
        trends = [Trend(*each) for each in fields]
        order = operator.attrgetter("family", "model", "key", "variant")
        return tuple(sorted(trends, key=order))

    def bad_since(self, run_id: str) -> dict[tuple[str, str], Run]:
        """For each check that is bad in a run: the first run since which it never was otherwise.

        By model and key. Runs without the check are passed over.
        """
        rows = self._rows(
            "WITH this AS (SELECT number, started, id FROM run WHERE id = ?), "
            "bad AS (SELECT subject FROM result, this WHERE result.run = this.number "
            f"AND status IN ({_marks(BAD)})) "
            "SELECT subject.model, subject.key, run.id, result.status FROM bad "
            "JOIN result ON result.subject = bad.subject "
            "JOIN run ON run.number = result.run, this "
            "JOIN subject ON subject.number = bad.subject AND subject.variant = '' "
            "WHERE (run.started, run.id) <= (this.started, this.id) "
            "ORDER BY run.started DESC, run.id DESC",
            run_id,
            *BAD,
        )
        first: dict[tuple[str, str], str] = {}
        over = set()
        for model, key, run, status in rows:
            if status not in outcome.BAD_STATUSES:
                over.add((model, key))
            elif (model, key) not in over:
                first[model, key] = run
        runs = {run.id: run for run in self.runs()} if first else {}
        return {name: runs[run] for name, run in first.items()}

    def _rows(self, statement: str, *values: Any) -> list[Any]:
        with database.named_damage():
            return self._connection.execute(statement, values).fetchall()


@contextlib.contextmanager
def opened(results: Path, say: Callable[[str], None] = print) -> Iterator[History]:
    """The history of a results folder, with every finished run of it.

    Damaged history is kept under another name and made anew; ``say`` is told. Raises sqlite3.Error
    or OSError where it cannot be opened.
    """
    for note in ingest.update(results, say).notes:
        say(note)
    connection = database.connect(results / database.FILE)
    try:
        yield History(connection)
    finally:
        connection.close()


def asked(
    results: Path, question: Callable[[History], Any], say: Callable[[str], None] = print
) -> Any:
    """The answer to a question, asked once more of a rebuilt history where it finds damage."""
    try:
        with opened(results, say) as history, database.named_damage():
            return question(history)
    except DamagedError as error:
        say(ingest.put_aside(results, error))
        with opened(results, say) as history:
            return question(history)


def changes(before: Run | None, after: Run) -> tuple[Change, ...]:
    """The versions in which two runs differ; none where there is nothing before."""
    if before is None:
        return ()
    return tuple(
        Change(name, before.versions.get(name), after.versions.get(name))
        for name in sorted({*before.versions, *after.versions})
        if before.versions.get(name) != after.versions.get(name)
    )


FOLLOWED = (*(metric.key for metric in METRICS), "busy_cores")
"""The figures that a trend has; to read all of a check's would take three times as long."""

_PATHS = ", ".join(f"'$.{name}'" for name in FOLLOWED)
_FIGURES = f"json_extract(result.figures, {_PATHS})"

# The database would read every run of a year for all checks' trends, if it chose the way itself.
_ALL = (
    "FROM run CROSS JOIN result ON result.run = run.number "
    "CROSS JOIN subject ON subject.number = result.subject "
)
_ONE = (
    "FROM subject CROSS JOIN result ON result.subject = subject.number "
    "CROSS JOIN run ON run.number = result.run "
)

_RUN = (
    "SELECT run.id, run.started, run.machine, run.stamp, run.document, environment.number, "
    "environment.document FROM run JOIN environment ON environment.number = run.environment"
)


def _run(row: Sequence[Any], environments: dict[int, Any]) -> Run:
    run_id, started, machine, stamp, document, number, environment = row
    if number not in environments:
        environments[number] = json.loads(environment)
    return Run(
        id=run_id,
        started=started,
        machine=machine,
        stamp=stamp,
        **json.loads(document),
        **environments[number],
    )


def _check(row: Sequence[Any], conditions: Mapping[str, Mapping[str, Any]]) -> Check:
    *names, condition, message, predictions, figures, rest = row
    family, model, device, method, key, variant, status = names
    more = json.loads(rest)
    more |= {"doubts": tuple(more.get("doubts", ())), "again": _again(more.get("again"))}
    return Check(
        family=family,
        model=model,
        device=device,
        method=method,
        key=key,
        variant=variant,
        status=status,
        message=message,
        predictions=predictions,
        figures=json.loads(figures),
        **conditions[condition],
        **more,
    )


def _points(
    rows: Sequence[Any], runs: Mapping[int, Run], columns: Mapping[int, Mapping[str, Any]]
) -> Mapping[int, Sequence[Point]]:
    """The points of each subject, by its number."""
    found: dict[int, list[Point]] = defaultdict(list)
    between: dict[tuple[int | None, int], tuple[Change, ...]] = {}
    last: dict[int, int] = {}
    # Thousands of points share a few conditions.
    conditions: dict[tuple[int, str, int], Condition] = {}
    tiny = {number for number, each in columns.items() if each["weights"] == "tiny"}
    # One JSON text for all rows is read in half the time of one for each.
    every_figures = json.loads(f"[{','.join([row[-2] for row in rows])}]")
    every_rest = json.loads(f"[{','.join([row[-1] for row in rows])}]")
    for row, figures, (checkpoint, again) in zip(rows, every_figures, every_rest, strict=True):
        number, place, status, condition, _, _ = row
        run, before = runs.get(place), last.get(number)
        if run is None:
            continue
        pair = (before, place)
        if pair not in between:
            between[pair] = changes(None if before is None else runs[before], run)
        shared = condition, "" if condition in tiny else checkpoint or "", place
        if shared not in conditions:
            conditions[shared] = _condition(columns[condition], shared[1], run)
        found[number].append(
            Point(
                run.id,
                run.started,
                status,
                conditions[shared],
                dict(zip(FOLLOWED, figures)),  # noqa: B905 - strict takes twice as long
                _again(again) if again else (),
                between[pair],
            )
        )
        last[number] = place
    return found


def _again(found: Any) -> tuple[Figures, ...]:
    """Further measurements; there was a single one before there were lists of them."""
    return tuple(found) if isinstance(found, list) else (found,) if found else ()


def _condition(columns: Mapping[str, Any], revision: str, run: Run) -> Condition:
    return Condition(
        weights=columns["weights"],
        revision=revision,
        dtype=columns["dtype"] or "",
        batch_size=columns["batch_size"],
        isolation=columns["isolation"] or "",
        jobs_beside=columns["jobs_beside"],
        jobs_at_once=run.jobs_at_once,
        machine=run.machine,
    )


def _marks(values: Sequence[Any]) -> str:
    return ", ".join("?" * len(values))
