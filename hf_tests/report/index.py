"""All runs of a results folder on one page: nights as columns, models as rows, totals over time."""

from __future__ import annotations

import sqlite3
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from markupsafe import Markup

from hf_tests import outcome
from hf_tests.history import query
from hf_tests.history.database import DamagedError
from hf_tests.history.query import History
from hf_tests.nightly.store import write_bytes
from hf_tests.nightly.usage import UsageError
from hf_tests.report import page

NAME = "index.html"
NIGHTS = 60  # columns


@dataclass(frozen=True)
class Night:
    """One run: a column. ``report`` is its page beside the index, None where it has been pruned."""

    id: str
    started: str
    passed: int
    bad: int
    total: int
    report: str | None
    changes: tuple[str, ...]

    @property
    def rate(self) -> float:
        """The share of passed checks among those that could be tested, in percent."""
        return 100 * self.passed / (self.passed + self.bad) if self.passed + self.bad else 0.0


@dataclass(frozen=True)
class Cell:
    """A model in one night: the worst status of its checks, and how many ended in which."""

    status: str
    words: str


@dataclass(frozen=True)
class Row:
    """A model over the nights, None where it was not part of one."""

    family: str
    model: str
    cells: tuple[Cell | None, ...]


def write(results: Path) -> Path:
    """Write ``index.html`` into a results folder; raises UsageError where there is nothing."""
    if not results.is_dir():
        raise UsageError(f"there is no folder {results}; runs go there, or into --results-dir.")
    try:
        nights, rows = query.asked(results, lambda history: _read(history, results), lambda _: None)
    except (sqlite3.Error, DamagedError, OSError) as error:
        raise UsageError(f"the history of {results} cannot be used: {error}") from error
    if not nights:
        raise UsageError(f"{results} has no finished run yet.")
    style = (page.TEMPLATES / "report.css").read_text(encoding="utf-8")
    text = page.environment().get_template("index.html").render(
        nights=nights, rows=rows, style=Markup(style), newest=nights[-1]
    )  # fmt: skip
    path = results / NAME
    write_bytes(path, text.encode())
    return path


def _read(history: History, results: Path) -> tuple[list[Night], list[Row]]:
    """The newest nights, oldest of them first, and the models of any of them."""
    nights: list[Night] = []
    found: dict[tuple[str, str], dict[int, Counter[str]]] = {}
    before = None
    for place, run in enumerate(history.runs()[-NIGHTS:]):
        statuses: Counter[str] = Counter()
        for check in history.checks(run.id):
            if check.variant:
                continue
            statuses[check.status] += 1
            cells = found.setdefault((check.family, check.model), {})
            cells.setdefault(place, Counter())[check.status] += 1
        has_page = (results / run.id / page.NAME).is_file()
        nights.append(
            Night(
                run.id,
                run.started,
                statuses[outcome.PASSED],
                sum(statuses[status] for status in outcome.BAD_STATUSES),
                statuses.total(),
                f"{quote(run.id)}/{page.NAME}" if has_page else None,
                tuple(map(str, query.changes(before, run))),
            )
        )
        before = run
    rows = [
        Row(family, model, tuple(_cell(cells.get(place)) for place in range(len(nights))))
        for (family, model), cells in sorted(found.items())
    ]
    return nights, rows


def _cell(statuses: Counter[str] | None) -> Cell | None:
    if statuses is None:
        return None
    order = page.in_order(statuses, page.WORST_FIRST)
    words = ", ".join(f"{statuses[status]} {status.replace('_', ' ')}" for status in order)
    return Cell(order[0], words)
