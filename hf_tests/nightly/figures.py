"""The figures of a run held against their history: only like with like, and with reasons."""

from __future__ import annotations

import bisect
import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hf_tests import latency, outcome
from hf_tests.history import noise, query
from hf_tests.history.machine_state import CONTROLS, FEWEST_MODELS, MachineState
from hf_tests.history.metrics import JUDGED, LATENCY, SPEED, Metric
from hf_tests.history.noise import Explained, Limit, Verdict
from hf_tests.history.query import Change, Point, Trend
from hf_tests.history.record import Check, Condition, Record

CheckName = tuple[str, str, str]
"""Model, key and variant."""

TONIGHT = "tonight"
BUSY_SHARE = 0.5  # of a run's jobs that could tell; then the rest of them are busy too

NOT_BEFORE = "not measured before"
BUSY = "measured while other processes were busy"
WORDS = {
    "weights": "other weights",
    "revision": "another revision of the weights",
    "dtype": "another dtype",
    "batch_size": "another batch size",
    "isolation": "started in another way",
    "jobs_beside": "other jobs beside it",
    "jobs_at_once": "another number of jobs at once",
    "machine": "another machine",
}
"""What to call two conditions that differ in a field, the first field named counting."""

Thresholds = Mapping[str, Mapping[str, float]]
"""Relative thresholds by model and metric; the model "" has those of the command line."""


@dataclass(frozen=True)
class FigureChange:
    """A figure beyond its history, in seconds or MiB.

    ``usual`` is the median of the ``nights`` it is held against, ``allowed`` the ratio up to which
    one would have been within; ``again`` the further measurements; ``since`` the start of the run
    that was the first such one, ``changes`` the versions that changed then.
    """

    model: str
    device: str
    key: str
    variant: str
    metric: str
    value: float
    usual: float
    ratio: float
    allowed: float
    nights: int
    drift: bool
    again: tuple[float, ...]
    since: str | None
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True)
class CommonChange:
    """All checks of a device slower or faster together than in any of the nights before."""

    device: str
    verdict: Verdict


