"""What the state of the machine explains of a night's latencies: all checks of a night tell of it.

A machine has hours in which short calls take longer, by how soon its cores wake or by what its
neighbours do. Some checks feel it by half, others not at all, and each by much the same every time.
So nights are alike in which the checks of all other models deviated alike, and a check is expected
to deviate as it did in the nights that tonight is like: ridge regression in its dual form, with the
mean product of two nights' deviations as their likeness (kernel), which needs as many nights as
there are and not as many as there are checks. A check's own model is never asked, for what makes
that slower is what is looked for. What a past night is expected to be leaves that night itself out.

Nothing is explained beyond what the nights before were explained by. A night that is slower as a
whole than any before it is not explained at all: `common` gives it to be told.
"""

from __future__ import annotations

import functools
import math
import statistics
from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from operator import mul

from hf_tests.history import noise
from hf_tests.history.noise import Explained, Limit, Verdict

RIDGE = 1.0  # the likeness of a night that deviates by one spread: so much is noise of one check
CLIP = 3.0  # spreads beyond which a deviation is an accident, or a change of that check alone
DEVIATIONS = 2.563  # between the first and the last tenth of a normal distribution
FEWEST_NIGHTS = noise.STATE_NIGHTS
FEWEST_MODELS = 4  # beside a check's own; of which a further measurement needs half
MANY_MODELS = 50  # of which one is too little to matter
CONTROLS = 5  # models that are measured again beside what is suspect

Row = Hashable
"""A night, or tonight's main or one further measurement: what is measured at the same time."""

Name = tuple[str, str, str]
"""Model, device and key of a check."""


