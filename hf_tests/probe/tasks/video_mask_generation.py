"""video-mask-generation: masks that follow through a video what a prompt marks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hf_tests.outcome import Example
from hf_tests.probe import judge, samples
from hf_tests.probe.tasks import base
from hf_tests.probe.tasks.mask_generation import describe
from hf_tests.registry import Model

FRAMES = 4
CIRCLE, SQUARE = (70, 150), (215, 60)  # points in the first frame, pixels
WHOLE = "propagate_in_video_iterator"
"""The method of a network that follows a video frame by frame, in a session that remembers."""

INPUT = "a drawn video: a red circle rolls past a blue square that grows"


class VideoMaskGeneration(base.Task):
    """Trackers of what is prompted: several objects of one video, each with a prompt of its own."""

    name = "video-mask-generation"
    processor_class = "AutoProcessor"
    openvino_class = "OVModelForVideoMaskGeneration"
    compared_outputs = ("pred_masks", "object_score_logits")
    graph_has_one_size = True  # each object is followed by itself

    def work(self, model: Model) -> base.Work:
        return base.Work(FRAMES, "frames")

    def inputs(self, subject: base.Subject) -> dict[str, Any]:
        return frames(subject.processor) | prompts(subject.processor, [CIRCLE])

    def batch(self, inputs: dict[str, Any], size: int) -> dict[str, Any]:
        # Many objects are followed in the same video.
        return {
            name: value if name == "pixel_values_videos" else self.repeated(value, size)
            for name, value in inputs.items()
        }

    def part(self, network: Any, processor: Any) -> Any:
        return _following(network, processor)

    def run(self, subject: base.Subject, inputs: dict[str, Any]) -> Any:
        network = subject.network
        if hasattr(network, WHOLE):
            network = self.part(network, subject.processor)
        return network(**inputs)

    def judge(self, subject: base.Subject, inputs: dict[str, Any], outputs: Any) -> base.Verdict:
        scores = outputs["object_score_logits"].float().cpu()
        masks = outputs["pred_masks"].float().cpu()
        judge.shape(scores, (1, FRAMES), "object_score_logits")
        judge.shape(masks, (1, FRAMES, None, None), "pred_masks")
        judge.finite(scores, "object_score_logits")
        judge.finite(masks, "pred_masks")
        width, height = samples.IMAGE_SIZE
        sizes = [(height, width)] * FRAMES
        full = subject.processor.post_process_masks(list(masks[0, :, None, None]), sizes)
        predictions = []
        for place, found in enumerate(full):
            judge.varied(masks[0, place], f"mask in frame {place}")
            judge.shape(found, (1, 1, height, width), "mask in the video")
            score = float(scores[0, place].sigmoid())
            predictions.append({"frame": place, "score": score, **describe(found[0, 0])})
        example = Example({"video": INPUT, "point": list(CIRCLE)}, predictions[-1])
        return base.Verdict(tuple(predictions), example)

    def call(self, model: Model, pipe: Any) -> Any:
        raise NotImplementedError(f"transformers has no {self.name} pipeline")

    def judge_answer(self, model: Model, pipe: Any, answer: Any) -> base.Verdict:
        raise NotImplementedError(f"transformers has no {self.name} pipeline")


def frames(processor: Any) -> dict[str, Any]:
    """The sample video as a network takes it: its frames, resized."""
    found = processor.video_processor(videos=samples.video(FRAMES), return_tensors="pt")
    return {"pixel_values_videos": found["pixel_values_videos"][0]}


def prompts(processor: Any, points: Any, labels: Any = None) -> dict[str, Any]:
    """One point for each object, in pixels of the video, as a network takes them.

    Label 1 says that a point is inside, which all are by default, 0 that it is outside.
    """
    labels = labels or [1] * len(points)
    width, height = samples.IMAGE_SIZE
    found = processor(
        input_points=[[[list(point)] for point in points]],
        input_labels=[[[label] for label in labels]],
        original_sizes=[[height, width]],
        return_tensors="pt",
    )
    return {name: found[name][0] for name in ("input_points", "input_labels")}


def follow(network: Any, session: Any, **options: Any) -> Mapping[str, Any]:
    """What a network says of each object in each frame of a session that has its prompts.

    The first two dimensions of both tensors are objects and frames. ``options`` are those of the
    network's own loop.
    """
    import torch

    found = list(getattr(network, WHOLE)(session, **options))
    masks = torch.stack([item.pred_masks[:, 0] for item in found], 1)
    scores = torch.stack([item.object_score_logits[:, 0] for item in found], 1)
    return {"pred_masks": masks, "object_score_logits": scores}


def _following(network: Any, processor: Any) -> Any:
    """A network that is called once for a whole video, with tensors alone."""
    import torch

    class Following(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.network, self.config = network, network.config

        def forward(
            self, pixel_values_videos: Any, input_points: Any, input_labels: Any
        ) -> Mapping[str, Any]:
            session = processor.init_video_session(
                inference_device=network.device, dtype=network.dtype
            )
            for frame in pixel_values_videos:
                session.add_new_frame(frame)
            ids = list(range(len(input_points)))
            for number in ids:
                place = session.obj_id_to_idx(number)
                given = {
                    "point_coords": input_points[None, number : number + 1],
                    "point_labels": input_labels[None, number : number + 1],
                }
                session.add_point_inputs(place, 0, given)
            session.obj_with_new_inputs = ids
            return follow(network, session, start_frame_idx=0)

    return Following().eval()
