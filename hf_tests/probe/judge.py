"""Assertions on outputs. Each raises WrongOutput with what was expected and what came."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from typing import Any

ROUNDING = 1e-3
"""How far probabilities may sum from 1: half precision keeps about three digits."""


class WrongOutput(AssertionError):
    """The model ran and its output breaks what must hold of a right answer of its task."""


class NotFinite(WrongOutput):
    """The model computed NaN or infinity where a number has to be."""


def require(condition: bool, message: str) -> None:
    """Raise WrongOutput unless the condition holds."""
    if not condition:
        raise WrongOutput(message)


def finite(tensor: Any, name: str) -> None:
    """Every element is a number: no NaN, no infinity."""
    import torch

    bad = int((~torch.isfinite(tensor)).sum())
    if bad:
        raise NotFinite(f"{name}: {bad} of {tensor.numel()} values are not finite")


def no_nan(tensor: Any, name: str) -> None:
    """No element is NaN; what is masked may be infinite."""
    bad = int(tensor.isnan().sum())
    if bad:
        raise NotFinite(f"{name}: {bad} of {tensor.numel()} values are NaN")


def shape(tensor: Any, expected: Sequence[int | None], name: str) -> None:
    """The tensor's shape; None in ``expected`` allows any size there."""
    actual = tuple(tensor.shape)
    fits = len(actual) == len(expected) and all(
        want is None or want == got for want, got in zip(expected, actual, strict=True)
    )
    require(fits, f"{name}: shape {actual}, expected {tuple(expected)}")


def varied(tensor: Any, name: str) -> None:
    """The values are not all the same: a constant output reads nothing of its input."""
    require(bool(tensor.numel() < 2 or (tensor != tensor.flatten()[0]).any()), f"{name}: constant")


def keys(item: Any, expected: Iterable[str], name: str) -> None:
    """A pipeline's answer is a dict with its documented keys."""
    require(isinstance(item, dict), f"{name}: {type(item).__name__}, expected a dict")
    missing = [key for key in expected if key not in item]
    require(not missing, f"{name}: keys {sorted(item)}, without {missing}")


def scores(values: Sequence[float], name: str, sum_to: float | None = None) -> None:
    """Scores lie in [0, 1] and, where asked, sum to a total."""
    require(len(values) > 0, f"{name}: no scores")
    for value in values:
        if math.isnan(value):
            raise NotFinite(f"{name}: a score is NaN")
        require(0.0 <= value <= 1.0, f"{name}: score {value} outside [0, 1]")
    total = sum(values)
    if sum_to is not None:
        require(
            abs(total - sum_to) <= ROUNDING, f"{name}: scores sum to {total}, expected {sum_to}"
        )


def descending(values: Sequence[float], name: str) -> None:
    """Scores are ordered, best first."""
    ordered = all(first >= second for first, second in itertools.pairwise(values))
    require(ordered, f"{name}: scores are not in descending order: {list(values)}")
