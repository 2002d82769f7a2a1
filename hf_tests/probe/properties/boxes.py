"""Properties of detectors: boxes in an image, with their scores."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any

from hf_tests.probe.judge import require
from hf_tests.probe.properties.base import Loaded
from hf_tests.probe.properties.images import beside_another
from hf_tests.probe.tasks.found_boxes import on_cpu

SIZE = (240, 320)  # height and width of an image in pixels
FACTORS = (2, 3)


Find = Callable[[tuple[int, int], float], Mapping[str, Any]]
"""Finds what a network's outputs show in an image of that height and width, above a threshold.

``scores``, ``boxes`` (their edges in pixels) and ``labels``, a list.
"""


def boxes_scale_with_the_image(loaded: Loaded) -> None:
    """Boxes asked for in a larger image are as many times larger; labels and scores stay."""
    found_scales_with_the_image(loaded, _finder(loaded))


def found_scales_with_the_image(loaded: Loaded, find: Find, *, is_squared: bool = False) -> None:
    """`boxes_scale_with_the_image` of what ``find`` finds; boxes may be parts of a square."""
    larger = (SIZE[0] * FACTORS[0], SIZE[1] * FACTORS[1])
    small, large = find(SIZE, 0.0), find(larger, 0.0)
    side = max(larger) / max(SIZE)
    height, width = (side, side) if is_squared else FACTORS
    scale = small["boxes"].new_tensor([width, height, width, height])
    loaded.same(large["boxes"], small["boxes"] * scale, "boxes in a larger image")
    loaded.same(large["scores"], small["scores"], "scores in a larger image")
    require(large["labels"] == small["labels"], "labels in a larger image differ")


def threshold_keeps_the_best(loaded: Loaded) -> None:
    """Above a threshold there are the detections with such scores, and no others."""
    threshold_keeps_the_best_found(loaded, _finder(loaded))


def threshold_keeps_the_best_found(loaded: Loaded, find: Find) -> None:
    """`threshold_keeps_the_best` of what ``find`` finds."""
    every = find(SIZE, 0.0)
    ordered = every["scores"].unique()
    require(len(ordered) > 1, "all detections have one score")
    threshold = float(ordered[len(ordered) // 2 - 1 :][:2].mean())
    kept = find(SIZE, threshold)
    wanted = every["scores"] > threshold
    for name in ("scores", "boxes"):
        loaded.same(kept[name], every[name][wanted], f"{name} above a threshold")
    labels = list(itertools.compress(every["labels"], wanted.tolist()))
    require(kept["labels"] == labels, "labels above a threshold differ")


def boxes_beside_change_nothing(loaded: Loaded) -> None:
    """An image has the same logits and boxes alone and beside another in a batch."""
    found = loaded.network(**beside_another(loaded))
    for name in ("logits", "pred_boxes"):
        loaded.same(found[name][:1], loaded.outputs[name], f"{name} beside another image")


def _finder(loaded: Loaded) -> Find:
    def find(size: tuple[int, int], threshold: float) -> dict[str, Any]:
        (found,) = loaded.processor.post_process_object_detection(
            on_cpu(loaded.outputs), threshold=threshold, target_sizes=[size]
        )
        return {**found, "labels": found["labels"].tolist()}

    return find
