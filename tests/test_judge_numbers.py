"""The judgements of models of series of numbers, tried on right answers and on wrong ones."""

from __future__ import annotations

import types

import torch

from hf_tests.probe.judge import WrongOutput
from hf_tests.probe.tasks import Subject, get
from tests import support
from tests.answers import AnswersCase


class TestNumbers(AnswersCase):
    def test_action_prediction(self) -> None:
        model = support.model("edbeeching/decision-transformer-gym-hopper-medium")
        network = types.SimpleNamespace(config=types.SimpleNamespace(act_dim=3))
        task, subject = get(model.task), Subject(model, network, None)
        given, actions = {"states": torch.zeros(1, 6, 11)}, torch.randn(1, 6, 3)
        found = task.judge(subject, given, {"action_preds": actions})
        self.assertEqual((found.predictions[0]["steps"], found.predictions[0]["width"]), (6, 3))
        for wrong in (actions[:, :5], actions[..., :2], actions / 0, actions * 0):
            with self.subTest(wrong=wrong), self.assertRaises(WrongOutput):
                task.judge(subject, given, {"action_preds": wrong})
        with self.assertRaises(WrongOutput):
            task.judge(subject, given, {"state_preds": actions})

    def test_time_series_forecasting(self) -> None:
        task = get("time-series-forecasting")
        model = support.model("google/timesfm-2.0-500m-pytorch")
        with self.assertRaisesRegex(NotImplementedError, "has no time-series-forecasting pipeline"):
            task.judge_answer(model, None, [])
