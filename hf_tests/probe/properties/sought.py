"""Properties of detectors that are told what to look for."""

from __future__ import annotations

from typing import Any

from hf_tests.probe import samples, tasks
from hf_tests.probe.properties import boxes
from hf_tests.probe.properties.base import Loaded
from hf_tests.probe.properties.images import beside_another
from hf_tests.probe.tasks import zero_shot_object_detection as task


def order_of_labels_changes_nothing(loaded: Loaded) -> None:
    """The same labels in another order get the same logits, whatever their places."""
    labels = _labels(loaded)
    turned = [*labels[1:], labels[0]]
    # Each label by itself, or all of them in one text.
    each = {name: value for name, value in loaded.inputs.items() if len(value) == len(labels)}
    inputs = {**loaded.inputs, **{name: value.roll(-1, 0) for name, value in each.items()}}
    if not each:
        inputs = loaded.place(task.encoded(loaded.processor, turned, samples.image()))
    wanted, found = task.logits_of(loaded.outputs), task.logits_of(loaded.network(**inputs))
    places = task.columns(loaded.processor, loaded.inputs, wanted, labels)
    others = task.columns(loaded.processor, inputs, found, turned)
    for label, mine, its in zip(turned, [*places[1:], places[0]], others, strict=True):
        loaded.same(found[..., its], wanted[..., mine], f"logits of {label!r} in another place")


def images_beside_change_nothing(loaded: Loaded) -> None:
    """An image has the same logits and boxes alone and beside another in a batch."""
    found = loaded.network(**beside_another(loaded))
    for name, part in (("logits", task.logits_of), ("boxes", task.boxes_of)):
        loaded.same(part(found)[:1], part(loaded.outputs), f"{name} beside another image")


def boxes_scale_with_the_image(loaded: Loaded) -> None:
    """Boxes asked for in a larger image are as many times larger; labels and scores stay."""
    squared = task.is_squared(loaded.processor.image_processor, loaded.inputs)
    boxes.found_scales_with_the_image(loaded, _finder(loaded), is_squared=squared)


def threshold_keeps_the_best(loaded: Loaded) -> None:
    """Above a threshold there are the detections with such scores, and no others."""
    boxes.threshold_keeps_the_best_found(loaded, _finder(loaded))


def image_is_sought_in_another(loaded: Loaded) -> None:
    """With an image in a text's place boxes stay where they are, and their logits follow it."""
    pixels = loaded.inputs["pixel_values"]
    found, other = (
        loaded.network.image_guided_detection(pixel_values=pixels, query_pixel_values=query)
        for query in (pixels, pixels.flip(-1) * 0.5)
    )
    for outputs in (found, other):
        places = task.boxes_of(loaded.outputs)
        loaded.same(outputs.target_pred_boxes, places, "boxes of what an image shows")
    loaded.different(other.logits, found.logits, "logits of what another image shows")


def _labels(loaded: Loaded) -> list[str]:
    sought = tasks.get(loaded.model.task)
    assert isinstance(sought, task.ZeroShotObjectDetection)
    return sought.labels(loaded.model)


def _finder(loaded: Loaded) -> boxes.Find:
    def find(size: tuple[int, int], threshold: float) -> dict[str, Any]:
        given = (loaded.processor, loaded.inputs, loaded.outputs, _labels(loaded))
        found = task.detections(*given, size, threshold)
        return {**found, "labels": found["text_labels"]}

    return find