class MachineState:
    """The latencies of all checks in the nights before and tonight.

    ``figures`` has each check's by row, in seconds, of those that may be compared; ``past`` are the
    nights' rows, oldest first, ``tonight`` the row of the main measurement and those of the further
    ones in their order.
    """

    def __init__(
        self,
        figures: Mapping[Name, Mapping[Row, float]],
        past: Sequence[Row],
        tonight: Sequence[Row],
        limit: Limit,
    ) -> None:
        self._past, self._tonight, self._limit = tuple(past), tuple(tonight), limit
        self._logs: dict[Name, dict[Row, float]] = {}
        self._young: dict[Name, dict[Row, float]] = {}
        self._spreads: dict[Name, float] = {}
        for name, values in figures.items():
            known = [math.log(values[row]) for row in self._past if values.get(row, 0) > 0]
            if not known:
                continue
            middle = statistics.median(known)
            logs = {row: math.log(value) - middle for row, value in values.items() if value > 0}
            if len(known) < FEWEST_NIGHTS:
                self._young[name] = logs
            else:
                self._logs[name] = logs
                self._spreads[name] = _wide_spread(known)
        self._devices: dict[str, Mapping[str, Sequence[Mapping[Row, float]]]] = {}
        self._middles: dict[tuple[str, Row, str], tuple[int, float]] = {}
        self._sums: dict[frozenset[Row], tuple[float, int]] = {}
        self._products: list[list[float]] = []
        self._whole: dict[str, list[list[float]]] = {}
        self._inverses: dict[tuple[str, tuple[Row, ...]], list[list[float]]] = {}
        self._by_model: dict[str, list[Name]] = defaultdict(list)
        for name in self._logs:
            self._by_model[name[0]].append(name)

    def __contains__(self, name: object) -> bool:
        """Whether a check can tell of the machine's state."""
        return name in (self._logs or self._young)

    @functools.cached_property
    def common(self) -> dict[str, Verdict]:
        """By device, by how much tonight's checks are all slower or faster than in any night.

        By the median of all measurements of at least half of them; seen again where there were
        further ones.
        """
        found = {}
        for device in sorted({name[1] for name in (*self._logs, *self._young)}):
            levels = [self._level(device, row) for row in self._past]
            first, *further = (self._level(device, row) for row in self._tonight)
            past = [level for level in levels if level is not None]
            if first is None or not past:
                continue
            again = [level for level in further if level is not None]
            middle, own = statistics.median(past), noise.spread(past)
            shift = statistics.median((first, *again)) - middle
            sign = math.copysign(1, shift)
            farthest = max(
                math.log1p(self._limit.threshold),
                noise.SPREADS * max(own, noise.doubt(past, self._limit.state)),
                own + max(sign * (level - middle) for level in past),
            )
            if abs(shift) > farthest:
                found[device] = Verdict(
                    ratio=math.exp(shift),
                    usual=math.exp(middle),
                    allowed=math.exp(sign * farthest),
                    nights=len(past),
                    seen_again=bool(again),
                    is_far=True,
                )
        return found

    def explained(self, name: Name, past: Sequence[Row], again: Sequence[Row]) -> Explained | None:
        """What of a check's figures on these nights, tonight and again the machine explains.

        None where it is not known, or tonight is beyond all nights as a whole.
        """
        own = self._logs.get(name)
        if own is None or len(past) < FEWEST_NIGHTS:
            return self._shared_by_all(name, past, again)
        if name[1] in self.common or len(self._by_model) <= FEWEST_MODELS:
            return None
        inverse = self._inverse(name[0], tuple(past))
        far = CLIP * self._spreads[name]
        deviations = [max(-far, min(far, own[row])) for row in past]
        weights = [sum(map(mul, line, deviations)) for line in inverse]
        # Of a linear smoother, what is expected of a point by all others (Allen 1974, PRESS).
        expected = [
            deviation - weight / inverse[place][place]
            for place, (deviation, weight) in enumerate(zip(deviations, weights, strict=True))
        ]
        least, most = min(expected), max(expected)
        now: list[float] = []
        for row in (self._tonight[0], *again):
            if now and not self._is_known(name[0], row):
                now.append(now[0])
                continue
            likeness = (self._likeness(name[0], row, night) for night in past)
            now.append(max(least, min(most, sum(map(mul, likeness, weights)))))
        return Explained(expected, now)

    def _shared_by_all(
        self, name: Name, past: Sequence[Row], again: Sequence[Row]
    ) -> Explained | None:
        """What the other models' checks of the device have in common, of a check of few nights."""
        model, device, _ = name
        if len(self._on_device(device)) > MANY_MODELS:
            model = ""
        nights = [self._middle(device, row, model, FEWEST_MODELS) for row in past]
        known = [level for level in nights if level is not None]
        first = self._middle(device, self._tonight[0], model, FEWEST_MODELS)
        if first is None or not known:
            return None
        usual = statistics.median(known)
        levels = (self._middle(device, row, model, FEWEST_MODELS // 2) for row in again)
        now = [first, *(first if level is None else level for level in levels)]
        return Explained([0.0] * len(past), [level - usual for level in now])

    def _level(self, device: str, row: Row) -> float | None:
        """The median deviation of a device's checks; None where less than half were measured."""
        models = self._on_device(device)
        checks = [logs for found in models.values() for logs in found]
        known = [logs[row] for logs in checks if row in logs]
        if len(models) <= FEWEST_MODELS or 2 * len(known) < len(checks):
            return None
        return statistics.median(known)

    def _middle(self, device: str, row: Row, but: str, fewest: int) -> float | None:
        """The median deviation of all checks of a device but a model's; None of too few models."""
        key = device, row, but
        if key not in self._middles:
            known = [
                [logs[row] for logs in checks if row in logs]
                for model, checks in self._on_device(device).items()
                if model != but
            ]
            values = [log for logs in known for log in logs]
            self._middles[key] = sum(map(bool, known)), statistics.median(values or [0.0])
        models, middle = self._middles[key]
        return middle if models >= fewest else None

    def _on_device(self, device: str) -> Mapping[str, Sequence[Mapping[Row, float]]]:
        """The deviations of a device's checks by model; of those of few nights if all are such."""
        if device not in self._devices:
            found: dict[str, list[dict[Row, float]]] = defaultdict(list)
            is_old = any(name[1] == device for name in self._logs)
            for name, logs in (self._logs if is_old else self._young).items():
                if name[1] == device:
                    found[name[0]].append(logs)
            self._devices[device] = found
        return self._devices[device]

    def _is_known(self, model: str, row: Row) -> bool:
        others = (names for other, names in self._by_model.items() if other != model)
        known = sum(any(row in self._logs[name] for name in names) for names in others)
        return 2 * known >= FEWEST_MODELS

    def _inverse(self, model: str, rows: tuple[Row, ...]) -> list[list[float]]:
        """That of the ridge's matrix, which is positive definite whatever was not measured."""
        if len(self._by_model) > MANY_MODELS:
            model = ""  # all of them: how alike the nights before were is the same without one
        if model not in self._whole:
            self._whole[model] = _inverted(self._matrix(model))
        key = model, rows
        if key not in self._inverses:
            wanted = set(rows)
            gone = [place for place, row in enumerate(self._past) if row not in wanted]
            self._inverses[key] = _without(self._whole[model], gone)
        return self._inverses[key]

    def _matrix(self, model: str) -> list[list[float]]:
        """How alike the nights before are, without a model's checks, and the ridge."""
        if not self._products:
            self._products = [
                [self._shared("", one, other)[0] for other in self._past] for one in self._past
            ]
        own = [
            [self._scaled[row].get(name, 0.0) for row in self._past]
            for name in self._by_model.get(model, ())
        ]
        counts = [math.sqrt(self._shared(model, row, row)[1] or 1) for row in self._past]
        matrix = []
        for place, line in enumerate(self._products):
            for deviations in own:
                factor = deviations[place]
                line = [item - factor * other for item, other in zip(line, deviations, strict=True)]
            scale = counts[place]
            matrix.append(
                [item / (scale * other) for item, other in zip(line, counts, strict=True)]
            )
            matrix[place][place] += RIDGE
        return matrix

    def _likeness(self, model: str, one: Row, other: Row) -> float:
        total, count = self._shared(model, one, other)
        return total / count if count else 0.0

    def _shared(self, model: str, one: Row, other: Row) -> tuple[float, int]:
        """The sum of the products of two nights' deviations, in spreads, and how many there are.

        Those of the model are not among them.
        """
        key = frozenset((one, other))
        first, second = self._scaled[one], self._scaled[other]
        if key not in self._sums:
            (line, known), (other_line, other_known) = self._lines[one], self._lines[other]
            self._sums[key] = sum(map(mul, line, other_line)), (known & other_known).bit_count()
        total, count = self._sums[key]
        names = self._by_model.get(model, ())
        own = [name for name in names if name in first and name in second]
        return total - sum(first[name] * second[name] for name in own), count - len(own)

    @functools.cached_property
    def _scaled(self) -> dict[Row, dict[Name, float]]:
        found: dict[Row, dict[Name, float]] = {row: {} for row in (*self._past, *self._tonight)}
        for name, logs in self._logs.items():
            own = self._spreads[name]
            for row, log in logs.items():
                if row in found:
                    found[row][name] = max(-CLIP, min(CLIP, log / own))
        return found

    @functools.cached_property
    def _lines(self) -> dict[Row, tuple[list[float], int]]:
        """Each row's deviations of all checks, 0 where there is none, and the bits of those known.

        A year's comparison multiplies a million of them, which looking each up takes too long for.
        """
        found = {}
        for row, scaled in self._scaled.items():
            known = sum(1 << place for place, name in enumerate(self._logs) if name in scaled)
            found[row] = [scaled.get(name, 0.0) for name in self._logs], known
        return found


def _wide_spread(logs: Sequence[float]) -> float:
    """The standard deviation by the middle eight tenths: two humps are no accident."""
    tenths = statistics.quantiles(logs, n=10)
    return max(noise.LEAST_SPREAD, (tenths[-1] - tenths[0]) / DEVIATIONS)


def _without(inverse: Sequence[Sequence[float]], gone: Sequence[int]) -> list[list[float]]:
    """The inverse of the matrix without some places, which takes less than to invert it anew."""
    rows = [list(line) for line in inverse]
    for place in reversed(gone):
        out = rows.pop(place)
        scale = out.pop(place)
        for line in rows:
            factor = line.pop(place) / scale
            if factor:
                line[:] = [item - factor * own for item, own in zip(line, out, strict=True)]
    return rows


def _inverted(matrix: Sequence[Sequence[float]]) -> list[list[float]]:
    """The inverse of a positive definite matrix, by Gauss and Jordan in place, without pivoting."""
    rows = [list(line) for line in matrix]
    for place in range(len(rows)):
        scale = rows[place][place]
        pivot = [item / scale for item in rows[place]]
        for other, line in enumerate(rows):
            factor = line[place]
            if other != place and factor:
                rows[other] = [item - factor * own for item, own in zip(line, pivot, strict=True)]
                rows[other][place] = -factor / scale
        pivot[place] = 1 / scale
        rows[place] = pivot
    return rows
