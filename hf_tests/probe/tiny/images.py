"""How large the images of a tiny checkpoint are."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

PATCHES_A_SIDE = 4
MIN_SIDE = 32  # pixels
SIDE = 128  # pixels, of images for a network that is made for no size of them
LARGE = 600
"""Pixels of a side that cost much: those of detectors, and not those of classifiers."""

LARGEST = 4096
"""More than these pixels are no side of an image: they are a number of pixels."""

WINDOW = 4  # patches a side of an attention window
SIZES = ("image_size", "crop_size")
"""Names of the size that images have; the first of them that a configuration has."""

STAGES = ("depths", "blocks_per_stage")
WINDOWS = ("window_size", "window_size_per_stage", "masked_unit_size")
PATCHES = ("patch_stride", "patch_size")


def size_of(blocks: Iterator[dict[str, Any]]) -> tuple[int, int] | None:
    """Height and width in pixels that configurations are made for; None for those of a text model.

    Of several, the first one that says it counts.
    """
    for block in blocks:
        size = block.get(size_name(block))
        if isinstance(size, (list, tuple)) and len(size) > 1:
            return size[0], size[1]
        if isinstance(size, (list, tuple)) and size:
            size = size[0]
        if isinstance(size, int):
            return size, size
    return None


def size_name(block: Mapping[str, Any]) -> str:
    """What a configuration calls the size of its images."""
    return next((name for name in SIZES if block.get(name)), SIZES[0])


def shrunken(size: Any, block: Mapping[str, Any]) -> Any:
    """An image's size of as few patches as do, in the form that it has: a side, or two.

    Of two sides the shorter one is the smallest there may be; the other keeps its proportion.
    """
    patch = _patch(block)
    least = max(_smallest(block, patch), MIN_SIDE)
    if isinstance(size, int):
        return min(size, math.ceil(least / patch) * patch)
    if not isinstance(size, (list, tuple)) or not all(isinstance(side, int) for side in size):
        return size
    return [min(side, math.ceil(least * side / min(size) / patch) * patch) for side in size]


def resized(
    size: Mapping[str, int | None], sides: tuple[int, int] | None, *, cropped: bool
) -> dict[str, int] | None:
    """The size to which a processor that would make images large makes those of a tiny checkpoint.

    ``sides`` are the height and width that the configuration is made for, None where it is made for
    none; ``cropped`` whether the processor cuts them to a size afterwards. None where it makes them
    not large, or where the configuration's own sides are what it makes them.
    """
    given = {name: value for name, value in size.items() if value}
    shorter = min(given.values(), default=0)
    if max(given.values(), default=0) > LARGEST:
        return None
    if sides is None:
        side = SIDE if shorter >= LARGE else shorter
    elif set(given) == {"shortest_edge", "longest_edge"} and not cropped:
        side = min(sides)
    else:
        return None
    return {name: round(value * side / shorter) for name, value in given.items()} or None


def _patch(block: Mapping[str, Any]) -> int:
    """Pixels a side of a patch; 1 where a network has none."""
    return next((side for name in PATCHES if (side := _first(block.get(name)))), 1)


def _first(value: Any) -> int | None:
    if isinstance(value, (list, tuple)) and value:
        value = value[0]
    return value if isinstance(value, int) else None


def _smallest(block: Mapping[str, Any], patch: int) -> int:
    """A few patches a side, and enough for what the network does to them.

    Where each stage halves the image and attends in windows, the last one still fills a window;
    where strides leave few places, they still fill a patch.
    """
    smallest = PATCHES_A_SIDE * patch
    stages = next((block[name] for name in STAGES if block.get(name)), None)
    window = next((side for name in WINDOWS if (side := _first(block.get(name)))), None)
    if isinstance(stages, (list, tuple)) and window is not None:
        smallest = max(smallest, patch * min(window, WINDOW) * 2 ** (len(stages) - 1))
    stride = block.get("output_stride")
    return max(smallest, stride * patch) if isinstance(stride, int) else smallest
