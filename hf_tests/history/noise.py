"""Whether a figure is beyond its own history: a sudden step, a slow drift, and when it began.

All is judged on logarithms, so that a change is relative and noise that multiplies is even. What a
check measures differs from process to process, by far more than from trial to trial: by where its
memory lies, by the state of the machine, and by who else uses it. One measurement cannot tell a
change of 15 % from that. Several in fresh processes can, and how many it takes depends on the
check: a quiet one is cleared by its first, a noisy one by its third or fourth.

So each measurement is evidence, added up until it is enough (Wald's sequential probability ratio
test, 1945): the logarithm of how much better it fits a figure that has changed by twice the
threshold than one that has not, by the spread of its own nights. What lies at the threshold says
nothing. The sum clears the figure at CLEAR and calls it at CALL; what is undecided is measured
again in a fresh process, up to `AGAIN` times. As the noise has longer tails than the normal
distribution, no measurement counts for more than MOST: a call takes eight.

`machine_state` says how much of a figure the state of the machine explains; a step is looked for
in what is left, a drift in the figures as they are. ``benchmarks/noise.py`` measures how often that
is wrong, with real noise, and says what the constants were chosen on.
"""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

FALSE_ALARMS = 1 / 3000  # of a figure and night; of a job's, which has up to three, 1 / 1000
MISSED = 1 / 10  # of the changes by twice the threshold
CALL = math.log((1 - MISSED) / FALSE_ALARMS)  # Wald's bounds
CLEAR = math.log(MISSED / (1 - FALSE_ALARMS))
MOST = 1.0  # that one measurement says for a change; with 1.5 a state that lasts deceives oftener
FEWEST = math.ceil(CALL / MOST)  # measurements of a figure that is called

WINDOW = 30  # nights that a figure is held against
AGAIN = 16  # measurements in fresh processes of a figure that stays undecided
SPREADS = 3.0  # how many spreads beyond the median is beyond history for one measurement
WILD_SPREADS = 12.0  # beyond it a night was an accident: it tells nothing of the others
PRIOR_SPREAD = 0.08  # of a figure of which nothing is known; counts as much as one night
STATE_NIGHTS = 10  # of a figure, after which the state of the machine can be told from them
STATE_PRIOR = 4  # nights that what is known of such states beforehand counts as much as
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
    """What counts as a change: relative, and at least ``step`` in the figure's own unit.

    ``state`` is by how much states of the machine move the figure: the standard deviation of its
    logarithm, 0 for what depends on none.
    """

    threshold: float
    step: float = 0.0
    state: float = 0.0


@dataclass(frozen=True)
class Explained:
    """What the state of the machine explains: logarithms, of the nights before and of tonight's."""

    past: Sequence[float]
    tonight: Sequence[float]


@dataclass(frozen=True)
class Verdict:
    """A figure that is beyond its history, or may be.

    ``ratio`` is the median of its measurements by ``usual``, that of ``nights`` nights; ``allowed``
    the ratio up to which those nights were. ``drift`` where it came slowly. ``seen_again`` is
    whether the measurements are enough to call it; if not, it takes more of them. ``is_far`` is
    whether every one is farther than any night was.
    """

    ratio: float
    usual: float
    allowed: float
    nights: int
    drift: bool = False
    seen_again: bool = False
    is_far: bool = False

    @property
    def is_more(self) -> bool:
        """Whether it is more than usual, and not less."""
        return self.ratio > 1


