"""A run as one HTML file that needs nothing else: no network, no server, no other file."""

from __future__ import annotations

import base64
import functools
import hashlib
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from hf_tests import outcome
from hf_tests.nightly.store import write_bytes
from hf_tests.nightly.wording import status_words
from hf_tests.report import bars, figures, wording
from hf_tests.report.forms import Check, Model, Run
from hf_tests.report.past import HEIGHT, NO_PAST, WIDTH, Past

NAME = "report.html"
TEMPLATES = Path(__file__).parent / "templates"
GLYPHS = {
    outcome.PASSED: "✓",
    outcome.FAILED: "✕",
    outcome.ERROR: "!",
    outcome.TIMEOUT: "◷",
    outcome.CRASHED: "↯",
    outcome.SKIPPED: "\u2013",
    outcome.EXPECTED_FAILURE: "≈",
    outcome.UNEXPECTED_SUCCESS: "?",
}
WORST_FIRST = (
    outcome.CRASHED,
    outcome.ERROR,
    outcome.FAILED,
    outcome.TIMEOUT,
    outcome.UNEXPECTED_SUCCESS,
    outcome.PASSED,
    outcome.EXPECTED_FAILURE,
    outcome.SKIPPED,
)
FIRST_VERSIONS = ("transformers", "torch", "openvino", "optimum-intel")
TEXT_BYTES = 700_000  # of tracebacks and logs in one page; the files have them all
PREDICTIONS = 3
PLAIN = 100  # models' pages that stand in the file as they are, where something went wrong
PACK = 20  # models' pages that are packed and opened together


@dataclass(frozen=True)
class Chip:
    """Checks of one cell that ended alike."""

    status: str
    count: int
    error_types: tuple[str, ...]


@dataclass(frozen=True)
class Line:
    """A model's line of the matrix: its place in the run and the chips by device."""

    place: int
    model: Model
    cells: tuple[tuple[str, tuple[Chip, ...]], ...]
    search: str


@dataclass(frozen=True)
class Trouble:
    """Checks that ended alike and say the same."""

    status: str
    error_type: str
    message: str
    hint: str | None
    checks: tuple[tuple[int, Check], ...]


def write(run: Run, past: Past = NO_PAST) -> Path:
    """Write the page into the run's folder; returns its path."""
    path = run.path / NAME
    write_bytes(path, render(run, past).encode())
    return path


def render(run: Run, past: Past = NO_PAST) -> str:
    """The page."""
    places = {(model.family, model.id): place for place, model in enumerate(run.models)}
    counts = Counter(check.status for check in run.checks)
    lines = [_line(place, model, run.devices) for place, model in enumerate(run.models)]
    script = (TEMPLATES / "report.js").read_text(encoding="utf-8")
    style = (TEMPLATES / "report.css").read_text(encoding="utf-8")
    plain, packs = _pages(run, past)
    return environment().get_template("report.html").render(
        run=run,
        past=past,
        plain=plain,
        packs=packs,
        PACK=PACK,
        verdict=_verdict(run),
        counts=[(status, counts[status]) for status in in_order(counts)],
        weights=_weights(run),
        versions=_versions(run.versions),
        lines=_by_family(lines),
        filters=_filters(run),
        bad=_troubles(run.checks, places, lambda check: check.is_bad),
        expected=_troubles(
            run.checks, places, lambda check: check.status == outcome.EXPECTED_FAILURE
        ),
        skipped=_troubles(run.checks, places, lambda check: check.status == outcome.SKIPPED),
        charts=bars.charts(run),
        style=Markup(style),
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )  # fmt: skip


def _pages(run: Run, past: Past) -> tuple[list[Markup], list[str]]:
    """The models' pages: those that can be read without a script, and packs of the others.

    A pack has those of ``PACK`` models that follow each other in the run, as base64 of a zlib
    stream: in every one of them the same words stand around a few numbers.
    """
    article = environment().get_template("model.html")
    budget = _Budget(TEXT_BYTES)
    plain: list[Markup] = []
    packs = []
    for start in range(0, len(run.models), PACK):
        packed = []
        for place, model in enumerate(run.models[start : start + PACK], start):
            text = article.render(
                place=place, model=model, past=past, table_of=figures.table, keep=budget.take
            )
            if len(plain) < PLAIN and (model.problem or any(c.is_bad for c in model.checks)):
                plain.append(Markup(text))
            else:
                packed.append(text)
        bytes_ = zlib.compress("".join(packed).encode(), 9) if packed else b""
        packs.append(base64.b64encode(bytes_).decode())
    return plain, packs


@functools.cache
def environment() -> Environment:
    """Where templates come from, and what they may call."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalize,
    )
    made.filters |= {
        "seconds": wording.seconds,
        "mebibytes": wording.mebibytes,
        "count": wording.count,
        "value": wording.value,
        "words": status_words,
        "glyph": lambda status: GLYPHS.get(status, "?"),
        "anchor": model_anchor,
        "path": lambda name: quote(name, errors="replace"),
        "time": _time,
    }
    made.globals |= {"tabular": _tabular, "PREDICTIONS": PREDICTIONS}
    made.globals |= {"WIDTH": WIDTH, "HEIGHT": HEIGHT}
    return made


def _finalize(item: Any) -> Any:
    """Every text that a template puts out goes through here, before it is escaped."""
    if item is None:
        return ""
    return item if isinstance(item, Markup) else wording.visible(str(item))


def model_anchor(model_id: str) -> str:
    """The part of the address behind # that opens a model's page."""
    return f"model={quote(model_id.encode('utf-8', 'replace'), safe='')}"


