"""Show what the history has: its runs, or one model's figures over the nights."""

from __future__ import annotations

import argparse
import json
import re
import sqlite3
import statistics
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hf_tests.nightly.usage import UsageError, unknown
from hf_tests.nightly.wording import one_line, status_words

if TYPE_CHECKING:
    from hf_tests.history.metrics import Metric
    from hf_tests.history.query import Change, History, Trend
    from hf_tests.history.record import Run

WIDTH = 80
SPARK_WIDTH = 30
SPARKS, PLAIN_SPARKS = "▁▂▃▄▅▆▇█", "_.-=+*%#"
BAD_MARK = "x"
UNITS_S = {"s": 1, "min": 60, "h": 3600, "d": 86400}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("model", nargs="?", metavar="MODEL", help="its checks over the runs")
    parser.add_argument("--device", metavar="NAME", help="only this device's checks")
    parser.add_argument(
        "--metric",
        default="latency",
        metavar="NAME",
        help="latency, throughput, load, conversion, first, memory, peak-memory, device-memory, "
        "parity (default: latency)",
    )
    parser.add_argument(
        "--last", type=int, default=30, metavar="N", help="how many runs (default: 30)"
    )
    parser.add_argument(
        "--rebuild", action="store_true", help="read all runs' files again, which are the truth"
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="exit with 1 where the newest run is too old, or tested nothing",
    )
    parser.add_argument(
        "--max-age",
        type=_age,
        default=timedelta(hours=26),
        metavar="AGE",
        help="for --check: 26h, 90min, 2d (default: 26h)",
    )
    parser.add_argument("--json", action="store_true", help="as JSON, with every figure")
    parser.add_argument("--results-dir", metavar="DIR", default="results", help="default: results")


def run(options: argparse.Namespace) -> int:
    """Do what the options ask for; returns the exit status."""
    from hf_tests.history import metrics, query
    from hf_tests.history.database import DamagedError

    results = Path(options.results_dir)
    if options.metric not in metrics.BY_NAME:
        names = tuple(metrics.BY_NAME)
        raise unknown("metric", options.metric, names, f"Metrics: {', '.join(names)}.")
    if options.last < 1:
        raise UsageError("--last needs a positive number of runs")
    if not results.is_dir():
        if options.check:
            print(f"ALARM: there is no folder {results}, so no run was ever finished")
            return 1
        raise UsageError(f"there is no folder {results}; runs go there, or into --results-dir.")
    try:
        if options.rebuild:
            _rebuild(results)
            if options.model is None and not options.check:
                return 0
        status: int = query.asked(results, lambda history: _answer(history, options), _say)
        return status
    except (sqlite3.Error, DamagedError, OSError) as error:
        print(f"runner.py: the history of {results} cannot be used: {error}", file=sys.stderr)
        return 4


def sparkline(values: Sequence[float | None], bad: Sequence[bool], marks: str = SPARKS) -> str:
    """A character for each value, its height between the least and the most of them.

    A bad one is a cross, one without a value a space. A figure that moves by less than a tenth of
    itself does not fill the height, or noise would look like a mountain.
    """
    known = [value for value in values if value is not None]
    if not known:
        return "".join(BAD_MARK if is_bad else " " for is_bad in bad)
    low, high = min(known), max(known)
    height = max(high - low, abs(high) * 0.1) or 1.0
    text = ""
    for value, is_bad in zip(values, bad, strict=True):
        if is_bad or value is None:
            text += BAD_MARK if is_bad else " "
        else:
            text += marks[min(len(marks) - 1, int((value - low) / height * len(marks)))]
    return text


def _age(text: str) -> timedelta:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|min|h|d)", text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no time such as 26h, 90min or 2d")
    return timedelta(seconds=float(found[1]) * UNITS_S[found[2]])


def _say(text: str) -> None:
    print(f"runner.py: {text}", file=sys.stderr)


def _rebuild(results: Path) -> None:
    import time

    from hf_tests.history import ingest

    start = time.monotonic()
    done = ingest.rebuild(results, _say)
    for note in done.notes:
        _say(note)
    print(f"{done.runs} runs read again in {time.monotonic() - start:.1f} s")


def _answer(history: History, options: argparse.Namespace) -> int:
    from hf_tests.history import metrics

    if options.check:
        return _check(history.runs(), options)
    if options.model is None:
        return _runs(history.runs(), options)
    if options.model not in history.models():
        raise unknown("model", options.model, history.models(), "No run in the history had it.")
    trends = history.trends(options.model, device=options.device, last=options.last)
    if options.json:
        print(json.dumps([_trend_json(trend) for trend in trends], ensure_ascii=False, indent=1))
        return 0
    if not trends:
        where = f" on {options.device}" if options.device else ""
        print(f"{options.model} is in none of the newest {options.last} runs{where}")
        return 0
    print(_model_text(options.model, trends, metrics.BY_NAME[options.metric]))
    return 0


