"""image-moderation: whether an image breaks a policy, yes or no, and how probably."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hf_tests.outcome import Example
from hf_tests.probe import judge, samples
from hf_tests.probe.tasks import base
from hf_tests.registry import Model

POLICIES = {
    "circles": "No circles: the image shall not show anything that is round.",
    "text": "No text: the image shall not show letters, words or numbers in any language.",
    "night": "No night: the image shall not show a dark sky.",
}
"""By name; of several lengths, so that all but the longest are padded."""

ANSWERS = ("Yes", "No")
"""What the two logits of a policy stand for: that the image breaks it, and that it does not."""

HALF = 0.01
"""How far half precision may move a probability, of which bfloat16 keeps about two digits."""


class ImageModeration(base.Task):
    """Models that read an image with each of some policies: two logits of each, yes and no.

    transformers has no such pipeline.
    """

    name = "image-moderation"
    processor_class = "AutoProcessor"
    openvino_class = "OVModelForImageModeration"
    compared_outputs = ("logits", "probabilities")

    def work(self, model: Model) -> base.Work:
        return base.Work(len(POLICIES), "policies")

    def inputs(self, subject: base.Subject) -> dict[str, Any]:
        return self.asked(subject.processor, POLICIES)

    def asked(
        self, processor: Any, policies: Mapping[str, str], image: Any = None
    ) -> dict[str, Any]:
        """The network's arguments for an image, the sample where none is given, and policies."""
        image = samples.image() if image is None else image
        return dict(
            processor(
                images=[image],
                custom_policies=dict(policies),
                policies=list(policies),
                return_tensors="pt",
            )
        )

    def judge(self, subject: base.Subject, inputs: dict[str, Any], outputs: Any) -> base.Verdict:
        logits, found = outputs.logits.float().cpu(), outputs.probabilities.float().cpu()
        judge.shape(logits, (len(POLICIES), len(ANSWERS)), "logits")
        judge.shape(found, (len(POLICIES), len(ANSWERS)), "probabilities")
        judge.finite(logits, "logits")
        judge.varied(logits[:, 0], "logits of yes")
        judge.varied(logits[:, 1], "logits of no")
        for policy, values in zip(POLICIES, found.tolist(), strict=True):
            judge.scores(values, f"probabilities of {policy!r}")
        off = float((found - logits.softmax(-1)).abs().max())
        judge.require(off <= HALF, f"probabilities are not those of the logits: off by {off}")
        predictions = tuple(
            {"rule": policy, "answer": ANSWERS[int(values.argmax())], "yes": float(values[0])}
            for policy, values in zip(POLICIES, found, strict=True)
        )
        first = next(iter(POLICIES.values()))
        return base.Verdict(predictions, Example(first, predictions[0]))

    def call(self, model: Model, pipe: Any) -> Any:
        raise NotImplementedError(f"transformers has no {self.name} pipeline")

    def judge_answer(self, model: Model, pipe: Any, answer: Any) -> base.Verdict:
        raise NotImplementedError(f"transformers has no {self.name} pipeline")
