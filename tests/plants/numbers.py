"""Faults planted into models of series of numbers."""

from __future__ import annotations

from typing import Any

import torch

from tests.plants.base import Plant, forward, outputs


def early_past_lost(given: dict[str, Any]) -> None:
    """Of a series' past only the second half is read."""
    past = given["past_values"].clone()
    past[:, : past.shape[1] // 2] = 0
    given["past_values"] = past


def forecasts_mixed(found: Any) -> None:
    """Each forecast gets a little of all."""
    forecast = found.prediction_outputs
    found.prediction_outputs = forecast + 0.1 * forecast.mean(0, keepdim=True)


def forecasts_offset(found: Any) -> None:
    """A forecast is off by a degree, whatever its unit."""
    found.prediction_outputs = found.prediction_outputs + 1.0


def state_lost(given: dict[str, Any]) -> None:
    given["states"] = torch.zeros_like(given["states"])


def actions_mixed(found: Any) -> None:
    """Each robot does a little of what all do."""
    found.action_preds = found.action_preds + 0.1 * found.action_preds.mean(0, keepdim=True)


PLANTS: dict[str, dict[str, Plant]] = {
    "timeseries": {
        "batch": outputs(forecasts_mixed),
        "past": forward(early_past_lost),
        "units": outputs(forecasts_offset),
    },
    "policy": {"batch": outputs(actions_mixed), "state": forward(state_lost)},
}
