"""Properties of detectors: boxes in an image, with their scores."""

from __future__ import annotations

from typing import Any

from hf_tests.probe.judge import require
from hf_tests.probe.properties.base import Loaded
from hf_tests.probe.properties.images import beside_another
from hf_tests.probe.tasks.object_detection import on_cpu

SIZE = (240, 320)  # height and width of an image in pixels
FACTORS = (2, 3)


def boxes_scale_with_the_image(loaded: Loaded) -> None:
    """Boxes asked for in a larger image are as many times larger; labels and scores stay."""
    small = _found(loaded, SIZE)
    height, width = FACTORS
    large = _found(loaded, (SIZE[0] * height, SIZE[1] * width))
    scale = small["boxes"].new_tensor([width, height, width, height])
    loaded.same(large["boxes"], small["boxes"] * scale, "boxes in a larger image")
    loaded.same(large["scores"], small["scores"], "scores in a larger image")
    require(large["labels"].tolist() == small["labels"].tolist(), "labels in a larger image differ")


def threshold_keeps_the_best(loaded: Loaded) -> None:
    """Above a threshold there are the detections with such scores, and no others."""
    every = _found(loaded, SIZE)
    ordered = every["scores"].unique()
    require(len(ordered) > 1, "all detections have one score")
    threshold = float(ordered[len(ordered) // 2 - 1 :][:2].mean())
    kept = _found(loaded, SIZE, threshold)
    wanted = every["scores"] > threshold
    for name in ("scores", "labels", "boxes"):
        loaded.same(kept[name], every[name][wanted], f"{name} above a threshold")


def boxes_beside_change_nothing(loaded: Loaded) -> None:
    """An image has the same logits and boxes alone and beside another in a batch."""
    found = loaded.network(**beside_another(loaded))
    for name in ("logits", "pred_boxes"):
        loaded.same(found[name][:1], loaded.outputs[name], f"{name} beside another image")


def _found(loaded: Loaded, size: tuple[int, int], threshold: float = 0.0) -> dict[str, Any]:
    """What the processor finds in the network's outputs for an image of that size."""
    (found,) = loaded.processor.post_process_object_detection(
        on_cpu(loaded.outputs), threshold=threshold, target_sizes=[size]
    )
    return dict(found)
