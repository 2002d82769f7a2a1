"""Whether a figure is beyond its own history: a sudden step, a slow drift, and when it began.

All is judged on logarithms, so that a change is relative and noise that multiplies is even. The
medians and the median absolute deviation are those of Hampel (1974): half of the nights may be
wild. A change is called only when it is beyond a threshold that a person cares for, beyond what the
nights themselves differ by, and seen again in a second measurement. What they differ by is both:
their spread, and the farthest of them, since the noise of a machine that others use has long tails,
of which a spread knows nothing; of n nights without a change, tonight's is the farthest with a
chance of 1 in n + 1, whatever the tails. ``benchmarks/noise.py`` measures how often that is wrong,
with real noise.
"""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

WINDOW = 30  # nights that a figure is held against
SPREADS = 3.0  # how many spreads beyond the median is beyond history
WILD_SPREADS = 12.0  # beyond it a night was an accident: it tells nothing of the others
PRIOR_SPREAD = 0.08  # of a figure of which nothing is known; counts as much as one night
LEAST_SPREAD = 0.01  # figures that never differ, such as those of a simulator's, still may
MAD_TO_DEVIATION = 1.4826  # of a normal distribution

DRIFT_RECENT = 5  # nights at the end of a drift whose median counts
DRIFT_OLD = range(10, 30)  # nights ago that they are held against
DRIFT_FEWEST = 8  # of the old nights
DRIFT_SPREAD = 0.63  # of the difference of these two medians, in spreads of one night
SERIES = 40  # nights in which the first one of a step is looked for


@dataclass(frozen=True)
class Limit:
    """What counts as a change: relative, and at least ``step`` in the figure's own unit."""

    threshold: float
    step: float = 0.0


@dataclass(frozen=True)
class Verdict:
    """A figure that is beyond its history.

    ``ratio`` is the figure by ``usual``, the median of ``nights`` nights; ``allowed`` the ratio up
    to which it would have been within. ``drift`` where it came slowly. ``seen_again`` is whether a
    second measurement says the same; None where there was none.
    """

    ratio: float
    usual: float
    allowed: float
    nights: int
    drift: bool = False
    seen_again: bool | None = None

    @property
    def is_more(self) -> bool:
        """Whether it is more than usual, and not less."""
        return self.ratio > 1


def judge(past: Sequence[float], value: float, again: float | None, limit: Limit) -> Verdict | None:
    """The verdict on tonight's figure, held against those of earlier nights, oldest first.

    None where it is within its history, or has none. ``again`` is the second measurement.
    """
    known = [figure for figure in past if figure > 0]
    if not known or value <= 0:
        return None
    found = _step(known[-WINDOW:], value, limit)
    if found is None:
        return _drift(known, value, again, limit)
    if again is None:
        return found
    second = _step(known[-WINDOW:], again, limit)
    if second is not None and second.is_more == found.is_more:
        return dataclasses.replace(found, seen_again=True)
    # A step that is none may still be the night in which a drift shows.
    return _drift(known, value, again, limit) or dataclasses.replace(found, seen_again=False)


def night_value(value: float, again: float | None) -> float:
    """The one figure by which a night is remembered: what disturbs a measurement only adds."""
    return value if again is None else min(value, again)


def first_night(values: Sequence[float]) -> int:
    """Index of the first value after a step, at which two medians describe the values best.

    The values are positive, at least two, and the step is somewhere in them.
    """
    start = max(0, len(values) - SERIES)
    logs = [math.log(value) for value in values[start:]]
    return start + min(range(1, len(logs)), key=lambda k: _cost(logs[:k]) + _cost(logs[k:]))


def _step(past: Sequence[float], value: float, limit: Limit) -> Verdict | None:
    logs = [math.log(figure) for figure in past]
    middle = statistics.median(logs)
    allowed = max(math.log1p(limit.threshold), _usual_shift(logs, middle))
    return _verdict(math.log(value) - middle, allowed, math.exp(middle), limit, len(past))


def _usual_shift(logs: Sequence[float], middle: float) -> float:
    """How far from the median a night may be that is like the others."""
    own = spread(logs)
    shifts = [abs(log - middle) for log in logs]
    while shifts and shifts[-1] > SPREADS * own:
        shifts.pop()  # a step that goes on is not what the nights before it differ by
    return max((SPREADS * own, *(shift for shift in shifts if shift <= WILD_SPREADS * own)))


def spread(logs: Sequence[float]) -> float:
    """The standard deviation between nights, robust; with few nights drawn towards the prior."""
    middle = statistics.median(logs)
    own = MAD_TO_DEVIATION * statistics.median([abs(item - middle) for item in logs])
    count = len(logs)
    return math.sqrt((count * max(own, LEAST_SPREAD) ** 2 + PRIOR_SPREAD**2) / (count + 1))


def _drift(
    known: Sequence[float], value: float, again: float | None, limit: Limit
) -> Verdict | None:
    """A slow change: the last nights against those of weeks ago. Found once, the night it shows."""
    series = [*known, night_value(value, again)]
    found = _slow(series, limit)
    if found is None or _slow(series[:-1], limit) is not None:
        return None
    for end in range(max(2, len(series) - DRIFT_OLD.stop), len(series) - 1):
        if _step(series[max(0, end - WINDOW) : end], series[end], limit) is not None:
            return None  # it was a step, which was said when it came
    return found


def _slow(series: Sequence[float], limit: Limit) -> Verdict | None:
    recent = series[-DRIFT_RECENT:]
    old = series[max(0, len(series) - DRIFT_OLD.stop) : max(0, len(series) - DRIFT_OLD.start)]
    if len(old) < DRIFT_FEWEST:
        return None
    logs = [math.log(figure) for figure in old]
    middle = statistics.median(logs)
    shift = statistics.median([math.log(figure) for figure in recent]) - middle
    allowed = max(math.log1p(limit.threshold), SPREADS * DRIFT_SPREAD * spread(logs))
    found = _verdict(shift, allowed, math.exp(middle), limit, len(old))
    if found is None:
        return None
    return Verdict(found.ratio, found.usual, found.allowed, len(old), drift=True, seen_again=True)


def _verdict(
    shift: float, allowed: float, usual: float, limit: Limit, nights: int
) -> Verdict | None:
    ratio = math.exp(shift)
    if abs(shift) <= allowed or abs(ratio * usual - usual) < limit.step:
        return None
    return Verdict(ratio, usual, math.exp(allowed), nights)


def _cost(logs: Sequence[float]) -> float:
    middle = statistics.median(logs)
    return sum(abs(item - middle) for item in logs)
