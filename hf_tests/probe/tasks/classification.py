"""What the tasks that give one input one of a model's labels have in common."""

from __future__ import annotations

from typing import Any

from hf_tests.probe import judge
from hf_tests.probe.tasks import base


def judge_logits(subject: base.Subject, outputs: Any) -> tuple[dict[str, Any], ...]:
    """The best labels, best first, of logits of shape (1, labels)."""
    logits = outputs.logits.float().cpu()
    judge.shape(logits, (1, subject.config.num_labels), "logits")
    judge.finite(logits, "logits")
    judge.varied(logits, "logits")
    probabilities = logits[0].softmax(-1)
    judge.scores(probabilities.tolist(), "probabilities", sum_to=1.0)
    best = probabilities.topk(min(base.TOP_K, len(probabilities)))
    return tuple(
        {"label": subject.config.id2label[int(index)], "score": float(score)}
        for score, index in zip(best.values, best.indices, strict=True)
    )


def judge_labels(pipe: Any, answer: Any, name: str = "label") -> tuple[dict[str, Any], ...]:
    """The best labels, best first, of a pipeline's answer, which calls them by that name."""
    labels = set(pipe.model.config.id2label.values())
    expected = min(base.TOP_K, pipe.model.config.num_labels)
    judge.require(isinstance(answer, list) and len(answer) == expected, f"answer {answer!r}")
    for item in answer:
        judge.keys(item, (name, "score"), "answer")
        judge.require(item[name] in labels, f"{item[name]!r} is no {name} of the model")
    values = [item["score"] for item in answer]
    judge.scores(values, "answer")
    judge.descending(values, "answer")
    return tuple({name: item[name], "score": item["score"]} for item in answer)
