"""Properties of what reads images alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hf_tests.probe.judge import finite, require, shape
from hf_tests.probe.properties.base import Loaded
from hf_tests.probe.tasks.image_feature_extraction import in_a_row

SCALE = 2
PIXEL_DIMENSIONS = 4


def images_beside_change_nothing(loaded: Loaded) -> None:
    """An image gives the same answer alone and beside another in a batch."""
    alone = loaded.answer(loaded.read(loaded.inputs))
    found = loaded.answer(loaded.read(beside_another(loaded)))
    # Rows of a batch, or one sequence of the parts of all images.
    first = found[:, : alone.shape[1]] if len(found) == len(alone) else found[: len(alone)]
    loaded.same(first, alone, "an image's answer differs beside another")


def beside_another(loaded: Loaded) -> dict[str, Any]:
    """The network's inputs with another image behind their own."""
    import torch

    name, pixels = _pixels(loaded)
    both = {key: torch.cat([value, value]) for key, value in loaded.inputs.items()}
    other = pixels.flip(-2)
    axis = -1 if in_a_row(loaded.inputs, pixels) else 0
    both[name] = torch.cat([pixels, other * 0.5 if pixels.is_floating_point() else other], axis)
    return both


def every_corner_is_read(loaded: Loaded) -> None:
    """An image of which any quarter is blank has other features."""
    name, pixels = _pixels(loaded)
    whole = loaded.answer(loaded.read(loaded.inputs))
    for place, quarter in _quarters(pixels):
        other = pixels.clone()
        other[quarter] = 0
        found = loaded.answer(loaded.read({**loaded.inputs, name: other}))
        loaded.different(found, whole, f"features of an image without its {place} quarter")


def _pixels(loaded: Loaded) -> tuple[str, Any]:
    """The image among a network's inputs, and its name: the first of them that is no text's.

    Where all are named so, an image is given as codes.
    """
    texts = ("input_ids", "attention_mask", "token_type_ids", "pixel_mask", "classes_structure")
    # Beside a video there may be its sound, which stands before it by name.
    items = sorted(loaded.inputs.items(), key=lambda item: not item[0].startswith("pixel_values"))
    return next((item for item in items if not item[0].endswith(texts)), items[0])


def _quarters(pixels: Any) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Where the quarters of an image are, by name: of its rows and columns, or of its patches.

    ``pixels`` have the shape (..., images, channels, rows, columns), or (..., patches, values).
    """
    if pixels.dim() >= PIXEL_DIMENSIONS:
        height, width = (size // 2 for size in pixels.shape[-2:])
        for name, rows in (("upper", slice(height)), ("lower", slice(height, None))):
            yield f"{name} left", (..., rows, slice(width))
            yield f"{name} right", (..., rows, slice(width, None))
        return
    count = pixels.shape[-2]
    for index, name in enumerate(("first", "second", "third", "last")):
        yield name, (..., slice(index * count // 4, (index + 1) * count // 4), slice(None))


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


def changes_stay_in_their_place(loaded: Loaded) -> None:
    """With another corner of an image that corner of the answer changes most."""
    name, pixels = _pixels(loaded)
    whole = loaded.answer(loaded.network(**loaded.inputs))
    for (place, quarter), (_, mine) in zip(_quarters(pixels), _quarters(whole), strict=True):
        other = pixels.clone()
        other[quarter] = 1 - other[quarter]
        found = loaded.answer(loaded.network(**{**loaded.inputs, name: other}))
        loaded.different(found[mine], whole[mine], f"the {place} of an image with another one")
        changes = [
            float((found[part] - whole[part]).abs().float().mean()) for _, part in _quarters(whole)
        ]
        here = float((found[mine] - whole[mine]).abs().float().mean())
        require(here == max(changes), f"with another {place} the answer changes most elsewhere")
