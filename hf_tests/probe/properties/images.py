"""Properties of what reads images alone."""

from __future__ import annotations

from hf_tests.probe.judge import finite, shape
from hf_tests.probe.properties.base import Loaded

SCALE = 2


def images_beside_change_nothing(loaded: Loaded) -> None:
    """An image gives the same answer alone and beside another in a batch."""
    import torch

    pixels = loaded.inputs["pixel_values"]
    beside = torch.cat([pixels, pixels.flip(-1) * 0.5])
    found = loaded.answer(loaded.network(pixel_values=beside))
    loaded.same(
        found[:1],
        loaded.answer(loaded.outputs),
        "an image's answer differs beside another",
    )


def every_corner_is_read(loaded: Loaded) -> None:
    """An image of which any quarter is blank has other features."""
    pixels = loaded.inputs["pixel_values"]
    whole = loaded.answer(loaded.network(pixel_values=pixels))
    height, width = (size // 2 for size in pixels.shape[-2:])
    for name, rows, columns in (
        ("upper left", slice(height), slice(width)),
        ("upper right", slice(height), slice(width, None)),
        ("lower left", slice(height, None), slice(width)),
        ("lower right", slice(height, None), slice(width, None)),
    ):
        other = pixels.clone()
        other[..., rows, columns] = 0
        found = loaded.answer(loaded.network(pixel_values=other))
        loaded.different(found, whole, f"features of an image without its {name} quarter")


def positions_interpolate(loaded: Loaded) -> None:
    """A larger image gets interpolated positions; one of the model's own size keeps its own."""
    import torch

    def logits(pixels: torch.Tensor, **arguments: bool) -> torch.Tensor:
        outputs: torch.Tensor = loaded.network(pixel_values=pixels, **arguments).logits
        return outputs

    pixels = loaded.inputs["pixel_values"]
    height, width = pixels.shape[-2:]
    loaded.same(
        logits(pixels, interpolate_pos_encoding=True),
        loaded.outputs.logits,
        "interpolation to the model's own size changes logits",
    )
    large = torch.nn.functional.interpolate(pixels.float(), scale_factor=SCALE, mode="bilinear")
    large = large.to(pixels.dtype)
    found = logits(large, interpolate_pos_encoding=True)
    finite(found, "logits of a larger image")
    # The same patches in another order: only positions can tell the two apart.
    moved = logits(large.roll((height, width), (-2, -1)), interpolate_pos_encoding=True)
    loaded.different(moved, found, "logits of a larger image do not depend on its patches' places")


def larger_images_are_read_whole(loaded: Loaded) -> None:
    """A network without positions takes a larger image, and what is at its far edge counts."""
    image = loaded.inputs["pixel_values"]
    larger = image.repeat(1, 1, 2, 2)
    answer = loaded.network(pixel_values=larger).logits
    shape(answer, tuple(loaded.outputs.logits.shape), "logits of an image of twice the size")
    finite(answer, "logits of an image of twice the size")
    other = larger.clone()
    other[..., -image.shape[-2] :, -image.shape[-1] :] = 0
    answers = loaded.network(pixel_values=other).logits
    loaded.different(answers, answer, "logits of an image with another lower right")
