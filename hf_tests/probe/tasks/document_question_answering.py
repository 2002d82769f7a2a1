"""document-question-answering: the words of a page that answer a question about it."""

from __future__ import annotations

import inspect
from typing import Any

from hf_tests.outcome import Example
from hf_tests.probe import classes, inference, judge, samples
from hf_tests.probe.tasks import base
from hf_tests.registry import Model

QUESTION = "What is the total?"
CLOSE = 1e-3
"""How far the pipeline's score may be from that of the network's own logits, relative to it."""

IMAGES = ("pixel_values", "image")
"""What networks call the image of a page."""

PATHS = ("/html/body/h1", "/html/body/ul/li[{}]/p", "/html/body/ul/li[{}]/div/p[2]")
"""Where words stand in a page of HTML, the first in a heading."""


class DocumentQuestionAnswering(base.Task):
    """Readers of pages that point at the first and the last token of an answer.

    They are given the page's words with the places of these: boxes, or paths in a page of HTML.
    """

    name = "document-question-answering"
    processor_class = "AutoProcessor"
    openvino_class = "OVModelForDocumentQuestionAnswering"
    sample_text = QUESTION
    unit = "pages"
    compared_outputs = ("start_logits", "end_logits")

    def inputs(self, subject: base.Subject) -> dict[str, Any]:
        return encoded(subject.model, subject.processor, self.text(subject.model))

    def pipeline_misfit(self, subject: base.Subject) -> str | None:
        tokenizer = base.tokenizer_of(subject.processor)
        if _takes(tokenizer, "boxes"):
            return None
        return (
            f"the {self.name} pipeline gives {type(tokenizer).__name__} words with boxes, and it "
            "takes paths in a page of HTML"
        )

    def judge(self, subject: base.Subject, inputs: dict[str, Any], outputs: Any) -> base.Verdict:
        ids = inputs["input_ids"]
        shares = []
        for name in self.compared_outputs:
            logits = getattr(outputs, name).float().cpu()
            judge.shape(logits, (1, None), name)
            # Patches of an image, which stand behind the words, have logits too.
            judge.require(logits.shape[1] >= ids.shape[1], f"{name}: fewer than there are tokens")
            judge.finite(logits, name)
            judge.varied(logits, name)
            shares.append(logits[0, : ids.shape[1]].softmax(-1))
        start, end = shares
        first, last = divmod(int((start[:, None] * end[None]).triu().argmax()), len(end))
        text = base.tokenizer_of(subject.processor).decode(ids[0, first : last + 1])
        prediction = {
            "answer": base.short(text),
            "score": float(start[first] * end[last]),
            "start_token": first,
            "end_token": last,
        }
        return base.Verdict((prediction,), Example(self.text(subject.model), prediction))

    def call(self, model: Model, pipe: Any) -> Any:
        page = {
            "image": samples.document(),
            "question": self.text(model),
            "word_boxes": [(word, list(box)) for word, box in samples.DOCUMENT],
        }
        return pipe(page)

    def judge_answer(self, model: Model, pipe: Any, answer: Any) -> base.Verdict:
        judge.require(isinstance(answer, list) and len(answer) == 1, f"answer {answer!r}")
        found = answer[0]
        judge.keys(found, ("answer", "score", "start", "end"), "answer")
        judge.scores([found["score"]], "answer")
        words = [word for word, _ in samples.DOCUMENT]
        said = " ".join(words[found["start"] : found["end"] + 1])
        judge.require(bool(said) and found["answer"] == said, f"{found!r} is not {said!r}")
        wanted = _score(model, pipe, self.text(model), found["start"], found["end"])
        judge.require(
            abs(found["score"] - wanted) <= CLOSE * max(wanted, found["score"]),
            f"the answer's score is {found['score']:.4g}, and {wanted:.4g} by the network's logits "
            "of words and image",
        )
        prediction = {name: found[name] for name in ("answer", "score", "start", "end")}
        return base.Verdict((prediction,), Example(self.text(model), prediction))


def encoded(model: Model, processor: Any, question: str) -> dict[str, Any]:
    """The tensors of a question and the sample page's words, with the page's image where it counts.

    An image processor would read the words by itself, with a program that may not be there.
    """
    tokenizer = base.tokenizer_of(processor)
    words = [word for word, _ in samples.DOCUMENT]
    texts: dict[str, Any] = {"text": question, "text_pair": words}
    if _takes(tokenizer, "boxes"):
        texts["boxes"] = [list(box) for _, box in samples.DOCUMENT]
    else:
        places = (PATHS[min(index, 1 + index % 2)].format(index) for index in range(len(words)))
        texts["xpaths"] = list(places)
    found = dict(tokenizer(**texts, return_tensors="pt"))
    images = getattr(processor, "image_processor", None)
    if images is not None:
        pixels = images(samples.document(), apply_ocr=False, return_tensors="pt")["pixel_values"]
        taken = classes.parameters_of(model.class_name)
        found[next(name for name in IMAGES if name in taken)] = pixels
    return found


def _takes(tokenizer: Any, name: str) -> bool:
    return name in inspect.signature(type(tokenizer).__call__).parameters


def _score(model: Model, pipe: Any, question: str, first: int, last: int) -> float:
    """The greatest score of an answer from the first word to the last, by the network's logits."""
    import torch

    encoding = pipe.tokenizer(
        [question],
        [[word for word, _ in samples.DOCUMENT]],
        boxes=[[list(box) for _, box in samples.DOCUMENT]],
        return_tensors="pt",
    )
    inputs = encoded(model, pipe, question)
    with torch.inference_mode():
        outputs = pipe.model(**inference.on_device(pipe.model, inputs))
    words = encoding.word_ids(0)
    allowed = torch.tensor([place == 1 for place in encoding.sequence_ids(0)])
    allowed |= inputs["input_ids"][0] == pipe.tokenizer.cls_token_id
    shares = []
    for logits in (outputs.start_logits, outputs.end_logits):
        masked = logits[0, : len(allowed)].float().cpu().masked_fill(~allowed, -torch.inf)
        shares.append(masked.softmax(-1))
    begins, ends = (
        [i for i, place in enumerate(encoding.sequence_ids(0)) if place == 1 and words[i] == word]
        for word in (first, last)
    )
    return max(float(shares[0][b] * shares[1][e]) for b in begins for e in ends if b <= e)