def _check(runs: Sequence[Run], options: argparse.Namespace) -> int:
    """Whether there was a run lately, and whether it tested anything."""
    oldest = options.max_age
    problem, newest = None, runs[-1] if runs else None
    if newest is None:
        problem = f"no finished run in {options.results_dir}"
    else:
        age = datetime.now(timezone.utc) - _time(newest.finished or newest.started)
        if age > oldest:
            problem = f"the newest run, {newest.id}, ended {_age_text(age)} ago"
        elif not newest.tested:
            problem = f"the newest run, {newest.id}, tested none of its checks"
        else:
            said = f"{newest.id} ended {_age_text(age)} ago, {newest.tested} checks tested"
    if options.json:
        print(json.dumps({"ok": problem is None, "run": newest and newest.id, "problem": problem}))
    elif problem:
        print(f"ALARM: {problem}")
    else:
        print(said)
    return 1 if problem else 0


def _runs(runs: Sequence[Run], options: argparse.Namespace) -> int:
    from hf_tests.history import query

    chosen = runs[-options.last :]
    if options.json:
        print(json.dumps([vars(run) for run in chosen], ensure_ascii=False, indent=1))
        return 0
    if not runs:
        print(f"no finished run in {options.results_dir} yet\npython runner.py --all makes one")
        return 0
    before = {run.id: earlier for earlier, run in zip((None, *runs), runs, strict=False)}
    print(f"{len(runs)} runs, {_day(runs[0].started)} to {_day(runs[-1].started)}")
    print(f"{'started (UTC)':16}  {'passed':>9}  {'bad':>4}  {'skipped':>7}  {'time':>9}  run")
    from hf_tests import outcome
    from hf_tests.nightly.summary import duration

    for run in chosen:
        counts = run.counts
        bad = sum(counts.get(status, 0) for status in outcome.BAD_STATUSES)
        passed = f"{counts.get('passed', 0)}/{counts.get('total', 0)}"
        took = "-" if run.wall_time is None else duration(run.wall_time)
        print(
            f"{_minute(run.started)}  {passed:>9}  {bad or '-':>4}  "
            f"{counts.get('skipped', 0) or '-':>7}  {took:>9}  {run.id}"
        )
        text = _changes_text(query.changes(before[run.id], run))
        if text:
            print(one_line(f"{'':18}since the run before: {text}", WIDTH))
    return 0


def _model_text(model: str, trends: Sequence[Trend], metric: Metric) -> str:
    points = [point for trend in trends for point in trend.points]
    first, last = min(p.started for p in points), max(p.started for p in points)
    count = len({point.run_id for point in points})
    runs = f"{count} run{'s' if count != 1 else ''}"
    lines = [f"{model}: {runs}, {_day(first)} to {_day(last)}"]
    width = max(len(_name(trend)) for trend in trends)
    spark = max(5, min(SPARK_WIDTH, WIDTH - width - 41, max(len(t.points) for t in trends)))
    lines.append(f"{'':{width}}  {metric.name:{spark}}  {'newest':>8}  {'median':>8}  status")
    marks = SPARKS if _can_print(SPARKS) else PLAIN_SPARKS
    for trend in trends:
        shown = trend.points[-spark:]
        values = trend.values(metric)
        bad = [point.status in _bad() for point in shown]
        known = [value for value in values if value is not None]
        middle = statistics.median(known) if known else None
        newest = trend.points[-1]
        line = (
            f"{_name(trend):{width}}  {sparkline(values[-spark:], bad, marks):{spark}}  "
            f"{metric.text(newest.figures.get(metric.key)):>8}  {metric.text(middle):>8}  "
            f"{status_words(newest.status)}"
        )
        since = trend.failing_since
        if since is not None and since is not newest:
            line += f" since {since.started[5:10]}"
        lines.append(line[:WIDTH])
    changed: dict[str, tuple[Change, ...]] = {}
    for point in points:
        if point.changes:
            changed[point.started] = point.changes
    if changed:
        lines.append("versions that changed:")
        for started, changes in sorted(changed.items()):
            lines.append(one_line(f"  {_minute(started)}  {_changes_text(changes)}", WIDTH))
    return "\n".join(lines)


def _bad() -> frozenset[str]:
    from hf_tests import outcome

    return outcome.BAD_STATUSES


def _name(trend: Trend) -> str:
    return f"{trend.key} {trend.variant}".rstrip()


def _trend_json(trend: Trend) -> dict[str, Any]:
    return {
        **vars(trend),
        "points": [
            {
                **point._asdict(),
                "figures": {k: v for k, v in point.figures.items() if v is not None},
                "condition": point.condition._asdict(),
                "changes": [vars(change) for change in point.changes],
            }
            for point in trend.points
        ],
    }


def _changes_text(changes: Sequence[Change]) -> str:
    return ", ".join(str(change) for change in changes)


def _can_print(text: str) -> bool:
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _time(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)


def _day(text: str) -> str:
    return text[:10]


def _minute(text: str) -> str:
    return text[:16].replace("T", " ")


def _age_text(age: timedelta) -> str:
    hours = age.total_seconds() / 3600
    if hours < 1:
        return f"{hours * 60:.0f} min"
    return f"{hours:.1f} h" if hours < 48 else f"{hours / 24:.1f} days"
