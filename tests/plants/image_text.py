"""Faults planted into models that look and read."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any
from unittest import mock

import torch

from hf_tests.probe.properties.base import Loaded
from tests.plants.base import (
    Plant,
    batch_mixed,
    cache_dropped,
    corner_blanked,
    embeddings_doubled,
    forward,
    last_label_favoured,
    logits_scaled,
    mask_ignored,
    network,
    outputs,
    processor,
    scale_forgotten,
    wrapped,
)


def image_unread(given: dict[str, Any]) -> None:
    """Every image is grey."""
    if given.get("pixel_values") is not None:
        given["pixel_values"] = torch.zeros_like(given["pixel_values"])


def grounding(**settings: Any) -> Plant:
    """Detections of what was looked for are asked for otherwise than they are."""
    return wrapped(
        processor, "post_process_grounded_object_detection", lambda given: given.update(settings)
    )


def last_column_favoured(found: Any) -> None:
    """Whatever is looked for last is rather found."""
    found.logits = torch.cat([found.logits[..., :-1], found.logits[..., -1:] + 1.0], -1)


def image_sought_in_itself(given: dict[str, Any]) -> None:
    given["query_pixel_values"] = given["pixel_values"]


def policies_forgotten(given: dict[str, Any]) -> None:
    """Every image is judged by the same policies, whatever they are called."""
    given["custom_policies"] = dict.fromkeys(given["policies"], "No circles.")


def fewer_features(found: Any) -> Any:
    """One feature of the first image is lost."""
    features = getattr(found, "pooler_output", found)
    return [features[0][1:]]


@contextlib.contextmanager
def grid_turned(loaded: Loaded) -> Iterator[None]:
    """An image's patches are said to stand in columns."""
    part = loaded.processor.image_processor
    whole = part.preprocess

    def spoilt(*arguments: Any, **given: Any) -> Any:
        found = whole(*arguments, **given)
        found["image_grid_thw"] = found["image_grid_thw"][:, [0, 2, 1]]
        return found

    with mock.patch.object(part, "preprocess", spoilt):
        yield


def features_mixed(found: Any) -> Any:
    """Each image gets a little of all."""
    features = torch.cat(list(found.pooler_output))
    found.pooler_output = [item + 0.1 * features.mean(0) for item in found.pooler_output]
    return found


def frames_alike(given: dict[str, Any]) -> None:
    """Every frame of a video is the mean of all."""
    if "pixel_values_videos" in given:
        frames = given["pixel_values_videos"].unflatten(0, (int(given["video_grid_thw"][0, 0]), -1))
        values = frames.unflatten(-1, (3, 2, -1))  # two frames stand in one patch
        mean = values.mean((0, 3), keepdim=True).expand_as(values)
        given["pixel_values_videos"] = mean.reshape_as(frames).flatten(0, 1)


@contextlib.contextmanager
def images_mixed(loaded: Loaded) -> Iterator[None]:
    """Each image of a batch gets a little of all."""

    def mix(part: Any, given: Any, found: Any) -> Any:
        del part, given
        found.last_hidden_state += 0.1 * found.last_hidden_state.mean(0, keepdim=True)
        return found

    handle = loaded.network.vision_model.register_forward_hook(mix)
    try:
        yield
    finally:
        handle.remove()


def only_the_newest_read(given: dict[str, Any]) -> None:
    """Every step forgets what was before it, and its mask with it."""
    given["past_key_values"] = None
    given["attention_mask"] = torch.ones_like(given["input_ids"])


def text_decoder(loaded: Loaded) -> Any:
    return loaded.network.text_decoder


def text_lost(given: dict[str, Any]) -> None:
    given["input_ids"] = torch.zeros_like(given["input_ids"])


def places_lost(given: dict[str, Any]) -> None:
    """All words stand in one corner."""
    given["bbox"] = torch.zeros_like(given["bbox"])


PLANTS: dict[str, dict[str, Plant]] = {
    "clip": {
        "label_order": outputs(last_label_favoured),
        "logit_scale": outputs(scale_forgotten),
        "normalised": outputs(embeddings_doubled),
    },
    "colpali": {
        "batch": outputs(batch_mixed),
        "padding": forward(mask_ignored),
        "pages": forward(image_unread),
        "scores": wrapped(processor, "score_retrieval", after=lambda scores: scores / 2),
    },
    "vqa": {
        "image": forward(image_unread),
        "padding": forward(mask_ignored),
        "question": forward(text_lost),
    },
    "llava": {
        "cache": forward(cache_dropped),
        "image_tokens": wrapped(network, "get_image_features", after=fewer_features),
        "text_alone": outputs(logits_scaled),
    },
    "internvl": {
        "cache": forward(cache_dropped),
        "image": forward(image_unread),
        "image_tokens": wrapped(network, "get_image_features", after=fewer_features),
    },
    "qwen_vl": {
        "cache": forward(cache_dropped),
        "grid": grid_turned,
        "order": wrapped(network, "get_image_features", after=features_mixed),
        "text_alone": outputs(logits_scaled),
        "video": forward(frames_alike),
    },
    "captioning": {
        "batch": images_mixed,
        "cache": wrapped(text_decoder, "forward", only_the_newest_read),
        "corners": forward(corner_blanked),
    },
    "document": {"padding": forward(mask_ignored), "places": forward(places_lost)},
    "ocr": {"batch": outputs(batch_mixed), "corners": forward(image_unread)},
    "moderation": {
        "apart": forward(mask_ignored),
        "image": forward(image_unread),
        "policy": wrapped(lambda loaded: type(loaded.processor), "__call__", policies_forgotten),
    },
    "zero_shot_detection": {
        "batch": outputs(batch_mixed),
        "image_query": wrapped(network, "image_guided_detection", image_sought_in_itself),
        "label_order": outputs(last_column_favoured),
        "sizes": grounding(target_sizes=[(240, 320)]),
        "threshold": grounding(threshold=0.0),
    },
}
