"""What judgements are made of, and that every task's own is tried."""

from __future__ import annotations

import unittest
from typing import Any

import torch

from hf_tests.probe import judge
from hf_tests.probe.judge import WrongOutput
from hf_tests.probe.tasks import names
from tests import test_judge_image_text as image_text
from tests import test_judge_images as images
from tests import test_judge_numbers as numbers
from tests import test_judge_sounds as sounds
from tests import test_judge_text as text
from tests.answers import AnswersCase


class TestJudge(unittest.TestCase):
    def test_right(self) -> None:
        judge.finite(torch.zeros(2), "x")
        judge.shape(torch.zeros(1, 2, 3), (1, None, 3), "x")
        judge.varied(torch.tensor([1.0, 2.0]), "x")
        judge.keys({"a": 1, "b": 2}, ("a",), "x")
        judge.scores([0.7, 0.3], "x", sum_to=1.0)
        judge.descending([0.7, 0.7, 0.1], "x")

    def test_wrong(self) -> None:
        wrong: list[tuple[Any, ...]] = [
            (judge.finite, torch.tensor([1.0, float("nan")])),
            (judge.finite, torch.tensor([1.0, float("inf")])),
            (judge.shape, torch.zeros(1, 2), (1, 3)),
            (judge.shape, torch.zeros(1, 2), (1, 2, 1)),
            (judge.varied, torch.ones(4)),
            (judge.keys, {"a": 1}, ("b",)),
            (judge.keys, [1], ("b",)),
            (judge.scores, [1.2]),
            (judge.scores, [-0.1]),
            (judge.scores, [float("nan")]),
            (judge.scores, []),
            (judge.descending, [0.1, 0.2]),
        ]
        for check, *arguments in wrong:
            with (
                self.subTest(check=check.__name__, arguments=arguments),
                self.assertRaises(WrongOutput),
            ):
                check(*arguments, "x")
        with self.assertRaises(WrongOutput):
            judge.scores([0.5, 0.4], "x", sum_to=1.0)


class TestTasks(unittest.TestCase):
    def test_every_task_is_covered(self) -> None:
        """Each has a test of its name in the module of its kind."""
        tested = {
            test.removeprefix("test_").replace("_", "-")
            for module in (image_text, images, numbers, sounds, text)
            for case in vars(module).values()
            if isinstance(case, type) and issubclass(case, AnswersCase)
            for test in dir(case)
        }
        self.assertEqual(set(names()) - tested, set())
