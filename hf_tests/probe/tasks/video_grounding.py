"""video-grounding: when in a video something happens that a text tells of."""

from __future__ import annotations

from typing import Any

from hf_tests.outcome import Example
from hf_tests.probe import classes, judge, samples
from hf_tests.probe.tasks import base, video_classification
from hf_tests.registry import Model

TEXT = "The red circle touches the blue square."


class VideoGrounding(base.Task):
    """Finders of a beginning and an end, as shares of a video.

    transformers has no such pipeline.
    """

    name = "video-grounding"
    processor_class = "AutoProcessor"
    openvino_class = "OVModelForVideoGrounding"
    sample_text = TEXT
    unit = "clips"

    def inputs(self, subject: base.Subject) -> dict[str, Any]:
        from transformers import AutoConfig

        model = subject.model
        config = AutoConfig.for_model(model.model_type, **model.config)
        frames = samples.video(video_classification.frames(config))
        found = subject.processor(images=frames, text=[self.text(model)], return_tensors="pt")
        taken = classes.parameters_of(model.class_name)
        return {name: value for name, value in found.items() if name in taken}

    def judge(self, subject: base.Subject, inputs: dict[str, Any], outputs: Any) -> base.Verdict:
        shares = outputs.logits.float().cpu()
        judge.shape(shares, (1, 2), "logits")
        judge.finite(shares, "logits")
        judge.varied(shares, "logits")
        start, end = shares[0].tolist()
        judge.scores([start, end], "logits")
        prediction = {"start": start, "end": end}
        return base.Verdict((prediction,), Example(self.text(subject.model), prediction))

    def call(self, model: Model, pipe: Any) -> Any:
        raise NotImplementedError(f"transformers has no {self.name} pipeline")

    def judge_answer(self, model: Model, pipe: Any, answer: Any) -> base.Verdict:
        raise NotImplementedError(f"transformers has no {self.name} pipeline")