class Figures:
    """Every judged figure of the newer run against its history up to the base.

    ``suspects`` are those, by model and key, that need one more measurement to be judged, and with
    them the quickest models, which feel the state of the machine most and so tell it.
    """

    def __init__(
        self, base: Record, new: Record, trends: Sequence[Trend], limits: Thresholds
    ) -> None:
        self._base, self._new, self._limits = base.run, new.run, limits
        self.suspects: set[tuple[str, str]] = set()
        self._trends = {(trend.model, trend.key, trend.variant): trend for trend in trends}
        busy = busy_jobs(
            itertools.chain(
                ((p.run_id, t.model, t.device, p.figures) for t in trends for p in t.points),
                (
                    (record.run.id, check.model, check.device, check.figures)
                    for record in (base, new)
                    for check in record.checks
                ),
            )
        )
        self._busy_runs: dict[tuple[str, str], set[str]] = defaultdict(set)
        for run_id, model, device in busy:
            self._busy_runs[model, device].add(run_id)

    def found(
        self,
        before: Mapping[tuple[str, str, str], Check],
        after: Mapping[tuple[str, str, str], Check],
    ) -> dict[str, Any]:
        """The fields of a Comparison that are about figures."""
        lists: dict[str, list[FigureChange]] = defaultdict(list)
        reasons: Counter[str] = Counter()
        compared = 0
        measured = {
            name: check
            for name, check in after.items()
            if check.status in (outcome.PASSED, outcome.EXPECTED_FAILURE)
        }
        pasts = {name: self._past(check, before.get(name)) for name, check in measured.items()}
        latencies = {
            name: self._values(pasts[name][0], LATENCY, check) for name, check in measured.items()
        }
        state = self._state(measured, latencies)
        for name, check in measured.items():
            points, reason = pasts[name]
            for metric in JUDGED:
                value = check.figures.get(metric.key)
                if value is None or math.isinf(metric.threshold):
                    continue
                busy = metric.group == SPEED and self._is_busy(self._new.id, check)
                if busy:
                    past = []
                elif metric is LATENCY:
                    past = latencies[name]
                else:
                    past = self._values(points, metric, check)
                if not past:
                    reasons[BUSY if busy else reason or NOT_BEFORE] += 1
                    continue
                compared += 1
                change = self._change(check, metric, past, state)
                if change is not None:
                    lists[change[0]].append(change[1])
        kinds = ("worse", "better", "unsure", "still_worse")
        self.suspects = {
            (item.model, item.key)
            for kind in ("unsure", "suspect")
            for item in lists[kind]
            if len(item.again) < noise.AGAIN
        }
        if self.suspects:
            self.suspects |= self._controls(measured, state)
        return {
            **{kind: tuple(lists[kind]) for kind in kinds},
            "together": tuple(
                CommonChange(device, verdict) for device, verdict in state.common.items()
            ),
            "compared": compared,
            "not_compared": dict(reasons.most_common()),
        }

    def _past(self, check: Check, old: Check | None) -> tuple[list[Point], str | None]:
        """The points before the newer run that were measured as it was; why there are none."""
        here = check.condition(self._new)
        trend = self._trends.get(check.name)
        earlier = [
            point
            for point in (trend.points if trend else ())
            if (point.started, point.run_id) < (self._new.started, self._new.id)
        ]
        if old is not None and all(point.run_id != self._base.id for point in reversed(earlier)):
            condition = old.condition(self._base)
            earlier.append(
                Point(
                    self._base.id,
                    self._base.started,
                    old.status,
                    condition,
                    old.figures,
                    old.again,
                    (),
                )
            )
            earlier.sort(key=_moment)
        alike = [point for point in earlier if point.condition == here]
        if old is not None and old.figures and old.condition(self._base) != here:
            return [], _unlike(old.condition(self._base), here)
        if earlier and not alike:
            return [], _unlike(earlier[-1].condition, here)
        return alike, None

    def _values(
        self, points: Sequence[Point], metric: Metric, check: Check
    ) -> list[tuple[Point, float]]:
        """A value a night, those left out on which other processes were busy."""
        found = []
        key, job = metric.key, (check.model, check.device)
        busy = self._busy_runs.get(job, ()) if metric.group == SPEED else ()
        for point in points:
            value = point.figures.get(key)
            if value is None or value <= 0 or point.run_id in busy:
                continue
            if point.again:
                further = [figure for _, figure in _again(metric, point.again)]
                value = noise.night_value(value, further)
            found.append((point, value))
        return found

    def _state(
        self,
        measured: Mapping[CheckName, Check],
        latencies: Mapping[CheckName, Sequence[tuple[Point, float]]],
    ) -> MachineState:
        """The state of the machine, as the latencies up to the base and the newer run's tell it."""
        figures: dict[tuple[str, str, str], dict[Hashable, float]] = {}
        nights: dict[str, str] = {}
        times = 0
        for name, check in measured.items():
            value = check.figures.get(LATENCY.key)
            if value is None or self._is_busy(self._new.id, check):
                continue
            points = self._up_to_base(latencies[name])
            nights |= {point.run_id: point.started for point, _ in points}
            times = max(times, len(check.again))
            figures[_in_state(check)] = {
                **{point.run_id: point.figures[LATENCY.key] or 0.0 for point, _ in points},
                TONIGHT: value,
                **dict(_again(LATENCY, check.again)),
            }
        past = sorted(nights, key=lambda run_id: (nights[run_id], run_id))
        return MachineState(figures, past, (TONIGHT, *range(times)), self._limit("", LATENCY))

    def _controls(
        self, measured: Mapping[CheckName, Check], state: MachineState
    ) -> set[tuple[str, str]]:
        """All checks of the quickest models, where the machine's state is made use of."""
        checks: dict[str, set[tuple[str, str]]] = defaultdict(set)
        quickest: dict[str, float] = {}
        for check in measured.values():
            value = check.figures.get(LATENCY.key)
            if value is not None and not check.variant and _in_state(check) in state:
                checks[check.model].add((check.model, check.key))
                quickest[check.model] = min(value, quickest.get(check.model, math.inf))
        if len(quickest) <= FEWEST_MODELS:
            return set()
        models = sorted(quickest, key=quickest.__getitem__)[:CONTROLS]
        return {name for model in models for name in checks[model]}

    def _up_to_base(self, past: Sequence[tuple[Point, float]]) -> Sequence[tuple[Point, float]]:
        if not self._base.id:
            return past
        until = self._base.started, self._base.id
        if not past or _moment(past[-1][0]) <= until:
            return past
        return past[: bisect.bisect_right(past, until, key=lambda item: _moment(item[0]))]

    def _change(
        self,
        check: Check,
        metric: Metric,
        past: Sequence[tuple[Point, float]],
        state: MachineState,
    ) -> tuple[str, FigureChange] | None:
        value = check.figures[metric.key]
        further = _again(metric, check.again)
        places, again = [place for place, _ in further], tuple(figure for _, figure in further)
        limit = self._limit(check.model, metric)
        old = self._up_to_base(past)

        def explained() -> Explained | None:
            nights = [point.run_id for point, _ in old]
            return state.explained(_in_state(check), nights, places)

        verdict = noise.judge(
            [point.figures[metric.key] or 0.0 for point, _ in old],
            value,
            again,
            limit,
            remembered=[figure for _, figure in old],
            explained=explained if metric is LATENCY else None,
        )
        if verdict is None:
            return None
        is_old = (verdict.seen_again or verdict.is_far) and _is_old(old, verdict)
        kind, first = _kind(verdict, metric, is_old), None
        if kind != "suspect":  # of which nothing is said
            series = [*(figure for _, figure in past), noise.night_value(value, again)]
            place = noise.first_night(series)
            if not is_old and not verdict.drift:
                place = max(place, len(old))
            first = past[place][0] if place < len(past) else None
        item = FigureChange(
            model=check.model,
            device=check.device,
            key=check.key,
            variant=check.variant,
            metric=metric.name,
            value=value,
            usual=verdict.usual,
            ratio=verdict.ratio,
            allowed=verdict.allowed,
            nights=verdict.nights,
            drift=verdict.drift,
            again=again,
            since=first.started if first else self._new.started,
            changes=first.changes if first else query.changes(self._base, self._new),
        )
        return kind, item

    def _limit(self, model: str, metric: Metric) -> Limit:
        for name in ("", model):
            if metric.name in self._limits.get(name, {}):
                return Limit(self._limits[name][metric.name], metric.step, metric.state)
        return Limit(metric.threshold, metric.step, metric.state)

    def _is_busy(self, run_id: str, check: Check) -> bool:
        return run_id in self._busy_runs.get((check.model, check.device), ())


