"""The figures that are followed over the nights: where each stands, its unit, which way is worse.

A new figure of a run needs its line here to be printed and judged; the history keeps every number
that a run's files have, named as there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

SPEED, MEMORY, QUALITY = "speed", "memory", "quality"


@dataclass(frozen=True)
class Metric:
    """A figure of a check. ``key`` is its name under ``performance`` in a model's file.

    ``threshold`` is the relative change below which it is never called worse (0.1 is 10 %);
    infinite for what is shown and not judged. ``step`` is the least change in the figure's own unit
    that matters, whatever it is relatively. ``state`` is by how much states of the machine move it
    that last for hours: the standard deviation of its logarithm.
    """

    name: str
    key: str
    unit: str
    group: str
    threshold: float = math.inf
    step: float = 0.0
    state: float = 0.0
    more_is_worse: bool = True

    @property
    def is_judged(self) -> bool:
        """Whether a change of it is reported."""
        return math.isfinite(self.threshold)

    def text(self, value: float | None) -> str:
        """A value as it is read: ``12.4 ms``, ``318 MB``, ``-`` for none."""
        if value is None or not math.isfinite(value):
            return "-"
        if self.unit == "s":
            for factor, unit in ((1.0, "s"), (1e3, "ms"), (1e6, "us")):
                if abs(value) * factor >= 0.9995 or unit == "us":
                    return f"{_digits(value * factor)} {unit}"
        if self.unit == "MB" and abs(value) >= 10240:
            return f"{_digits(value / 1024)} GB"
        return f"{_digits(value)} {self.unit}".rstrip()


METRICS = (
    Metric("latency", "median_time", "s", SPEED, threshold=0.06, step=50e-6, state=0.08),
    Metric("throughput", "throughput", "/s", SPEED, more_is_worse=False),
    Metric("load", "load_time", "s", SPEED, threshold=0.50, step=0.1),
    Metric("conversion", "conversion_time", "s", SPEED, threshold=0.50, step=1.0),
    Metric("first", "first_inference_time", "s", SPEED),
    Metric("memory", "memory_growth_mb", "MB", MEMORY, threshold=0.10, step=32.0),
    Metric("peak-memory", "peak_memory_mb", "MB", MEMORY),
    Metric("device-memory", "device_peak_memory_mb", "MB", MEMORY, threshold=0.05, step=32.0),
    Metric("parity", "parity", "", QUALITY),
)
"""``load`` and ``conversion`` depend on the disk's cache, hence their thresholds."""

LATENCY = METRICS[0]
BY_NAME = {metric.name: metric for metric in METRICS}
JUDGED = tuple(metric for metric in METRICS if metric.is_judged)


def _digits(value: float) -> str:
    """Three significant digits, without an exponent where that can be read."""
    if value == 0:
        return "0"
    value = float(f"{value:.3g}")
    if not 1e-3 <= abs(value) < 1e6:
        return f"{value:.2g}"
    return f"{value:.{max(0, 2 - math.floor(math.log10(abs(value))))}f}"
