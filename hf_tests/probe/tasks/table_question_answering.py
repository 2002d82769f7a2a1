"""table-question-answering: the cells of a table that answer a question, summed or as they are."""

from __future__ import annotations

from typing import Any

from hf_tests.outcome import Example
from hf_tests.probe import judge
from hf_tests.probe.tasks import base
from hf_tests.registry import Model

TABLE = {
    "City": ["Oslo", "Lima", "Cairo"],
    "People": ["700000", "10000000", "9500000"],
    "Rain": ["763", "13", "18"],
}
QUESTION = "How many people live in Lima?"


class TableQuestionAnswering(base.Task):
    """Readers of tables that choose cells, and whether to count, add or average them."""

    name = "table-question-answering"
    processor_class = "AutoTokenizer"
    openvino_class = "OVModelForTableQuestionAnswering"
    sample_text = QUESTION
    unit = "tables"
    compared_outputs = ("logits", "logits_aggregation")

    def inputs(self, subject: base.Subject) -> dict[str, Any]:
        import pandas

        question = self.text(subject.model)
        return dict(subject.processor(pandas.DataFrame(TABLE), question, return_tensors="pt"))

    def judge(self, subject: base.Subject, inputs: dict[str, Any], outputs: Any) -> base.Verdict:
        cells, choices = (getattr(outputs, name).float().cpu() for name in self.compared_outputs)
        names = subject.config.aggregation_labels
        judge.shape(cells, tuple(inputs["input_ids"].shape), "logits")
        judge.shape(choices, (1, len(names)), "logits_aggregation")
        for name, logits in zip(self.compared_outputs, (cells, choices), strict=True):
            judge.finite(logits, name)
            judge.varied(logits, name)
        given = {name: value.cpu() for name, value in inputs.items()}
        # It cuts off what is far below zero in the very tensors that it is given.
        copies = (cells.clone(), choices.clone())
        found, chosen = subject.processor.convert_logits_to_predictions(given, *copies)
        return self._verdict(subject.model, found[0], names[chosen[0]])

    def call(self, model: Model, pipe: Any) -> Any:
        return pipe({"table": TABLE, "query": self.text(model)})

    def judge_answer(self, model: Model, pipe: Any, answer: Any) -> base.Verdict:
        judge.keys(answer, ("answer", "coordinates", "cells", "aggregator"), "answer")
        columns = list(TABLE.values())
        wanted = [columns[column][row] for row, column in answer["coordinates"]]
        judge.require(
            list(answer["cells"]) == wanted, f"cells {answer['cells']!r}, the table has {wanted!r}"
        )
        judge.require(
            str(answer["answer"]).endswith(", ".join(wanted)), f"{answer['answer']!r} is not them"
        )
        names = pipe.model.config.aggregation_labels.values()
        judge.require(answer["aggregator"] in names, f"{answer['aggregator']!r} is none of {names}")
        return self._verdict(model, answer["coordinates"], answer["aggregator"])

    def _verdict(self, model: Model, cells: Any, choice: str) -> base.Verdict:
        columns = list(TABLE.values())
        prediction = {
            "cells": [columns[column][row] for row, column in cells],
            "aggregation": choice,
        }
        return base.Verdict((prediction,), Example(self.text(model), prediction))