def _kind(verdict: Verdict, metric: Metric, is_old: bool) -> str:
    is_worse = verdict.is_more == metric.more_is_worse
    if is_old:
        return "still_worse" if is_worse else "still_better"
    if not verdict.seen_again:
        return "unsure" if verdict.is_far else "suspect"
    return "worse" if is_worse else "better"


def _is_old(nights: Sequence[tuple[Point, float]], verdict: Verdict) -> bool:
    """Whether it is old news: those nights had already gone most of the way to it.

    One alone may have been an accident, unless it was measured again then.
    """
    whole = math.log(verdict.ratio)
    if verdict.drift:
        lately = nights[-noise.DRIFT_FRESH :]
        return any(
            len(point.again) >= noise.FEWEST - 1 and math.log(figure / verdict.usual) / whole > 0.5
            for point, figure in lately
        )
    gone = [math.log(figure / verdict.usual) / whole > 0.5 for _, figure in nights[-2:]]
    return gone[-1] and (all(gone) or bool(nights[-1][0].again))


def _again(metric: Metric, again: Sequence[Mapping[str, float]]) -> list[tuple[int, float]]:
    """The further measurements of a figure by their place, without those beside busy processes."""
    return [
        (place, value)
        for place, figures in enumerate(again)
        if (value := figures.get(metric.key)) is not None
        and (metric.group != SPEED or (figures.get("busy_cores") or 0.0) <= latency.BUSY_CORES)
    ]


def _moment(point: Point) -> tuple[str, str]:
    return point.started, point.run_id


def _in_state(check: Check) -> tuple[str, str, str]:
    return check.model, check.device, f"{check.key} {check.variant}"


Row = tuple[str, str, str, Mapping[str, float | None]]
"""Run, model, device and figures of a check."""


def busy_jobs(rows: Iterable[Row]) -> set[tuple[str, str, str]]:
    """The jobs beside which other processes were busy.

    A check of a few milliseconds cannot tell, nor do loading and converting: a job is busy where
    one of its checks was, and all of a run are where half of its jobs that could tell were.
    """
    runs: dict[str, dict[tuple[str, str], bool | None]] = defaultdict(dict)
    for run_id, model, device, figures in rows:
        jobs, job = runs[run_id], (model, device)
        cores = figures.get("busy_cores")
        if cores is None:
            jobs.setdefault(job, None)
        elif not jobs.get(job):
            jobs[job] = cores > latency.BUSY_CORES
    found = set()
    for run_id, jobs in runs.items():
        known = [is_busy for is_busy in jobs.values() if is_busy is not None]
        are_all = bool(known) and sum(known) >= len(known) * BUSY_SHARE
        found |= {(run_id, *job) for job, is_busy in jobs.items() if is_busy or are_all}
    return found


def _unlike(old: Condition, new: Condition) -> str:
    for name, words in WORDS.items():
        if getattr(old, name) != getattr(new, name):
            return words
    return NOT_BEFORE
