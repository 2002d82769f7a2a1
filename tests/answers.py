"""Answers of pipelines made by hand, and how a task's judgement is tried on them."""

from __future__ import annotations

import types
import unittest
from typing import Any

import torch

from hf_tests.probe.judge import WrongOutput
from hf_tests.probe.tasks import get
from tests import support


class Tokenizer:
    """Enough of a tokenizer to judge an answer without loading one."""

    mask_token = "[MASK]"


def pipe(**config: Any) -> Any:
    """A pipeline's outside, for answers made by hand."""
    settings = types.SimpleNamespace(num_labels=3, id2label={0: "a", 1: "b", 2: "c"}, **config)
    return types.SimpleNamespace(
        tokenizer=Tokenizer(),
        image_processor=lambda **_: {"pixel_values": torch.ones(1, 3, 8, 8)},
        processor=types.SimpleNamespace(image_token="<image>", audio_token="<sound>"),
        model=types.SimpleNamespace(config=settings),
    )


class AnswersCase(unittest.TestCase):
    """Tests of a task each: the right answer is accepted, spoilt ones are not."""

    def check(self, model_id: str, right: Any, *spoilt: Any) -> None:
        model = support.model(model_id)
        task = get(model.task)
        task.judge_answer(model, pipe(), right)
        for answer in spoilt:
            with self.subTest(task=task.name, answer=answer), self.assertRaises(WrongOutput):
                task.judge_answer(model, pipe(), answer)

    def check_labels(self, model_id: str) -> None:
        def answer(*pairs: tuple[str, float]) -> list[dict[str, Any]]:
            return [{"label": label, "score": score} for label, score in pairs]

        self.check(
            model_id,
            answer(("a", 0.5), ("b", 0.3), ("c", 0.2)),
            answer(("a", 0.5), ("b", 0.3)),
            answer(("a", 0.5), ("b", 0.3), ("x", 0.2)),
            answer(("a", 0.2), ("b", 0.3), ("c", 0.5)),
            answer(("a", 1.5), ("b", 0.3), ("c", 0.2)),
        )

    def check_features(self, model_id: str) -> None:
        right = torch.randn(1, 4, 6)
        self.check(
            model_id,
            right,
            right.tolist(),
            right[0],
            right.expand(2, 4, 6),
            torch.ones(1, 4, 6),
            torch.arange(4.0).reshape(1, 4, 1).expand(1, 4, 6),  # all of a vector is one number
            right / 0,
        )
