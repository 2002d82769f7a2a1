"""What timed trials say: the median and how sure it is, percentiles, and why to doubt them."""

from __future__ import annotations

import functools
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

CONFIDENCE = 0.95
WIDE_INTERVAL = 0.10  # of the median: beyond it two nights cannot be told apart
WIDE_SPREAD = 0.25  # standard deviation relative to the mean
BUSY_CORES = 0.25  # used by other processes meanwhile; a quarter of one shows in a measurement


@dataclass(frozen=True)
class Summary:
    """Statistics of trials in seconds. ``interval`` is that of the median, None for too few."""

    count: int
    mean: float
    median: float
    least: float
    most: float
    deviation: float
    p90: float
    p95: float
    p99: float
    interval: tuple[float, float] | None

    @property
    def precision(self) -> float:
        """Half the interval's width relative to the median; infinite where there is none."""
        if self.interval is None or self.median <= 0:
            return math.inf
        return (self.interval[1] - self.interval[0]) / 2 / self.median


def summary(times: Sequence[float]) -> Summary:
    """The statistics of at least one trial."""
    return _summary(tuple(times))


@functools.lru_cache(maxsize=64)  # a result's figures and its doubts ask for the same ones
def _summary(times: tuple[float, ...]) -> Summary:
    ordered = sorted(times)
    mean = statistics.fmean(ordered)
    return Summary(
        count=len(ordered),
        mean=mean,
        median=statistics.median(ordered),
        least=ordered[0],
        most=ordered[-1],
        deviation=_deviation(ordered, mean),
        p90=_percentile(ordered, 0.90),
        p95=_percentile(ordered, 0.95),
        p99=_percentile(ordered, 0.99),
        interval=_interval_of_median(ordered),
    )


def doubts(
    times: Sequence[float],
    jobs_beside: int,
    busy_cores: float | None,
    slowdown: str | None = None,
) -> tuple[str, ...]:
    """Sentences on why the figures of these trials should not be trusted; empty where they can.

    ``busy_cores`` is how many cores' worth of time other processes used meanwhile, ``slowdown`` why
    the processor or the GPU ran below its clock.
    """
    found = summary(times)
    reasons = []
    if found.interval is None:
        reasons.append(f"{found.count} trials are too few for a 95 % interval of the median")
    elif found.precision > WIDE_INTERVAL:
        reasons.append(f"the median is known to {found.precision:.0%} only")
    if found.count > 1 and found.deviation > WIDE_SPREAD * found.mean:
        reasons.append(f"trials differ by {found.deviation / found.mean:.0%} (standard deviation)")
    if jobs_beside:
        others = "another job" if jobs_beside == 1 else f"{jobs_beside} other jobs"
        reasons.append(f"{others} ran beside it")
    elif busy_cores is not None and busy_cores > BUSY_CORES:
        reasons.append(f"other processes used {busy_cores:.1f} cores meanwhile")
    if slowdown is not None:
        reasons.append(slowdown)
    return tuple(reasons)


def _deviation(times: Sequence[float], mean: float) -> float:
    """The sample's standard deviation; `statistics.stdev` takes fractions and ten times as long."""
    if len(times) < 2:
        return 0.0
    return math.sqrt(math.fsum((time - mean) ** 2 for time in times) / (len(times) - 1))


def _percentile(ordered: Sequence[float], share: float) -> float:
    """Linear interpolation between order statistics (Hyndman and Fan 1996, type 7)."""
    place = (len(ordered) - 1) * share
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def _interval_of_median(ordered: Sequence[float]) -> tuple[float, float] | None:
    """The narrowest symmetric pair of order statistics that holds the median with CONFIDENCE.

    The number of trials below the median is binomial with a half, whatever their distribution
    (Conover 1999, 3.2), so the pair misses it on each side with the probability of that tail.
    Fewer than six trials have no such pair.
    """
    count = len(ordered)
    tail, rank = 0.0, 0
    for below in range(count // 2):
        tail += math.comb(count, below) / 2**count
        if tail > (1 - CONFIDENCE) / 2:
            break
        rank = below + 1
    return (ordered[rank - 1], ordered[count - rank]) if rank else None
