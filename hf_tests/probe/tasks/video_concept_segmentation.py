"""video-concept-segmentation: masks of all that a text names, followed through a video."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hf_tests.outcome import Example
from hf_tests.probe import judge
from hf_tests.probe.tasks import base, video_mask_generation
from hf_tests.registry import Model

TEXT = "a red circle"
LENGTH = 32  # tokens of a text, padded


class VideoConceptSegmentation(base.Task):
    """Finders of all that a text names, which then follow each of them from frame to frame.

    How many they find differs from frame to frame: a mask, a score and a place (its frame and the
    object's number) for each object in each frame, one behind the other.
    """

    name = "video-concept-segmentation"
    processor_class = "AutoProcessor"
    openvino_class = "OVModelForVideoConceptSegmentation"
    compared_outputs = ("pred_masks", "scores")
    takes_one = "a session has one video, and finds what a text names once"

    def work(self, model: Model) -> base.Work:
        return base.Work(video_mask_generation.FRAMES, "frames")

    def inputs(self, subject: base.Subject) -> dict[str, Any]:
        processor = subject.processor
        return video_mask_generation.frames(processor) | text(processor, TEXT)

    def run(self, subject: base.Subject, inputs: dict[str, Any]) -> Any:
        network = subject.network
        session = subject.processor.init_video_session(
            inference_device=network.device, dtype=network.dtype
        )
        for frame in inputs["pixel_values_videos"]:
            session.add_new_frame(frame)
        place = session.add_prompt(TEXT)
        session.prompt_input_ids[place] = inputs["input_ids"]
        session.prompt_attention_masks[place] = inputs["attention_mask"]
        return follow(network, session)

    def judge(self, subject: base.Subject, inputs: dict[str, Any], outputs: Any) -> base.Verdict:
        places, scores = outputs["places"].tolist(), outputs["scores"].tolist()
        masks = outputs["pred_masks"].float().cpu()
        judge.require(bool(places), "nothing was found in any frame")
        judge.require(len(set(map(tuple, places))) == len(places), "an object twice in one frame")
        judge.shape(masks, (len(places), None, None), "pred_masks")
        judge.finite(masks, "pred_masks")
        judge.varied(masks, "pred_masks")
        judge.scores(scores, "scores")
        shares = (masks > 0).float().mean((1, 2)).tolist()
        predictions = tuple(
            {"frame": frame, "object": number, "score": score, "share": share}
            for (frame, number), score, share in zip(places, scores, shares, strict=True)
        )
        said = {"video": video_mask_generation.INPUT, "text": TEXT}
        return base.Verdict(predictions[-base.TOP_K :], Example(said, predictions[-1]))

    def call(self, model: Model, pipe: Any) -> Any:
        raise NotImplementedError(f"transformers has no {self.name} pipeline")

    def judge_answer(self, model: Model, pipe: Any, answer: Any) -> base.Verdict:
        raise NotImplementedError(f"transformers has no {self.name} pipeline")


def text(processor: Any, said: str) -> dict[str, Any]:
    """A text's tokens as a session keeps them."""
    options = {"padding": "max_length", "max_length": LENGTH, "return_tensors": "pt"}
    found = processor.tokenizer(said, **options)
    return {name: found[name] for name in ("input_ids", "attention_mask")}


def follow(network: Any, session: Any) -> Mapping[str, Any]:
    """What a network finds in all frames of a session that has its text."""
    import torch

    found = [
        (item.frame_idx, number, item.obj_id_to_score[number], item.obj_id_to_mask[number])
        for item in network.propagate_in_video_iterator(session)
        for number in sorted(item.obj_id_to_mask)
    ]
    size = session.get_frame(0).shape[-2:]
    masks = [mask for *_, mask in found]
    return {
        "pred_masks": torch.cat(masks) if masks else torch.zeros(0, *size),
        "scores": torch.tensor([float(score) for _, _, score, _ in found]),
        "places": torch.tensor([[frame, number] for frame, number, *_ in found]).reshape(-1, 2),
    }