def judge(
    past: Sequence[float],
    value: float,
    again: Sequence[float],
    limit: Limit,
    *,
    remembered: Sequence[float] | None = None,
    explained: Callable[[], Explained | None] | None = None,
) -> Verdict | None:
    """The verdict on tonight's figure, held against those of earlier nights, oldest first.

    None where it is within its history, or has none. ``past`` are the first measurements of the
    nights, for those of one process are alike; ``remembered`` are the figures by which the nights
    are remembered, the same where it is None. ``again`` are tonight's further measurements. All are
    positive. ``explained`` is asked what the state of the machine explains of what is not within
    as it stands.
    """
    if not past or value <= 0:
        return None
    values = (value, *again)
    found = _step(past[-WINDOW:], values, limit)
    state = explained() if found is not None and explained is not None else None
    if found is not None and state is not None:
        is_more = found.is_more
        found = _step(_without(past, state.past)[-WINDOW:], _without(values, state.tonight), limit)
        if found is not None and found.is_more != is_more and len(past) < STATE_NIGHTS:
            found = None  # what all have in common makes no slower check a faster one
    if found is None or not found.seen_again:
        # A step that is none may still be a night in which a drift shows.
        return _drift(past if remembered is None else remembered, values, limit) or found
    return found


def _without(values: Sequence[float], explained: Sequence[float]) -> list[float]:
    return [value / math.exp(log) for value, log in zip(values, explained, strict=True)]


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
    middle = statistics.median(logs)
    usual, own = math.exp(middle), spread(logs)
    step = limit.step / 2 / usual
    least = math.log1p(max(limit.threshold, step))
    if limit.state:
        least = max(least, SPREADS * doubt(logs, math.hypot(limit.state, step)))
    shifts = [math.log(value) - middle for value in values]
    said, sign = max(
        (evidence([way * item for item in shifts], least, own), way) for way in (1, -1)
    )
    shifts = [sign * item for item in shifts]
    if said <= CLEAR:
        return None
    farthest = max(least, _farthest([sign * (log - middle) for log in logs], own))
    size = statistics.median(shifts)
    seen = said >= CALL
    is_enough = size > least and abs(math.exp(middle + sign * size) - usual) >= limit.step
    if not is_enough and (seen or min(shifts) > farthest):
        return None
    if not seen and said + MOST * (1 + AGAIN - len(shifts)) < CALL:
        return None  # no more can call it
    return Verdict(
        ratio=math.exp(sign * size),
        usual=usual,
        allowed=math.exp(sign * farthest),
        nights=len(past),
        seen_again=seen,
        is_far=min(shifts) > farthest,
    )


def evidence(shifts: Sequence[float], least: float, own: float) -> float:
    """How much better these fit a change by twice ``least`` than none: a logarithm.

    ``shifts`` are measurements as logarithms relative to the usual one, with the standard deviation
    ``own``; what lies far below clears and does no more.
    """
    return sum(max(CLEAR, min(MOST, 2 * least * (item - least) / own**2)) for item in shifts)


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


def doubt(logs: Sequence[float], state: float) -> float:
    """The standard deviation of how far tonight as a whole may lie from the median of few nights.

    They may all have been in one state of the machine and tonight, with all its measurements, in
    another: no number of measurements tells that from a change. So it is the predictive spread of
    a night, with the median's own variance, which is pi / 2 that of the mean. 0 once there are
    enough nights to know the states.
    """
    count = len(logs)
    if count >= STATE_NIGHTS:
        return 0.0
    variance = (count * spread(logs) ** 2 + STATE_PRIOR * state**2) / (count + STATE_PRIOR)
    return math.sqrt(variance * (1 + math.pi / 2 / count))


def _drift(known: Sequence[float], values: Sequence[float], limit: Limit) -> Verdict | None:
    """A slow change: the last nights, and all of tonight, against those of weeks ago.

    Found in the first nights in which it shows.
    """
    series = [*known, night_value(values[0], values[1:])]
    if not _is_slow(series, limit):
        return None
    if all(_is_slow(series[: len(series) - back], limit) for back in range(1, 1 + DRIFT_FRESH)):
        return None
    limit = dataclasses.replace(limit, state=0.0)  # it takes many nights, in all states
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
    """The sum of all distances from the median: what is above it less what is below."""
    ordered, half = sorted(logs), len(logs) // 2
    return sum(ordered[-half:]) - sum(ordered[:half]) if half else 0.0
