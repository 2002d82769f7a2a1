"""text-recognition: what is written in an image, as probabilities of symbols step by step."""

from __future__ import annotations

import itertools
import math
from typing import Any

from hf_tests.outcome import Example
from hf_tests.probe import judge, samples
from hf_tests.probe.tasks import base
from hf_tests.probe.tasks.image_classification import ImageClassification

PAGE, LINE = "a drawn page: a short invoice", "a line of a drawn page: Paper 9.50"
LINE_BOX = (16, 92, 270, 110)  # pixels of the page: left, top, right, bottom
BLANK = 0  # the symbol of CTC that is no character


class TextRecognition(ImageClassification):
    """Readers of a line (CTC) or of a table (its tags). transformers has no such pipeline.

    What the processor makes of the probabilities says which.
    """

    name = "text-recognition"
    openvino_class = "OVModelForTextRecognition"
    compared_outputs = ("last_hidden_state",)

    def inputs(self, subject: base.Subject) -> dict[str, Any]:
        image = samples.document()
        if not _reads_tables(subject):
            image = image.crop(LINE_BOX)
        return dict(subject.processor(images=image, return_tensors="pt"))

    def judge(self, subject: base.Subject, inputs: dict[str, Any], outputs: Any) -> base.Verdict:
        found = base.in_float32(outputs)
        chances = found.last_hidden_state
        judge.shape(chances, (1, None, None), "probabilities")
        judge.finite(chances, "probabilities")
        judge.varied(chances, "probabilities")
        judge.require(float(chances.min()) >= 0.0, "a probability is below zero")
        off = float((chances.sum(-1) - 1.0).abs().max())
        judge.require(off <= judge.ROUNDING, f"a step's probabilities sum to 1 but for {off}")
        best, symbols = (item[0].tolist() for item in chances.max(-1))
        if _reads_tables(subject):
            prediction = _table(subject.processor, found, symbols)
            return base.Verdict((prediction,), Example(PAGE, prediction))
        prediction = _line(subject.processor, found, best, symbols)
        return base.Verdict((prediction,), Example(LINE, prediction))


def _reads_tables(subject: base.Subject) -> bool:
    return hasattr(subject.processor, "post_process_table_recognition")


def _line(processor: Any, outputs: Any, best: list[float], symbols: list[int]) -> dict[str, Any]:
    """The text of a line, which is that of the best symbols without blanks and repetitions."""
    (answer,) = processor.post_process_text_recognition(outputs)
    judge.keys(answer, ("text", "score"), "answer")
    kept = [
        (chance, symbol)
        for chance, symbol, last in zip(best, symbols, [None, *symbols], strict=False)
        if symbol not in (BLANK, last)
    ]
    wanted = "".join(processor.character_list[symbol] for _, symbol in kept)
    judge.require(answer["text"] == wanted, f"text {answer['text']!r}, symbols say {wanted!r}")
    if kept:
        mean = sum(chance for chance, _ in kept) / len(kept)
        judge.require(
            math.isclose(answer["score"], mean, rel_tol=judge.ROUNDING),
            f"score {answer['score']}, symbols say {mean}",
        )
    return {"text": base.short(wanted), "score": mean if kept else None, "symbols": len(kept)}


def _table(processor: Any, outputs: Any, symbols: list[int]) -> dict[str, Any]:
    """A table's tags, which are those of the best symbols up to the one that ends it."""
    answer = processor.post_process_table_recognition(outputs)
    judge.keys(answer, ("structure", "structure_score"), "answer")
    first, rest = symbols[:1], symbols[1:]
    until = itertools.takewhile(lambda symbol: symbol != processor.eos_id, rest)
    marks = (processor.bos_id, processor.eos_id)
    tags = [processor.character[symbol] for symbol in [*first, *until] if symbol not in marks]
    whole = "".join(answer["structure"])
    wanted = "".join(["<html><body><table>", *tags, "</table></body></html>"])
    judge.require(whole == wanted, f"structure {whole!r}, symbols say {wanted!r}")
    judge.scores([answer["structure_score"]], "structure")
    return {"text": base.short(whole), "score": answer["structure_score"], "symbols": len(tags)}