def _verdict(run: Run) -> tuple[str, str]:
    """How the run went: ``good``, ``bad`` or ``open``, and a sentence."""
    bad = [check for check in run.checks if check.is_bad]
    total = len(run.checks)
    if not run.whole:
        seen = f"{_plural(len(bad), 'check')} of {total} went wrong" if bad else "nothing wrong"
        return "bad" if bad else "open", f"Not finished; until then {seen}"
    if bad:
        models = len({check.model for check in bad})
        who = f" of {_plural(models, 'model')}" if models > 1 else f", of {bad[0].model}"
        return "bad", f"{len(bad)} of {_plural(total, 'check')} went wrong{who}"
    if all(check.status == outcome.SKIPPED for check in run.checks):
        return "open", "Nothing was tested"
    return "good", "All well"


def _line(place: int, model: Model, devices: Sequence[str]) -> Line:
    cells = []
    for device in devices:
        found: dict[str, list[Check]] = {}
        for check in model.checks:
            if check.device == device:
                found.setdefault(check.status, []).append(check)
        chips = tuple(
            Chip(
                status,
                len(found[status]),
                tuple(dict.fromkeys(check.error_type for check in found[status])),
            )
            for status in in_order(found, WORST_FIRST)
        )
        cells.append((device, chips))
    words = {model.id, model.family, model.description}
    for check in model.checks:
        words |= {check.class_name, check.task, check.key, check.message[:300]}
    return Line(place, model, tuple(cells), " ".join(sorted(words)).lower())


def _by_family(lines: Iterable[Line]) -> dict[str, list[Line]]:
    families: dict[str, list[Line]] = {}
    for line in lines:
        families.setdefault(line.model.family, []).append(line)
    return families


def in_order(found: Iterable[str], order: Sequence[str] = outcome.STATUSES) -> list[str]:
    """Those statuses that were found, in an order; ones that nobody knows at the end."""
    there = set(found)
    return [status for status in order if status in there] + sorted(there - set(order))


def _troubles(
    checks: Iterable[Check], places: Mapping[tuple[str, str], int], wanted: Any
) -> list[Trouble]:
    """Checks that are wanted, those that say the same in one; the most first.

    Hints name the check, so the first one's stands for all.
    """
    groups: dict[tuple[str, str, str], list[tuple[int, Check]]] = {}
    for check in checks:
        if wanted(check):
            key = (check.status, check.error_type, check.message)
            groups.setdefault(key, []).append((places[check.family, check.model], check))
    found = [Trouble(*key, group[0][1].hint, tuple(group)) for key, group in groups.items()]
    return sorted(found, key=lambda trouble: -len(trouble.checks))


def _weights(run: Run) -> list[tuple[str, int]]:
    """How many models ran on which weights, in the order of `outcome.WEIGHTS`."""
    counts = Counter(model.weights or "unknown" for model in run.models)
    return [(kind, counts[kind]) for kind in (*outcome.WEIGHTS, "unknown") if counts[kind]]


def _versions(versions: Mapping[str, str | None]) -> list[tuple[str, str | None]]:
    """What is tested first, then the rest that is installed, then what is not."""
    first = [(name, versions[name]) for name in FIRST_VERSIONS if name in versions]
    rest = [item for item in versions.items() if item[0] not in FIRST_VERSIONS]
    return first + sorted(rest, key=lambda item: (item[1] is None, item[0]))


def _filters(run: Run) -> list[tuple[str, str, list[tuple[str, str]]]]:
    """Name, label and options (value and text) of each choice above the matrix."""
    checks = run.checks
    families = dict.fromkeys(check.family for check in checks)
    errors = sorted({check.error_type for check in checks} - {"none"})
    statuses = in_order(check.status for check in checks)
    return [
        ("family", "Family", [(name, name) for name in families]),
        ("status", "Status", [(name, status_words(name)) for name in statuses]),
        ("device", "Device", [(name, name) for name in run.devices]),
        ("error", "Error type", [(name, status_words(name)) for name in errors]),
    ]


def _tabular(predictions: Sequence[Any]) -> list[str]:
    """The columns of predictions that are all objects alike; none where a table would not do."""
    if not predictions or not all(isinstance(item, dict) and item for item in predictions):
        return []
    keys = list(predictions[0])
    alike = all(list(item) == keys for item in predictions)
    return [str(key) for key in keys] if alike and len(keys) <= 6 else []


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _time(stamp: str) -> str:
    """``2026-11-23 22:05 UTC`` of an ISO 8601 time in UTC."""
    return f"{stamp[:10]} {stamp[11:16]} UTC" if stamp.endswith("Z") else stamp


class _Budget:
    """How much of long texts a page still has room for."""

    def __init__(self, size: int) -> None:
        self._left = size

    def take(self, text: str, most: int) -> str:
        """The end of a text, no longer than allowed and than what is left."""
        allowed = max(0, min(most, self._left))
        if len(text) > allowed:
            text = f"[the beginning is left out]\n{text[-allowed:]}" if allowed else ""
        self._left -= len(text)
        return text
