"""time-series-forecasting: what comes next in a series of numbers."""

from __future__ import annotations

from typing import Any

from hf_tests.outcome import Example
from hf_tests.probe import judge, samples
from hf_tests.probe.tasks import base
from hf_tests.registry import Model

FORECASTS = ("prediction_outputs", "mean_predictions")
"""Names that forecasts have among a network's outputs: a value for each step of the horizon."""

QUANTILES = "full_predictions"
"""The forecast with its quantiles beside it, of the networks that give them."""

HORIZONS = ("prediction_length", "horizon_length")
SHOWN = 5  # steps of a forecast that a result shows


class TimeSeriesForecasting(base.Task):
    """Forecasters that give every step of their horizon in one pass.

    What prepares the inputs is the configuration: it says how long a past is read, and of how many
    channels.
    """

    name = "time-series-forecasting"
    processor_class = "AutoConfig"
    openvino_class = "OVModelForTimeSeriesForecasting"

    def work(self, model: Model) -> base.Work:
        return base.Work(1, "series")

    def inputs(self, subject: base.Subject) -> dict[str, Any]:
        import torch

        config = subject.processor
        channels = getattr(config, "num_input_channels", None)
        series = torch.from_numpy(samples.series(config.context_length, channels or 1))
        # A network that names no channels reads one, and has no dimension for it.
        return {"past_values": series[None] if channels else series[None, :, 0]}

    def compared(self, outputs: Any) -> dict[str, Any]:
        found = {self.forecast_name(outputs): self.forecast(outputs)}
        quantiles = outputs.get(QUANTILES)
        return found if quantiles is None else {**found, QUANTILES: quantiles}

    def forecast_name(self, outputs: Any) -> str:
        """The name of the forecast among the outputs. Raises WrongOutput where there is none."""
        name = next((name for name in FORECASTS if outputs.get(name) is not None), None)
        judge.require(name is not None, f"no forecast among {', '.join(outputs)}")
        return str(name)

    def forecast(self, outputs: Any) -> Any:
        """The forecast, shape (batch, steps) or (batch, steps, channels)."""
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
