"""Properties of models of late interaction, which find pages by the vectors of their tokens."""

from __future__ import annotations

from typing import Any

from hf_tests.probe import samples
from hf_tests.probe.properties.base import Loaded
from hf_tests.probe.tasks import visual_document_retrieval as retrieval

SHORT = "What does the paper cost?"
LONG = "On which day of March was the invoice for the paper and the ink written, and for whom?"


def padding_changes_no_question(loaded: Loaded) -> None:
    """A question beside a longer one has the vectors that it has alone."""
    alone, beside = (_question(loaded, texts) for texts in ([SHORT], [SHORT, LONG]))
    loaded.same(beside[0], alone[0], "the vectors of a padded question differ")


def pages_beside_change_nothing(loaded: Loaded) -> None:
    """A page has the vectors that it has alone beside another."""
    given = [samples.document(), samples.image()]
    for place, page in enumerate(given):
        alone, beside = (_page(loaded, images) for images in ([page], given))
        loaded.same(beside[place], alone[0], "the vectors of a page beside another differ")


def pages_are_read(loaded: Loaded) -> None:
    """Another page has other vectors."""
    one, other = (_page(loaded, [page])[0] for page in (samples.document(), samples.image()))
    count = min(len(one), len(other))
    loaded.different(other[:count], one[:count], "the vectors of another page")


def scores_are_sums_of_best(loaded: Loaded) -> None:
    """A score is the sum of the best products of a question's vectors, in any order of pages."""
    import torch

    found = [*_page(loaded, [samples.document()]), *_page(loaded, [samples.image()])]
    asked = _question(loaded, [SHORT, LONG])
    wanted = torch.stack(
        [
            torch.stack([retrieval.late_interaction(question, page) for page in found])
            for question in asked
        ]
    )
    for order in ((0, 1), (1, 0)):
        turned = [found[place].float() for place in order]
        scores = loaded.processor.score_retrieval([question.float() for question in asked], turned)
        loaded.same(
            scores.to(wanted), wanted[:, list(order)], "scores are not the sums of the best"
        )


def _page(loaded: Loaded, images: list[Any]) -> list[Any]:
    return _vectors(loaded, retrieval.pages(loaded.processor, images))


def _question(loaded: Loaded, texts: list[str]) -> list[Any]:
    return _vectors(loaded, retrieval.questions(loaded.processor, texts))


def _vectors(loaded: Loaded, encoded: dict[str, Any]) -> list[Any]:
    """The vectors of each row's own tokens, shape (tokens, width)."""
    given = loaded.place(encoded)
    rows = zip(loaded.network(**given)["embeddings"], given["attention_mask"].bool(), strict=True)
    return [vectors[mask] for vectors, mask in rows]
