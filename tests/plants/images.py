"""Faults planted into models of images and videos."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any
from unittest import mock

import torch

from hf_tests.probe.properties.base import Loaded
from tests.plants.base import (
    MAPS,
    Plant,
    batch_mixed,
    corner_blanked,
    forward,
    network,
    outputs,
    processor,
    wrapped,
)


def post_processing(**settings: Any) -> Plant:
    """Detections are asked for otherwise than they are."""
    return wrapped(processor, "post_process_object_detection", lambda given: given.update(settings))


def sides_exchanged(found: Any) -> None:
    """What was on the left of an image comes out on the right."""
    name = next(item for item in MAPS if item in found)
    found[name] = found[name].flip(-1)


def keypoints_shifted(found: Any) -> None:
    """Places are those of an image half as wide."""
    found.keypoints = found.keypoints * torch.tensor([0.5, 1.0])


def first_scores_doubled(found: Any) -> None:
    """Only matches of the first image have the scores that they had."""
    name = "matching_scores" if "matching_scores" in found else "scores"
    found[name] = torch.cat([found[name][:1] * len(found[name]), found[name][1:]])


def first_image_favoured(found: Any) -> None:
    found.matching_scores = found.matching_scores * torch.tensor([[1.1], [1.0]])


def matches_one_further(found: Any) -> None:
    """Each match of the first image is the next keypoint of the second."""
    matches = found.matches.clone()
    matches[:, 0] = matches[:, 0].roll(1, -1)
    found.matches = matches


@contextlib.contextmanager
def positions_forgotten(loaded: Loaded) -> Iterator[None]:
    """A larger image gets no positions at all."""
    part = loaded.network.vit.embeddings
    whole = part.interpolate_pos_encoding

    def spoilt(embeddings: Any, height: int, width: int) -> Any:
        found = whole(embeddings, height, width)
        return found if height == loaded.inputs["pixel_values"].shape[-2] else found * 0

    with mock.patch.object(part, "interpolate_pos_encoding", spoilt):
        yield


def edge_lost(given: dict[str, Any]) -> None:
    """Only the upper left of an image is read."""
    given["pixel_values"] = given["pixel_values"][..., :32, :32]


def labels_and_boxes_dropped(given: dict[str, Any]) -> None:
    given.pop("input_labels", None)
    if "input_boxes" in given:
        given["input_points"] = given.pop("input_boxes")[:, :, None, :2]


def first_prompt_first(found: Any) -> None:
    """Scores are put in an order of their own."""
    found.iou_scores = found.iou_scores.sort(1).values


def embeddings_shifted(given: dict[str, Any]) -> None:
    given["image_embeddings"] = given["image_embeddings"].roll(1, -1)


def always_several(given: dict[str, Any]) -> None:
    given["multimask_output"] = True


def late_half_lost(given: dict[str, Any]) -> None:
    """Of a video only the first half is read."""
    frames = given["pixel_values"].clone()
    frames[:, frames.shape[1] // 2 :] = 0
    given["pixel_values"] = frames


def frames_averaged(given: dict[str, Any]) -> None:
    """Every frame of a video is the mean of all."""
    frames = given["pixel_values"]
    given["pixel_values"] = frames.mean(1, keepdim=True).expand_as(frames)


@contextlib.contextmanager
def objects_mixed(loaded: Loaded) -> Iterator[None]:
    """Each object of a video gets a little of what all of them are remembered by."""
    whole = loaded.network._encode_new_memory

    def spoilt(*arguments: Any, **given: Any) -> Any:
        features, places = whole(*arguments, **given)
        return features + 0.1 * features.mean(1, keepdim=True), places

    with mock.patch.object(loaded.network, "_encode_new_memory", spoilt):
        yield


def nothing_remembered(given: dict[str, Any]) -> None:
    """Every frame is looked at as if it were the first."""
    given["is_initial_conditioning_frame"] = True


def labels_dropped(given: dict[str, Any]) -> None:
    """Every point is one inside."""
    given["input_labels"] = torch.ones_like(given["input_labels"])


def points_moved(given: dict[str, Any]) -> None:
    """Points are taken for those of a video twice as wide."""
    given["input_points"] = [[[[x / 2, y] for x, y in item] for item in given["input_points"][0]]]


def next_frame_seen(given: dict[str, Any]) -> None:
    """In each frame but the last, what is looked at is the next."""
    last = given["inference_session"].num_frames - 1
    given["frame_idx"] = min(given["frame_idx"] + 1, last)


def another_text(given: dict[str, Any]) -> None:
    """What is looked for is something else."""
    given["text"] = "a green line"


def words_lost(given: dict[str, Any]) -> None:
    """Every text is read as the same."""
    given["input_ids"] = torch.ones_like(given["input_ids"])
    given["attention_mask"] = torch.ones_like(given["attention_mask"])


PLANTS: dict[str, dict[str, Plant]] = {
    "backbone": {"batch": outputs(batch_mixed), "corners": forward(corner_blanked)},
    "vit": {"batch": outputs(batch_mixed), "interpolated_positions": positions_forgotten},
    "convnet": {"any_size": forward(edge_lost), "batch": outputs(batch_mixed)},
    "depth_map": {"batch": outputs(batch_mixed), "places": outputs(sides_exchanged)},
    "segformer": {"batch": outputs(batch_mixed), "places": outputs(sides_exchanged)},
    "mask2former": {"batch": outputs(batch_mixed), "places": outputs(sides_exchanged)},
    "restoration": {"batch": outputs(batch_mixed), "places": outputs(sides_exchanged)},
    "sam": {
        "embeddings": forward(embeddings_shifted),
        "one_mask": forward(always_several),
        "order": outputs(first_prompt_first),
        "prompts": forward(labels_and_boxes_dropped),
    },
    "concepts": {
        "memory": forward(next_frame_seen),
        "session": wrapped(processor, "add_text_prompt", another_text),
        "text": wrapped(
            lambda loaded: loaded.network.detector_model, "get_text_features", words_lost
        ),
    },
    "tracking": {
        "apart": objects_mixed,
        "memory": wrapped(network, "_prepare_memory_conditioned_features", nothing_remembered),
        "prompts": wrapped(lambda loaded: loaded.network.prompt_encoder, "forward", labels_dropped),
        "session": wrapped(processor, "add_inputs_to_inference_session", points_moved),
    },
    "detr": {
        "any_size": forward(corner_blanked),
        "batch": outputs(batch_mixed),
        "sizes": post_processing(target_sizes=[(240, 320)]),
        "threshold": post_processing(threshold=0.0),
    },
    "keypoint": {"batch": outputs(first_scores_doubled), "moved": outputs(keypoints_shifted)},
    "matching": {
        "batch": outputs(first_scores_doubled),
        "exchange": outputs(first_image_favoured),
        "mutual": outputs(matches_one_further),
    },
    "videomae": {
        "batch": outputs(batch_mixed),
        "frames": forward(late_half_lost),
        "order": forward(frames_averaged),
    },
}
