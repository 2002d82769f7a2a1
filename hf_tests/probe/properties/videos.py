"""Properties of what reads videos: images in an order."""

from __future__ import annotations

from hf_tests.probe.properties.base import Loaded

PARTS = 4


def order_of_frames_counts(loaded: Loaded) -> None:
    """A video that runs backwards has another answer."""
    name, frames = next(iter(loaded.inputs.items()))
    wanted, found = (
        loaded.answer(loaded.network(**{**loaded.inputs, name: video}))
        for video in (frames, frames.flip(1))
    )
    loaded.different(found, wanted, "the answer to a video backwards")


def every_frame_is_read(loaded: Loaded) -> None:
    """A video of which any quarter of the frames is blank has another answer."""
    name, frames = next(iter(loaded.inputs.items()))
    wanted = loaded.answer(loaded.network(**loaded.inputs))
    for part in range(PARTS):
        other = frames.clone()
        start, end = (frames.shape[1] * place // PARTS for place in (part, part + 1))
        other[:, start:end] = 0
        found = loaded.answer(loaded.network(**{**loaded.inputs, name: other}))
        loaded.different(found, wanted, f"the answer to a video without its quarter {part + 1}")
