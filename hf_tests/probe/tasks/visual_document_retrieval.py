"""visual-document-retrieval: pages as many vectors each, found by the vectors of a question."""

from __future__ import annotations

from typing import Any

from hf_tests.outcome import Accuracy, Example
from hf_tests.probe import judge, labelled, samples
from hf_tests.probe.tasks import base
from hf_tests.registry import Model

INPUT = "a drawn invoice of ten words"
UNIT = 1e-2
"""How far a vector's length may be from 1: bfloat16 keeps eight bits of each number."""


class VisualDocumentRetrieval(base.Task):
    """Models of late interaction: each token of a page and of a question gets a vector.

    What is timed is a page, of which there are many, and not the one question. transformers has no
    such pipeline.
    """

    name = "visual-document-retrieval"
    processor_class = "AutoProcessor"
    openvino_class = "OVModelForVisualDocumentRetrieval"
    unit = "pages"
    compared_outputs = ("embeddings",)

    def inputs(self, subject: base.Subject) -> dict[str, Any]:
        return pages(subject.processor, [samples.document()])

    def judge(self, subject: base.Subject, inputs: dict[str, Any], outputs: Any) -> base.Verdict:
        vectors = outputs["embeddings"].float().cpu()
        mask = inputs["attention_mask"].bool().cpu()
        judge.shape(vectors, (*mask.shape, subject.config.embedding_dim), "embeddings")
        judge.finite(vectors, "embeddings")
        judge.varied(vectors, "embeddings")
        lengths = vectors[mask].norm(dim=-1)
        judge.require(bool(((lengths - 1).abs() < UNIT).all()), "vectors are not of length 1")
        mean = vectors[mask].mean(0)
        prediction = {
            "vectors": int(mask.sum()),
            "width": vectors.shape[-1],
            "norm_of_mean": float(mean.norm()),
        }
        return base.Verdict((prediction,), Example(INPUT, prediction))

    def call(self, model: Model, pipe: Any) -> Any:
        raise NotImplementedError(f"transformers has no {self.name} pipeline")

    def judge_answer(self, model: Model, pipe: Any, answer: Any) -> base.Verdict:
        raise NotImplementedError(f"transformers has no {self.name} pipeline")

    def accuracy(self, subject: base.Subject, place: base.Place) -> Accuracy | None:
        """The share of drawn shapes that are found by their own label among all of them.

        None of a graph, which is one for pages and reads no question.
        """
        if not hasattr(subject.network, "parameters"):
            return None
        drawn = list(labelled.drawings())
        found = [
            subject.network(**place(pages(subject.processor, [image])))["embeddings"][0]
            for _, image in drawn
        ]
        right = 0
        for index, (label, _) in enumerate(drawn):
            question = subject.network(**place(questions(subject.processor, [label])))
            scores = [float(late_interaction(question["embeddings"][0], page)) for page in found]
            right += scores.index(max(scores)) == index
        return Accuracy("drawn shapes", right / len(drawn), len(drawn), "share right")


def pages(processor: Any, images: list[Any]) -> dict[str, Any]:
    """The network's arguments for pages, given as images."""
    return _arguments(processor.process_images(images))


def questions(processor: Any, texts: list[str]) -> dict[str, Any]:
    """The network's arguments for questions, padded to the longest."""
    return _arguments(processor.process_queries(texts))


def _arguments(encoded: Any) -> dict[str, Any]:
    """What a processor made, without the labels that it makes for a training."""
    return {name: value for name, value in encoded.items() if name != "labels"}


def late_interaction(question: Any, page: Any) -> Any:
    """How well a page answers a question: ColBERT's sum of each token's best product.

    ``question`` and ``page`` are vectors of shape (tokens, width). Khattab and Zaharia, "ColBERT:
    Efficient and Effective Passage Search via Contextualized Late Interaction", 2020, equation 3.
    """
    return (question.float() @ page.float().T).max(dim=1).values.sum()
