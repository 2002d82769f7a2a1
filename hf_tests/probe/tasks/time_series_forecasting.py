"""time-series-forecasting: what comes next in a series of numbers."""

from __future__ import annotations

from typing import Any

from hf_tests.outcome import Example
from hf_tests.probe import judge, samples
from hf_tests.probe.tasks import base
from hf_tests.registry import Model

MEAN, SPREAD = "mean", "spread"
"""Where a network gives the parameters of a distribution, what these say of each step."""

FORECASTS = ("prediction_outputs", "mean_predictions", MEAN)
"""Names that forecasts have among a network's outputs: a value for each step of the horizon."""

QUANTILES = "full_predictions"
"""The forecast with its quantiles beside it, of the networks that give them."""

HORIZONS = ("prediction_length", "horizon_length")
SHOWN = 5  # steps of a forecast that a result shows


class TimeSeriesForecasting(base.Task):
    """Forecasters that give every step of their horizon in one pass.

    What prepares the inputs is the configuration: it says how long a past is read, and of how many
    channels. Those that draw each step from a distribution are given the steps before it, as in
    their training: they would go on otherwise after another draw.
    """

    name = "time-series-forecasting"
    processor_class = "AutoConfig"
    openvino_class = "OVModelForTimeSeriesForecasting"
    unit = "series"

    def inputs(self, subject: base.Subject) -> dict[str, Any]:
        import torch

        config = subject.processor
        channels = getattr(config, "num_input_channels", None)
        lags = getattr(config, "lags_sequence", None)
        past = config.context_length + max(lags or [0])
        future = config.prediction_length if lags else 0
        series = torch.from_numpy(samples.series(past + future, channels or 1))[None]
        # A network that names no channels reads one, and has no dimension for it.
        series = series if channels else series[..., 0]
        found = {"past_values": series[:, :past]}
        return found | _around(config, series, past) if future else found

    def run(self, subject: base.Subject, inputs: dict[str, Any]) -> Any:
        return base.run_alike(subject.network, inputs)

    def compared(self, outputs: Any) -> dict[str, Any]:
        found = {self.forecast_name(outputs): self.forecast(outputs)}
        if outputs.get("params") is not None:
            found[SPREAD] = outputs["params"][-1] * outputs["scale"]
        kept = (QUANTILES, SPREAD)
        return found | {name: outputs[name] for name in kept if outputs.get(name) is not None}

    def forecast_name(self, outputs: Any) -> str:
        """The name of the forecast among the outputs. Raises WrongOutput where there is none."""
        if outputs.get("params") is not None:
            return MEAN
        name = next((name for name in FORECASTS if outputs.get(name) is not None), None)
        judge.require(name is not None, f"no forecast among {', '.join(outputs)}")
        return str(name)

    def forecast(self, outputs: Any) -> Any:
        """The forecast, shape (batch, steps) or (batch, steps, channels)."""
        params = outputs.get("params")
        if params is not None:  # the last two are a location and a spread, in the past's own scale
            return params[-2] * outputs["scale"] + outputs["loc"]
        return outputs[self.forecast_name(outputs)]

    def judge(self, subject: base.Subject, inputs: dict[str, Any], outputs: Any) -> base.Verdict:
        forecast = self.forecast(outputs).detach().float().cpu()
        past = inputs["past_values"]
        steps = next(
            getattr(subject.config, name) for name in HORIZONS if hasattr(subject.config, name)
        )
        judge.shape(forecast, (1, steps, *past.shape[2:]), "forecast")
        judge.finite(forecast, "forecast")
        judge.varied(forecast, "forecast")
        channels = forecast[0].reshape(steps, -1).T
        predictions = tuple(
            {
                "channel": place,
                "steps": steps,
                "next": [round(float(value), 6) for value in channel[:SHOWN]],
                "mean": float(channel.mean()),
                "lowest": float(channel.min()),
                "highest": float(channel.max()),
            }
            for place, channel in enumerate(channels)
        )
        said = f"{past.shape[1]} steps of a drawn series with a trend and two seasons"
        return base.Verdict(predictions, Example(said, predictions[0]))

    def call(self, model: Model, pipe: Any) -> Any:
        raise NotImplementedError(f"transformers has no {self.name} pipeline")

    def judge_answer(self, model: Model, pipe: Any, answer: Any) -> base.Verdict:
        raise NotImplementedError(f"transformers has no {self.name} pipeline")


def _around(config: Any, series: Any, past: int) -> dict[str, Any]:
    """What a network is given beside a series' past: its calendar, what is known of it, its future.

    Times are a phase of the year and an age; a series is the first of its kind.
    """
    import torch

    steps = torch.arange(series.shape[1], dtype=torch.float32)
    times = [torch.sin(steps / (count + 2)) for count in range(config.num_time_features)]
    features = torch.stack(times, -1)[None]
    return {
        "past_time_features": features[:, :past],
        "past_observed_mask": torch.ones_like(series[:, :past]),
        "static_categorical_features": torch.zeros(
            1, config.num_static_categorical_features, dtype=torch.long
        ),
        "static_real_features": torch.ones(1, config.num_static_real_features),
        "future_values": series[:, past:],
        "future_time_features": features[:, past:],
    }
