"""Whether a figure is beyond its own history: a sudden step, a slow drift, and when it began.

All is judged on logarithms, so that a change is relative and noise that multiplies is even. What a
check measures differs from process to process, by far more than from trial to trial: by where its
memory lies, and by who else uses the machine's caches. Such noise has long tails and often two
humps, so no multiple of a spread bounds it, and one measurement cannot tell a change of 15 % from
it. Several in fresh processes can. A figure is suspect where it lies in the outer quarter of the
nights and beyond a threshold that a person cares for; it is then measured again, one process after
the other, until more than one of them was within, which clears it, or all of `AGAIN` are there. Of
n measurements like those before, all but one lie in the outer quarter p with a chance of
n p**(n-1) (1-p) + p**n: 1 in 10,000 for nine. What is far beyond all nights needs two.

``benchmarks/noise.py`` measures how often that is wrong, with real noise. The constants were chosen
on every second of its models, but for FAR_SPREADS; it prints both halves.
"""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

WINDOW = 30  # nights that a figure is held against
AGAIN = 8  # measurements in fresh processes of a figure that stays suspect
MISSES = 1  # of all its measurements may lie within the history of one that is called
OUTER = 0.25  # share of the nights on each side that lie in the outer quarter
OUTER_SPREADS = 0.674  # where that begins in a normal distribution, in spreads
FAR_SPREADS = 6.0  # beyond all nights: there two measurements are enough
SPREADS = 3.0  # how many spreads beyond the median is beyond history for one measurement
WILD_SPREADS = 12.0  # beyond it a night was an accident: it tells nothing of the others
PRIOR_SPREAD = 0.08  # of a figure of which nothing is known; counts as much as one night
LEAST_SPREAD = 0.01  # figures that never differ, such as those of a simulator's, still may
MAD_TO_DEVIATION = 1.4826  # of a normal distribution

DRIFT_RECENT = 5  # nights at the end of a drift whose median counts
DRIFT_OLD = range(10, 30)  # nights ago that they are held against
DRIFT_FEWEST = 8  # of the old nights
DRIFT_SPREADS = 1.3  # of one night; two of the difference of these two medians
DRIFT_FRESH = 5  # nights in which it is found, from the first in which it shows
SERIES = 40  # nights in which the first one of a step is looked for


@dataclass(frozen=True)
class Limit:
    """What counts as a change: relative, and at least ``step`` in the figure's own unit."""

    threshold: float
    step: float = 0.0


@dataclass(frozen=True)
class Verdict:
    """A figure that is beyond its history.

    ``ratio`` is the median of its measurements by ``usual``, that of ``nights`` nights; ``allowed``
    the ratio up to which one would have been within. ``drift`` where it came slowly. ``seen_again``
    is whether the further measurements say the same; None where there were not enough of them to
    tell. ``is_far`` is whether every one is farther than any night was.
    """

    ratio: float
    usual: float
    allowed: float
    nights: int
    drift: bool = False
    seen_again: bool | None = None
    is_far: bool = False

    @property
    def is_more(self) -> bool:
        """Whether it is more than usual, and not less."""
        return self.ratio > 1


def judge(
    past: Sequence[float], value: float, again: Sequence[float], limit: Limit
) -> Verdict | None:
    """The verdict on tonight's figure, held against those of earlier nights, oldest first.

    None where it is within its history, or has none. ``again`` are the further measurements.
    """
    known = [figure for figure in past if figure > 0]
    if not known or value <= 0:
        return None
    found = _step(known[-WINDOW:], (value, *again), limit)
    if found is None or not found.seen_again:
        # A step that is none may still be a night in which a drift shows.
        return _drift(known, (value, *again), limit) or found
    return found


def night_value(value: float, again: Sequence[float]) -> float:
    """The one figure by which a night is remembered."""
    return statistics.median((value, *again))


