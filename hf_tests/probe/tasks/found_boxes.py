"""What the tasks have in common that find things in an image: boxes, with labels and scores."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from hf_tests.probe import judge
from hf_tests.probe.tasks import base

EDGES = ("xmin", "ymin", "xmax", "ymax")
THRESHOLD = 0.0
"""All boxes are kept, so that they can be judged whatever their scores."""

PIXELS = 4.0
"""How far half precision may move an edge, of which it keeps about eight bits."""


def on_cpu(outputs: Any) -> Any:
    """A network's outputs as their post-processing takes them: float32, on the CPU."""
    import torch
    from transformers import BatchFeature

    return BatchFeature(
        {
            name: value.float().cpu() if value.is_floating_point() else value.cpu()
            for name, value in outputs.items()
            if isinstance(value, torch.Tensor)
        }
    )


def in_pixels(boxes: Any, size: tuple[int, int]) -> list[list[float]]:
    """Boxes of shape (boxes, 4) as their edges in an image of that width and height in pixels.

    The boxes are (centre x, centre y, width, height) in parts of the image's, the edges left, top,
    right, bottom.
    """
    x, y, wide, high = boxes.unbind(-1)
    width, height = size
    edges = (
        (x - wide / 2) * width,
        (y - high / 2) * height,
        (x + wide / 2) * width,
        (y + high / 2) * height,
    )
    return [list(box) for box in zip(*(edge.tolist() for edge in edges), strict=True)]


def judge_found(answer: Any, labels: Collection[str]) -> None:
    """Assert that an answer is a list of detections, each with one of the labels."""
    judge.require(isinstance(answer, list) and bool(answer), f"nothing was found: {answer!r}")
    for item in answer:
        judge.keys(item, ("score", "label", "box"), "answer")
        judge.keys(item["box"], EDGES, "box")
        judge.require(item["label"] in labels, f"unknown label {item['label']!r}")
    judge.scores([item["score"] for item in answer], "answer")


def edges_of(item: Any) -> list[float]:
    """The edges of a detection's box."""
    return [item["box"][name] for name in EDGES]


def near(edges: Sequence[float], box: Sequence[float]) -> bool:
    """Whether two boxes are the same but for rounding."""
    return all(abs(one - other) <= PIXELS for one, other in zip(edges, box, strict=True))


def detections(scores: Any, labels: Sequence[str], boxes: Any) -> list[dict[str, Any]]:
    """What a processor found, as a pipeline answers it."""
    return [
        {"score": score, "label": label, "box": dict(zip(EDGES, box, strict=True))}
        for score, label, box in zip(scores.tolist(), labels, boxes.tolist(), strict=True)
    ]


def best(answer: Sequence[Any]) -> tuple[Any, ...]:
    """The best of the detections, best first."""
    found = sorted(answer, key=lambda item: -float(item["score"]))[: base.TOP_K]
    return tuple({name: item[name] for name in ("score", "label", "box")} for item in found)
