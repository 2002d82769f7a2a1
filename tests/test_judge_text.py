"""The judgements of models of texts and tables, tried on right answers and on wrong ones."""

from __future__ import annotations

from typing import Any

from hf_tests.probe.judge import WrongOutput
from hf_tests.probe.tasks import get
from tests import support
from tests.answers import AnswersCase, pipe


class TestText(AnswersCase):
    def test_fill_mask(self) -> None:
        def item(score: float, sequence: str = "paris is nice") -> dict[str, Any]:
            return {"score": score, "token": 1, "token_str": "is", "sequence": sequence}

        right = [item(0.4), item(0.3), item(0.1), item(0.1), item(0.05)]
        self.check(
            "bert-base-uncased",
            right,
            right[:3],
            list(reversed(right)),
            [item(1.4), *right[1:]],
            [item(0.4, "paris [MASK] nice"), *right[1:]],
            [{"score": 0.4}, *right[1:]],
        )

    def test_text_generation(self) -> None:
        prompt = "Once upon a time, a small robot"
        self.check(
            "gpt2",
            [{"generated_text": prompt + " sang"}],
            [{"generated_text": prompt}],
            [{"generated_text": "Once upon"}],
            [{"generated_text": "something else that is quite long and no continuation"}],
            [],
            [{"text": prompt + " sang"}],
        )

    def test_text2text_generation(self) -> None:
        self.check("t5-small", [{"generated_text": "Haus"}], [{"generated_text": ""}], [])

    def test_table_question_answering(self) -> None:
        model = support.model("google/tapas-base-finetuned-wtq")
        task, outside = get(model.task), pipe(aggregation_labels={0: "NONE", 1: "SUM"})
        right = {
            "answer": "SUM > Lima, 13",
            "coordinates": [(1, 0), (1, 2)],
            "cells": ["Lima", "13"],
            "aggregator": "SUM",
        }
        task.judge_answer(model, outside, right)
        for wrong in (
            {"cells": ["Lima", "18"]},
            {"coordinates": [(1, 0)]},
            {"answer": "Oslo"},
            {"aggregator": "MEAN"},
        ):
            with self.subTest(wrong=wrong), self.assertRaises(WrongOutput):
                task.judge_answer(model, outside, {**right, **wrong})

    def test_protein_text_generation(self) -> None:
        model = support.model("westlake-repl/Evolla-10B-hf")
        with self.assertRaisesRegex(NotImplementedError, "has no protein-text-generation"):
            get(model.task).judge_answer(model, None, [])

    def test_feature_extraction(self) -> None:
        self.check_features("sentence-transformers/all-MiniLM-L6-v2")
