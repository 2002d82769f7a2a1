"""Compare two runs: what broke, what was mended, what got slower, what else is different."""

from __future__ import annotations

import argparse
import gc
import json
import sqlite3
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from hf_tests.nightly.usage import UsageError, unknown

if TYPE_CHECKING:
    from hf_tests.history.query import History
    from hf_tests.nightly.compare import Comparison
    from hf_tests.nightly.figures import Thresholds


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "base",
        nargs="?",
        metavar="BASE",
        help="a run's id, folder or run.json, a date (the newest run up to it), latest, previous "
        "(default: the newest run before NEW that measured the same)",
    )
    parser.add_argument("new", nargs="?", metavar="NEW", help="likewise (default: latest)")
    parser.add_argument(
        "--format",
        choices=("table", "markdown", "json"),
        default="table",
        help="default: table",
    )
    parser.add_argument(
        "--threshold",
        nargs="+",
        metavar="METRIC=SHARE",
        default=[],
        help="the least relative change that counts, as in latency=20%% memory=0.05",
    )
    parser.add_argument(
        "--strict",
        action="store_true",
        help="exit with 1 too where a figure is worse in too few measurements",
    )
    parser.add_argument("--registry", metavar="FILE", help="in place of the shipped registry.json")
    parser.add_argument("--results-dir", metavar="DIR", default="results", help="default: results")


def run(options: argparse.Namespace) -> int:
    """Print the comparison; 1 where the newer run is worse."""
    from hf_tests.history import query
    from hf_tests.history.database import DamagedError
    from hf_tests.nightly import morning

    gc.disable()  # nearly all that is made here is in use until the end
    limits = thresholds_of(options.threshold, options.registry)
    results = Path(options.results_dir)
    if not results.is_dir():
        raise UsageError(f"there is no folder {results}; runs go there, or into --results-dir.")
    try:
        found: Comparison = query.asked(
            results, lambda history: _compared(history, options, limits), _say
        )
    except (sqlite3.Error, DamagedError, OSError) as error:
        print(f"runner.py: the history of {results} cannot be used: {error}", file=sys.stderr)
        return 4
    if options.format == "json":
        print(json.dumps(found.to_json(), ensure_ascii=False, indent=1))
    else:
        print(morning.markdown(found) if options.format == "markdown" else morning.text(found))
    return int(found.is_regression or (options.strict and bool(found.unsure)))


def thresholds_of(words: list[str], registry: str | None) -> Thresholds:
    """The thresholds of the command line and of the registry's models. Raises UsageError."""
    from hf_tests.history.metrics import JUDGED
    from hf_tests.nightly import select

    names = [metric.name for metric in JUDGED]
    limits: dict[str, dict[str, float]] = {
        model.id: dict(model.thresholds)
        for model in select.registry(registry).models
        if model.thresholds
    }
    for word in words:
        name, _, value = word.partition("=")
        if name not in names:
            raise unknown("metric", name, names, f"Metrics with one: {', '.join(names)}.")
        try:
            share = float(value.removesuffix("%")) / (100 if value.endswith("%") else 1)
        except ValueError:
            share = -1.0
        if not 0 < share < 100:
            raise UsageError(f"{word!r}: a threshold is a share such as 20% or 0.2")
        limits.setdefault("", {})[name] = share
    return limits


def _compared(history: History, options: argparse.Namespace, limits: Thresholds) -> Comparison:
    from hf_tests.nightly import choice, compare

    base, new = choice.pair(history, options.base, options.new)
    last = choice.later_of((base.run, new.run))
    trends = history.trends(until=last.id, last=compare.NIGHTS)
    return compare.compare(base, new, trends, limits)


def _say(text: str) -> None:
    print(f"runner.py: {text}", file=sys.stderr)
