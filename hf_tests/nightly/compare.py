"""Two runs compared: what broke, what was mended, what got slower, and what else is different."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hf_tests import outcome
from hf_tests.history import query
from hf_tests.history.query import Change, Trend
from hf_tests.history.record import Check, Record, Run
from hf_tests.nightly.figures import CommonChange, FigureChange, Figures, Thresholds

NIGHTS = 32  # runs of the history that a comparison looks at
PARITY_FACTOR = 3.0  # beyond it an error relative to the reference is called changed
PARITY_FLOOR = 1e-5  # rounding in float32
SCORE_TOLERANCE = 1e-2  # of predictions' numbers, which are kept with four digits


@dataclass(frozen=True)
class StatusChange:
    """A check whose status is another one, or bad as before. ``since`` is a run's start, UTC."""

    model: str
    device: str
    key: str
    before: str | None
    after: str
    error_type: str = "none"
    message: str | None = None
    since: str | None = None
    flaky: bool = False


@dataclass(frozen=True)
class Difference:
    """A prediction or a parity that is another one, each as text."""

    model: str
    device: str
    key: str
    before: str
    after: str


@dataclass(frozen=True)
class Comparison:
    """All that differs between two runs. Each list is in the order of models and checks.

    ``worse`` and ``better`` were seen in several measurements, ``unsure`` in too few;
    ``still_worse`` began before the base; ``together`` is what all checks of a device did beyond
    all nights before. ``not_compared`` counts figures by the reason why they
    were not.
    """

    base: Run
    new: Run
    new_failures: tuple[StatusChange, ...] = ()
    fixed: tuple[StatusChange, ...] = ()
    newly_skipped: tuple[StatusChange, ...] = ()
    still_failing: tuple[StatusChange, ...] = ()
    worse: tuple[FigureChange, ...] = ()
    better: tuple[FigureChange, ...] = ()
    unsure: tuple[FigureChange, ...] = ()
    still_worse: tuple[FigureChange, ...] = ()
    together: tuple[CommonChange, ...] = ()
    predictions: tuple[Difference, ...] = ()
    parity: tuple[Difference, ...] = ()
    models_new: tuple[str, ...] = ()
    models_gone: tuple[str, ...] = ()
    checks_gone: tuple[str, ...] = ()
    versions: tuple[Change, ...] = ()
    machine: tuple[Change, ...] = ()
    options: tuple[Change, ...] = ()
    compared: int = 0
    not_compared: Mapping[str, int] = field(default_factory=dict)

    @property
    def is_regression(self) -> bool:
        """Whether the newer run is worse: a new failure, or a figure that was seen to be."""
        verdicts = [item.verdict for item in self.together]
        slower = any(verdict.is_more and verdict.seen_again for verdict in verdicts)
        return bool(self.new_failures or self.worse or slower)

    @property
    def has_changed(self) -> bool:
        """Whether there is anything to say in the morning."""
        return any(
            getattr(self, name)
            for name in (
                "new_failures", "fixed", "newly_skipped", "worse", "better", "together",
                "predictions", "parity", "models_new", "models_gone",
                "checks_gone", "versions", "machine",
            )
        )  # fmt: skip

    def to_json(self) -> dict[str, Any]:
        """The JSON form, for programs."""
        found: dict[str, Any] = json.loads(json.dumps(vars(self), default=vars))
        for name in ("base", "new"):
            found[name] = {key: found[name][key] for key in ("id", "started", "counts", "machine")}
        found["together"] = [
            {"device": item.device, "is_more": item.verdict.is_more, **vars(item.verdict)}
            for item in self.together
        ]
        return {"version": 1, "regression": self.is_regression, **found}


def compare(
    base: Record, new: Record, trends: Sequence[Trend] = (), thresholds: Thresholds | None = None
) -> Comparison:
    """Compare two runs. ``trends`` are those of all checks up to the later run.

    They need not hold the two runs themselves, whose figures come from the records.
    """
    limits = thresholds or {}
    before = {check.name: check for check in base.checks}
    after = {check.name: check for check in new.checks}
    models = {check.model for check in base.checks}, {check.model for check in new.checks}
    kept = models[0] & models[1]
    figures = Figures(base, new, trends, limits)
    statuses = _statuses(before, after, _since(trends, new))
    return Comparison(
        base=base.run,
        new=new.run,
        **statuses,
        **figures.found(before, after),
        predictions=tuple(_predictions(before, after)),
        parity=tuple(_parity(before, after, base.run, new.run)),
        models_new=tuple(sorted(models[1] - models[0])),
        models_gone=tuple(sorted(models[0] - models[1])),
        checks_gone=tuple(
            f"{check.model} {check.key}"
            for name, check in before.items()
            if name not in after and check.model in kept and not check.variant
        ),
        versions=query.changes(base.run, new.run),
        machine=_machine(base.run, new.run),
        options=_differences(base.run.options, new.run.options),
    )