def first_night(values: Sequence[float]) -> int:
    """Index of the first value after a step, at which two medians describe the values best.

    The values are positive, at least two, and the step is somewhere in them.
    """
    start = max(0, len(values) - SERIES)
    logs = [math.log(value) for value in values[start:]]
    return start + min(range(1, len(logs)), key=lambda k: _cost(logs[:k]) + _cost(logs[k:]))


def _step(past: Sequence[float], values: Sequence[float], limit: Limit) -> Verdict | None:
    logs = [math.log(figure) for figure in past]
    middle, least = statistics.median(logs), math.log1p(limit.threshold)
    shift = math.log(values[0]) - middle
    if abs(shift) <= least:
        return None
    own, sign = spread(logs), 1 if shift > 0 else -1
    shifts = [sign * (math.log(value) - middle) for value in values]
    usual = [sign * (log - middle) for log in logs]
    outer = max(least, OUTER_SPREADS * own, _quantile(usual, 1 - OUTER))
    if shifts[0] <= outer:
        return None
    farthest = max(outer, _farthest(usual, own))
    seen: bool | None = None
    if sum(item <= outer for item in shifts) > MISSES:
        seen = False
    elif len(shifts) > AGAIN or (len(shifts) > 1 and min(shifts) > farthest + FAR_SPREADS * own):
        seen = True
    size = sign * statistics.median(shifts)
    if abs(math.exp(middle + size) - math.exp(middle)) < limit.step:
        return None
    return Verdict(
        ratio=math.exp(size),
        usual=math.exp(middle),
        allowed=math.exp(sign * outer),
        nights=len(past),
        seen_again=seen,
        is_far=min(shifts) > farthest,
    )


def _quantile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    place = (len(ordered) - 1) * share
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def _farthest(usual: Sequence[float], own: float) -> float:
    """How far from the median a night has been, as shifts to one side, but for accidents."""
    known = list(usual)
    while known and known[-1] > SPREADS * own:
        known.pop()  # a step that goes on is not what the nights before it differ by
    return max((SPREADS * own, *(shift for shift in known if shift <= WILD_SPREADS * own)))


def spread(logs: Sequence[float]) -> float:
    """The standard deviation between nights, robust; with few nights drawn towards the prior."""
    middle = statistics.median(logs)
    own = MAD_TO_DEVIATION * statistics.median([abs(item - middle) for item in logs])
    count = len(logs)
    return math.sqrt((count * max(own, LEAST_SPREAD) ** 2 + PRIOR_SPREAD**2) / (count + 1))


def _drift(known: Sequence[float], values: Sequence[float], limit: Limit) -> Verdict | None:
    """A slow change: the last nights, and all of tonight, against those of weeks ago.

    Found in the first nights in which it shows.
    """
    series = [*known, night_value(values[0], values[1:])]
    if not _is_slow(series, limit):
        return None
    if all(_is_slow(series[: len(series) - back], limit) for back in range(1, 1 + DRIFT_FRESH)):
        return None
    for end in range(max(2, len(series) - DRIFT_OLD.stop), len(series) - 2):
        step = _step(series[max(0, end - WINDOW) : end], series[end : end + 3], limit)
        if step is not None and step.is_far:
            return None  # it was a step, which was said when it came
    found = _step(_old(series), values, limit)
    return None if found is None else dataclasses.replace(found, drift=True)


def _old(series: Sequence[float]) -> Sequence[float]:
    return series[max(0, len(series) - DRIFT_OLD.stop) : max(0, len(series) - DRIFT_OLD.start)]


def _is_slow(series: Sequence[float], limit: Limit) -> bool:
    old = _old(series)
    if len(old) < DRIFT_FEWEST:
        return False
    shift = abs(
        math.log(statistics.median(series[-DRIFT_RECENT:])) - math.log(statistics.median(old))
    )
    if shift <= math.log1p(limit.threshold):
        return False
    return shift > DRIFT_SPREADS * spread([math.log(figure) for figure in old])


def _cost(logs: Sequence[float]) -> float:
    middle = statistics.median(logs)
    return sum(abs(item - middle) for item in logs)
