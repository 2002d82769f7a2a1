"""Properties of what forecasts a series of numbers."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

from hf_tests.probe.properties.base import Loaded
from hf_tests.probe.tasks import base
from hf_tests.probe.tasks.time_series_forecasting import TimeSeriesForecasting

SCALE, SHIFT = 4.0, -64.0
"""Another unit and zero point, with values below zero too: where there are none, some networks
forecast none."""

PARTS = 4
TASK = TimeSeriesForecasting()


def series_beside_change_nothing(loaded: Loaded) -> None:
    """A series has the same forecast alone and beside another in a batch."""
    import torch

    both = {name: torch.cat([value, value]) for name, value in loaded.inputs.items()}
    past = loaded.inputs["past_values"]
    both["past_values"] = torch.cat([past, past.flip(1) * 0.5])
    wanted = TASK.forecast(loaded.outputs)
    loaded.same(_forecast(loaded, both)[:1], wanted, "a series' forecast differs beside another")


def units_carry_over(loaded: Loaded) -> None:
    """A series in another unit, from another zero, has the same forecast in that unit."""
    past = loaded.inputs["past_values"]
    found = _forecast(loaded, {**loaded.inputs, "past_values": past * SCALE + SHIFT})
    wanted = TASK.forecast(loaded.outputs) * SCALE + SHIFT
    loaded.same(found, wanted, "the forecast of a series in another unit")


def whole_past_is_read(loaded: Loaded) -> None:
    """A series of which any quarter of the past is turned upside down has another forecast."""
    past = loaded.inputs["past_values"]
    wanted = _forecast(loaded, loaded.inputs)
    for place, part in enumerate(_parts(past)):
        other = past.clone()
        other[:, part] = 2 * past.mean(1, keepdim=True) - other[:, part]
        what = f"the forecast of a series with another quarter {place + 1}"
        found = _forecast(loaded, {**loaded.inputs, "past_values": other})
        loaded.different(found, wanted, what)


def _parts(past: Any) -> list[slice]:
    ends = [past.shape[1] * count // PARTS for count in range(PARTS + 1)]
    return [slice(start, end) for start, end in itertools.pairwise(ends)]


def _forecast(loaded: Loaded, inputs: Mapping[str, Any]) -> Any:
    return TASK.forecast(base.run_alike(loaded.network, inputs))