def suspects(
    new: Record, trends: Sequence[Trend], thresholds: Thresholds | None = None
) -> tuple[tuple[str, str, str], ...]:
    """The checks of a run, by model, device and method, whose figures need one more measurement."""
    empty = Record(dataclasses.replace(new.run, id="", started=""), ())
    figures = Figures(empty, new, trends, thresholds or {})
    figures.found({}, {check.name: check for check in new.checks})
    return tuple(
        (check.model, check.device, check.method)
        for check in new.checks
        if (check.model, check.key) in figures.suspects and not check.variant
    )


def _statuses(
    before: Mapping[tuple[str, str, str], Check],
    after: Mapping[tuple[str, str, str], Check],
    since: Mapping[tuple[str, str], str],
) -> dict[str, Any]:
    found: dict[str, list[StatusChange]] = {
        name: [] for name in ("new_failures", "fixed", "newly_skipped", "still_failing")
    }
    for name, check in after.items():
        if check.variant:
            continue
        old = before.get(name)
        kind = None
        if check.is_bad:
            kind = "still_failing" if old is not None and old.is_bad else "new_failures"
        elif old is not None and old.is_bad and check.status != outcome.SKIPPED:
            kind = "fixed"
        elif check.status == outcome.SKIPPED and old and old.status != outcome.SKIPPED:
            kind = "newly_skipped"
        if kind is not None:
            found[kind].append(
                StatusChange(
                    model=check.model,
                    device=check.device,
                    key=check.key,
                    before=old.status if old else None,
                    after=check.status,
                    error_type=check.error_type,
                    message=check.message,
                    since=since.get((check.model, check.key)) if check.is_bad else None,
                    flaky=check.rerun_status not in (None, check.status),
                )
            )
    return {name: tuple(items) for name, items in found.items()}


def _since(trends: Sequence[Trend], new: Record) -> dict[tuple[str, str], str]:
    """When the unbroken row of failures began that a check is in, by model and key."""
    found = {}
    moment = new.run.started
    for trend in trends:
        first = moment
        for point in reversed(trend.points):
            if point.started >= moment:
                continue
            if point.status not in outcome.BAD_STATUSES:
                break
            first = point.started
        if not trend.variant:
            found[trend.model, trend.key] = first
    return found


def _predictions(
    before: Mapping[tuple[str, str, str], Check], after: Mapping[tuple[str, str, str], Check]
) -> Iterable[Difference]:
    """Changed predictions of the same checkpoint; another one's are no change of the model."""
    for name, check in after.items():
        old = before.get(name)
        if (
            old is None
            or old.predictions is None
            or check.predictions is None
            or old.checkpoint != check.checkpoint
            or old.weights != check.weights
            or _alike(old.predictions, check.predictions)
        ):
            continue
        yield Difference(check.model, check.device, check.key, old.predictions, check.predictions)


def _alike(one: str, other: str) -> bool:
    if one == other:
        return True
    try:
        return _same(json.loads(one), json.loads(other))
    except ValueError:
        return False  # cut short, with a digest of all


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float | int):
        return math.isclose(one, other, rel_tol=SCORE_TOLERANCE, abs_tol=1e-4)
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other)


def _parity(
    before: Mapping[tuple[str, str, str], Check],
    after: Mapping[tuple[str, str, str], Check],
    base: Run,
    new: Run,
) -> Iterable[Difference]:
    for name, check in after.items():
        old = before.get(name)
        if old is None or old.condition(base) != check.condition(new):
            continue
        one, other = old.figures.get("parity"), check.figures.get("parity")
        if one is None or other is None or max(one, other) < PARITY_FLOOR:
            continue
        if not 1 / PARITY_FACTOR < other / max(one, 1e-30) < PARITY_FACTOR:
            key = f"{check.key} {check.variant}".rstrip()
            yield Difference(check.model, check.device, key, f"{one:.1e}", f"{other:.1e}")


def _machine(base: Run, new: Run) -> tuple[Change, ...]:
    if base.machine == new.machine:
        return ()
    names = ("machine", "processor", "cores", "memory_mb")
    old = {name: base.hardware.get(name) for name in names}
    here = {name: new.hardware.get(name) for name in names}
    for run, found in ((base, old), (new, here)):
        found |= {
            str(device.get("name")): device.get("description")
            for device in run.hardware.get("devices", ())
        }
    return _differences(old, here)


def _differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[Change, ...]:
    """Entries that differ; where files are kept and how much is printed does not matter."""
    passing = {"results_dir", "cache_dir", "quiet", "verbose", "notify", "keep", "nightly"}
    return tuple(
        Change(name, _text(old.get(name)), _text(new.get(name)))
        for name in sorted({*old, *new} - passing)
        if old.get(name) != new.get(name)
    )


def _text(value: Any) -> str | None:
    if isinstance(value, list):
        return " ".join(str(item) for item in value)
    return None if value is None else str(value)
