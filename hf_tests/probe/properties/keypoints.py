"""Properties of what finds places in images, and finds them again in others."""

from __future__ import annotations

from typing import Any

from hf_tests.probe.judge import require
from hf_tests.probe.properties.base import Loaded

STEP = 16  # pixels: whole cells of every detector's grid
MARGIN = 48  # pixels at the border of an image whose keypoints know of the border
SHARE = 0.9
"""Least share of the keypoints that are found again: a tie may be decided otherwise."""

Point = tuple[float, float]


def keypoints_follow_the_image(loaded: Loaded) -> None:
    """What moves in an image by some pixels is found by as many pixels further."""
    import torch

    pixels = loaded.inputs["pixel_values"]
    height, width = pixels.shape[-2:]
    size = torch.tensor([width, height])
    moved = loaded.network(pixel_values=pixels.roll((STEP, STEP), (-2, -1)))
    here, there = (
        (outputs.keypoints[0].float().cpu() * size).round().tolist()
        for outputs in (loaded.outputs, moved)
    )
    inner = [point for point in here if _inside(point, width, height)]
    require(bool(inner), f"no keypoint is {MARGIN} pixels from the border")
    found = {tuple(point) for point in there}
    again = sum((x + STEP, y + STEP) in found for x, y in inner)
    require(
        again >= SHARE * len(inner),
        f"of {len(inner)} keypoints {again} are found {STEP} pixels further in a moved image",
    )


def _inside(point: Point, width: int, height: int) -> bool:
    x, y = point
    return MARGIN <= x < width - MARGIN and MARGIN <= y < height - MARGIN


def keypoints_beside_change_nothing(loaded: Loaded) -> None:
    """An image, or a pair, has the same keypoints and scores alone and beside another."""
    import torch

    pixels = loaded.inputs["pixel_values"]
    both = loaded.network(pixel_values=torch.cat([pixels, pixels.flip(-1) * 0.5]))
    count = loaded.outputs.keypoints.shape[-2]
    require(both.keypoints.shape[-2] >= count, "keypoints were lost beside another image")
    found, wanted = loaded.answer(both)[:1, ..., :count], loaded.answer(loaded.outputs)
    loaded.same(found, wanted, "scores beside another image")
    known = wanted > 0  # what has no match has no place either
    places = both.keypoints[:1, ..., :count, :]
    loaded.same(places[known], loaded.outputs.keypoints[known], "keypoints beside another image")


def matches_are_mutual(loaded: Loaded) -> None:
    """Where a keypoint has a match, it is that one's match too, with the same score."""
    outputs = loaded.outputs
    matches, scores = outputs.matches[0].tolist(), outputs.matching_scores[0].tolist()
    for index, other in enumerate(matches[0]):
        if other < 0:
            continue
        back = matches[1][int(other)]
        require(back == index, f"keypoint {index} matches {int(other)}, and that one {int(back)}")
        require(
            scores[0][index] == scores[1][int(other)],
            f"the match of keypoint {index} has two scores",
        )


def exchanged_images_exchange_matches(loaded: Loaded) -> None:
    """The second image and the first have the matches of the first and the second."""
    outputs: Any = loaded.network(pixel_values=loaded.inputs["pixel_values"].flip(1))
    loaded.same(
        loaded.answer(outputs).flip(1),
        loaded.answer(loaded.outputs),
        "scores of exchanged images",
    )
