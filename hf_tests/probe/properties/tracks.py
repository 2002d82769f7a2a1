"""Properties of what follows objects through a video."""

from __future__ import annotations

from typing import Any

import hf_tests.probe.tasks.video_mask_generation as following
from hf_tests.probe import samples
from hf_tests.probe.judge import shape
from hf_tests.probe.properties.base import Loaded


def _prompted(loaded: Loaded, points: Any, labels: Any = None) -> Any:
    """Masks of objects with other prompts than the sample's, a point for each."""
    prompts = loaded.place(following.prompts(loaded.processor, points, labels))
    return loaded.run({**loaded.inputs, **prompts})["pred_masks"]


def objects_are_followed_apart(loaded: Loaded) -> None:
    """An object beside it does not change an object's masks, and each has its own."""
    both = _prompted(loaded, [following.SQUARE, following.CIRCLE])
    alone = loaded.outputs["pred_masks"]
    shape(both, (2, *alone.shape[1:]), "masks of two objects")
    loaded.same(both[1:], alone, "masks of one of two objects")
    loaded.different(both[:1], alone, "two objects have the same masks")


def prompts_are_read(loaded: Loaded) -> None:
    """A point outside gives other masks than one inside, in the last frame too."""
    inside = loaded.outputs["pred_masks"]
    outside = _prompted(loaded, [following.CIRCLE], [0])
    loaded.different(outside[:, 0], inside[:, 0], "masks of a point outside")
    loaded.different(outside[:, -1], inside[:, -1], "last masks of a point outside")


def later_frames_are_not_seen(loaded: Loaded) -> None:
    """What comes later in a video does not change the masks before, and what was before does."""
    frames, masks = loaded.inputs["pixel_values_videos"], loaded.outputs["pred_masks"]
    other = frames.clone()
    other[-1] = frames[-1].flip(-1)
    found = loaded.run({**loaded.inputs, "pixel_values_videos": other})["pred_masks"]
    loaded.same(found[:, :-1], masks[:, :-1], "masks before a frame that changes")
    loaded.different(found[:, -1], masks[:, -1], "masks in a frame that changes")
    other = frames.clone()
    other[1] = frames[1].flip(-1)
    found = loaded.run({**loaded.inputs, "pixel_values_videos": other})["pred_masks"]
    loaded.different(found[:, -1], masks[:, -1], "last masks after a frame that changes")


def sessions_of_the_processor_give_the_same(loaded: Loaded) -> None:
    """A session that the processor makes of a video and of points in pixels gives these masks."""
    session = loaded.processor.init_video_session(
        video=samples.video(following.FRAMES),
        processing_device="cpu",  # as the inputs were made: a GPU rounds pixels in another way
        inference_device=loaded.network.device,
        dtype=loaded.network.dtype,
    )
    loaded.processor.add_inputs_to_inference_session(
        session,
        frame_idx=0,
        obj_ids=[7],
        input_points=[[[list(following.CIRCLE)]]],
        input_labels=[[[1]]],
    )
    first = loaded.network(inference_session=session, frame_idx=0)
    wanted = loaded.outputs["pred_masks"]
    loaded.same(first.pred_masks[:, 0], wanted[:, 0], "the mask in the first frame")
    found = following.follow(loaded.network, session)
    loaded.same(found["pred_masks"], wanted, "masks of the processor's session")
