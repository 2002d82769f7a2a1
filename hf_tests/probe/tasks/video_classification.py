"""video-classification: labels with probabilities for a video."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path
from typing import Any

from hf_tests.outcome import Example
from hf_tests.probe import classes, samples
from hf_tests.probe.tasks import base, classification
from hf_tests.registry import Model

INPUT = "a drawn video: a red circle rolls past a blue square that grows"
FRAMES = ("num_frames", "frames_per_clip")
FEW = 8
IMAGES, VIDEOS = "preprocessor_config.json", "video_preprocessor_config.json"
"""Settings of an image processor that takes frames, and of a video processor."""

RATE = 8  # frames a second


class Clips:
    """What prepares a model's videos, with the number of frames that its configuration says."""

    def __init__(self, processor: Any, config: Any) -> None:
        self.processor = processor
        self.frames = frames(config)

    def __call__(self, **arguments: Any) -> dict[str, Any]:
        """The processor's tensors for a video of so many frames."""
        video = samples.video(self.frames)
        return dict(self.processor(video, return_tensors="pt", **arguments))


def frames(config: Any) -> int:
    """The number of frames of the videos that a model was made for; a few if any do."""
    found = (int(getattr(config, name)) for name in FRAMES if hasattr(config, name))
    return next(found, FEW)


class VideoClassification(base.Task):
    """Classifiers with one label a video."""

    name = "video-classification"
    processor_class = "AutoImageProcessor"
    openvino_class = "OVModelForVideoClassification"
    unit = "videos"
    pipeline_dependencies = ("av",)

    def load_processor(self, folder: str, **options: Any) -> Clips:
        own = (Path(folder) / IMAGES).is_file()
        name = self.processor_class if own else "AutoVideoProcessor"
        found = (classes.transformers_class(item) for item in (name, "AutoConfig"))
        processor, config = (item.from_pretrained(folder, **options) for item in found)
        return Clips(processor, config)

    def inputs(self, subject: base.Subject) -> dict[str, Any]:
        return dict(subject.processor())

    def judge(self, subject: base.Subject, inputs: dict[str, Any], outputs: Any) -> base.Verdict:
        predictions = classification.judge_logits(subject, outputs)
        return base.Verdict(predictions, Example(INPUT, predictions[0]))

    def call(self, model: Model, pipe: Any) -> Any:
        count = frames(pipe.model.config)
        return pipe(_file(count), num_frames=count, top_k=base.TOP_K)

    def judge_answer(self, model: Model, pipe: Any, answer: Any) -> base.Verdict:
        predictions = classification.judge_labels(pipe, answer)
        return base.Verdict(predictions, Example(INPUT, predictions[0]))


@functools.cache
def _file(count: int) -> str:
    """The path of the sample video of so many frames, written without loss."""
    import av

    path = str(Path(tempfile.mkdtemp()) / "video.mov")
    width, height = samples.IMAGE_SIZE
    with av.open(path, "w") as container:
        stream: Any = container.add_stream("png", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = width, height, "rgb24"
        for picture in samples.video(count):
            container.mux(stream.encode(av.VideoFrame.from_image(picture)))
        container.mux(stream.encode())
    return path
