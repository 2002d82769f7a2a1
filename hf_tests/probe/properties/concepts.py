"""Properties of what finds in a video all that a text names."""

from __future__ import annotations

from typing import Any

import hf_tests.probe.tasks.video_concept_segmentation as finding
import hf_tests.probe.tasks.video_mask_generation as following
from hf_tests.probe import samples
from hf_tests.probe.judge import shape
from hf_tests.probe.properties.base import Loaded


def _masks(outputs: Any, *frames: int) -> Any:
    """Masks of all objects in some frames."""
    return outputs["pred_masks"][[place in frames for place in outputs["places"][:, 0].tolist()]]


def frames_before_are_remembered(loaded: Loaded) -> None:
    """Masks in the last frame change with the first one, and no mask with what comes later."""
    last = following.FRAMES - 1

    def turned(frame: int) -> Any:
        frames = loaded.inputs["pixel_values_videos"].clone()
        frames[frame] = frames[frame].flip(-1)
        return loaded.run({**loaded.inputs, "pixel_values_videos": frames})

    found, wanted = (_masks(item, *range(last)) for item in (turned(last), loaded.outputs))
    loaded.same(found, wanted, "masks before a frame that changes")
    found, wanted = (_masks(item, last)[:1] for item in (turned(0), loaded.outputs))
    loaded.different(found, wanted, "masks in the last frame after another first one")


def words_are_read_in_their_order(loaded: Loaded) -> None:
    """The text's words the other way round give what is found first another score."""
    ids = loaded.inputs["input_ids"].clone()
    end = int(loaded.inputs["attention_mask"].sum()) - 1
    ids[:, 1:end] = ids[:, 1:end].flip(1)
    found = loaded.run({**loaded.inputs, "input_ids": ids})["scores"]
    wanted = loaded.run(loaded.inputs)["scores"]
    loaded.different(found[:1], wanted[:1], "scores of the words the other way round")


def sessions_of_the_processor_give_the_same(loaded: Loaded) -> None:
    """A session that the processor makes of a video and a text gives these masks, and full ones."""
    network, processor = loaded.network, loaded.processor
    session = processor.init_video_session(
        video=samples.video(following.FRAMES),
        processing_device="cpu",  # as the inputs were made: a GPU rounds pixels in another way
        inference_device=network.device,
        dtype=network.dtype,
    )
    session = processor.add_text_prompt(session, text=finding.TEXT)
    found = finding.follow(network, session)
    for name in ("pred_masks", "scores"):
        loaded.same(found[name], loaded.outputs[name], f"{name} of the processor's session")
    session.reset_state()
    session = processor.add_text_prompt(session, text=finding.TEXT)
    whole = processor.postprocess_outputs(session, network(session, frame_idx=0))
    width, height = samples.IMAGE_SIZE
    shape(whole["masks"], (None, height, width), "masks in the video")
