"""What the history says beside a run: what changed, since when a check fails, its trend."""

from __future__ import annotations

import functools
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hf_tests import outcome
from hf_tests.history import query
from hf_tests.history.database import DamagedError
from hf_tests.history.metrics import BY_NAME, Metric
from hf_tests.history.query import History, Point, Trend
from hf_tests.nightly import choice, compare, morning
from hf_tests.nightly.store import RunFolder
from hf_tests.nightly.usage import UsageError
from hf_tests.report.wording import mebibytes, seconds

NIGHTS = 30  # of a trend
WIDTH, HEIGHT = 300, 44  # of a line, in its own units
SHOWN = (("latency", seconds), ("peak-memory", mebibytes))


@dataclass(frozen=True)
class Line:
    """One figure of one check over the nights.

    ``points`` are pairs of coordinates as SVG has them, ``changes`` the places of nights with other
    versions and ``bad`` of those in which the check went wrong; ``words`` say it without a picture.
    """

    figure: str
    points: str
    changes: tuple[float, ...]
    bad: tuple[float, ...]
    words: str


@dataclass(frozen=True)
class CheckTrend:
    """A check's lines."""

    key: str
    variant: str
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class ModelTrend:
    """A model's checks over the nights, and the versions that changed: date and words."""

    nights: int
    checks: tuple[CheckTrend, ...]
    changes: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Past:
    """What is known beside the run itself; ``note`` says why that is nothing."""

    base: str | None = None
    sections: tuple[tuple[str, tuple[str, ...]], ...] = ()
    coverage: str = ""
    since: Mapping[tuple[str, str], str] = field(default_factory=dict)
    trends: Mapping[str, ModelTrend] = field(default_factory=dict)
    note: str = ""


NO_PAST = Past(note="The history was not asked.")


def of_run(folder: RunFolder, thresholds: Mapping[str, Mapping[str, float]]) -> Past:
    """The past of a run. A history that cannot be used is a note, never an error."""
    try:
        found: Past = query.asked(
            folder.results,
            lambda history: _past(history, folder.run_id, thresholds),
            lambda _: None,
        )
    except (sqlite3.Error, DamagedError, OSError) as error:
        return Past(note=f"The history cannot be used: {error}")
    return found


def _past(history: History, run_id: str, thresholds: Mapping[str, Mapping[str, float]]) -> Past:
    record = history.record(run_id)
    if record is None:
        return Past(note="The run is not in the history, which has finished runs only.")
    trends = history.trends(until=run_id, last=compare.NIGHTS)
    since = {
        name: run.started[:10]
        for name, run in history.bad_since(run_id).items()
        if run.id != run_id
    }
    lines = _trends(trends, run_id)
    try:
        base = choice.previous(history, record)
    except UsageError as reason:
        return Past(since=since, trends=lines, note=f"Nothing to compare with: {reason}")
    found = compare.compare(base, record, trends, {k: dict(v) for k, v in thresholds.items()})
    return Past(
        base=base.run.id,
        sections=tuple((title, tuple(entries)) for title, entries in morning.sections(found)),
        coverage=morning.coverage(found),
        since=since,
        trends=lines,
    )


def _trends(trends: Sequence[Trend], run_id: str) -> dict[str, ModelTrend]:
    by_model: dict[str, list[tuple[Trend, Sequence[Point]]]] = {}
    for trend in trends:
        points = trend.points[-NIGHTS:]
        if len(points) > 1 and points[-1].run_id == run_id:
            by_model.setdefault(trend.model, []).append((trend, points))
    found = {}
    for model, own in by_model.items():
        checks = tuple(
            CheckTrend(trend.key, trend.variant, lines)
            for trend, points in own
            if (lines := tuple(_lines(points)))
        )
        changes = {
            (point.started[:10], ", ".join(map(str, point.changes))): None
            for _, points in own
            for point in points[1:]
            if point.changes
        }
        if checks:
            nights = max(len(points) for _, points in own)
            found[model] = ModelTrend(nights, checks, tuple(sorted(changes)))
    return found


@functools.cache
def _across(count: int) -> tuple[float, ...]:
    """Where each of so many nights stands."""
    return tuple(round(place * WIDTH / (count - 1), 1) for place in range(count))


def _lines(points: Sequence[Point]) -> list[Line]:
    lines = []
    across = _across(len(points))
    changes = tuple(across[i] for i, point in enumerate(points) if i and point.changes)
    bad = tuple(across[i] for i, p in enumerate(points) if p.status in outcome.BAD_STATUSES)
    for name, text in SHOWN:
        metric: Metric = BY_NAME[name]
        values = [point.figures.get(metric.key) for point in points]
        known = [(place, value) for place, value in enumerate(values) if value is not None]
        if len(known) < 2:
            continue
        amounts = [value for _, value in known]
        least, most = min(amounts), max(amounts)
        # A scale from nothing would hide a change, one that fits the noise would make it a cliff.
        low = least - max(0.1 * most, most - least) / 2
        high = most + max(0.1 * most, most - least) / 2
        scale = HEIGHT / (high - low)
        lines.append(
            Line(
                name.replace("-", " "),
                " ".join([f"{across[i]:g},{scale * (high - value):.1f}" for i, value in known]),
                changes,
                bad,
                f"{text(amounts[-1])}; {len(known)} nights, {text(least)} to {text(most)}",
            )
        )
    return lines
