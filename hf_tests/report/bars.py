"""Latency and memory of every check as bars, and the scales that they are drawn on."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from hf_tests.report.forms import Check, Figures, Model, Run
from hf_tests.report.wording import mebibytes, seconds


@dataclass(frozen=True)
class Bar:
    """One check's value; ``width`` is its share of the scale in percent."""

    check: Check
    dtype: str
    text: str
    width: float
    doubtful: bool


@dataclass(frozen=True)
class ModelBars:
    """A model's place in the run and its bars."""

    place: int
    model: Model
    bars: tuple[Bar, ...]


@dataclass(frozen=True)
class Chart:
    """One figure of all models, by family. ``ticks`` are places in percent and their texts."""

    name: str
    title: str
    note: str
    ticks: tuple[tuple[float, str], ...]
    families: tuple[tuple[str, tuple[ModelBars, ...]], ...]


def charts(run: Run) -> tuple[Chart, ...]:
    """The charts of those figures that some check has."""
    made = (
        _chart(
            run,
            "latency",
            "Latency by device",
            "Median time of one run. The scale is logarithmic: each line is ten times the one "
            "before it.",
            lambda figures: figures.median_time,
            seconds,
            logarithmic=True,
        ),
        _chart(
            run,
            "memory",
            "Memory by device",
            "Peak resident memory of the check's process, interpreter and libraries included.",
            lambda figures: figures.peak_memory_mb,
            mebibytes,
        ),
        _chart(
            run,
            "device-memory",
            "Memory on the device",
            "Peak of what the check took of the accelerator's own memory.",
            lambda figures: figures.device_peak_memory_mb,
            mebibytes,
        ),
    )
    return tuple(chart for chart in made if chart.families)


def _chart(
    run: Run,
    name: str,
    title: str,
    note: str,
    figure: Callable[[Figures], float | None],
    text: Callable[[float | None], str],
    logarithmic: bool = False,
) -> Chart:
    found = [
        (check, row, amount)
        for check in run.checks
        for row in check.figures
        if (amount := figure(row)) is not None and amount > 0
    ]
    if not found:
        return Chart(name, title, note, (), ())
    least, most = min(item[2] for item in found), max(item[2] for item in found)
    scale, ticks = _logarithmic(least, most) if logarithmic else _linear(most)
    by_model: dict[tuple[str, str], list[Bar]] = {}
    for check, row, amount in found:
        bar = Bar(check, row.label, text(amount), scale(amount), bool(row.doubts))
        by_model.setdefault((check.family, check.model), []).append(bar)
    families: dict[str, list[ModelBars]] = {}
    for place, model in enumerate(run.models):
        bars = by_model.get((model.family, model.id))
        if bars:
            families.setdefault(model.family, []).append(ModelBars(place, model, tuple(bars)))
    return Chart(
        name,
        title,
        note,
        tuple((scale(tick), text(tick)) for tick in ticks),
        tuple((family, tuple(rows)) for family, rows in families.items()),
    )


def _logarithmic(least: float, most: float) -> tuple[Callable[[float], float], list[float]]:
    """Percent of a scale of whole decades, and the decades."""
    low = math.floor(math.log10(least))
    if least / 10**low < 1.5:
        low -= 1  # the shortest bar is still seen
    high = max(low + 1, math.ceil(math.log10(most) - 1e-9))
    ticks = [10.0**power for power in range(low + 1, high + 1)]
    return lambda amount: 100 * (math.log10(amount) - low) / (high - low), ticks


def _linear(most: float) -> tuple[Callable[[float], float], list[float]]:
    """Percent of a scale that begins at nothing, and round amounts on it."""
    step = _round_step(most / 4)
    top = step * math.ceil(most / step - 1e-9)
    return lambda amount: 100 * amount / top, list(_multiples(step, top))


def _multiples(step: float, top: float) -> Iterable[float]:
    for index in range(1, round(top / step) + 1):
        yield index * step


def _round_step(raw: float) -> float:
    """The next of 1, 2, 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(raw))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * 0.999)
