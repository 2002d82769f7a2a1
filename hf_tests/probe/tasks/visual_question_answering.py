"""visual-question-answering: an answer from a list to a question about an image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hf_tests.outcome import Example
from hf_tests.probe import classes, judge, samples
from hf_tests.probe.tasks import base, classification
from hf_tests.registry import Model

QUESTION = "What is in this picture?"
SCORES = ("logits", "question_answering_score", "itm_logits")
"""Names that scores have among a network's outputs: of answers, or of a text that is an image's."""

REGIONS = 6
"""Regions of an image that a detector of objects would have found."""

FEATURES = {"visual_embeds": "visual_embedding_dim", "visual_feats": "visual_feat_dim"}
"""Names of such regions' features, and of their width in a configuration."""

PLACES, CORNERS = "visual_pos", 4


class VisualQuestionAnswering(base.Task):
    """Encoders that read an image and a text together. transformers 5 has no such pipeline.

    Those that read what a detector has found in an image, which no library has for them, are given
    features drawn once.
    """

    name = "visual-question-answering"
    processor_class = "AutoProcessor"
    openvino_class = "OVModelForVisualQuestionAnswering"
    sample_text = QUESTION
    unit = "questions"

    def inputs(self, subject: base.Subject) -> dict[str, Any]:
        return self.asked(subject, [self.text(subject.model)])

    def asked(self, subject: base.Subject, questions: Sequence[str]) -> dict[str, Any]:
        """The network's arguments for questions about the sample image, padded to the longest."""
        texts: dict[str, Any] = {"text": list(questions), "padding": True, "return_tensors": "pt"}
        if not _sees(subject.processor):
            return {**subject.processor(**texts), **_regions(subject.model, len(questions))}
        return dict(subject.processor(images=[samples.image()] * len(questions), **texts))

    def run(self, subject: base.Subject, inputs: dict[str, Any]) -> Any:
        return base.run_alike(subject.network, inputs)

    def compared(self, outputs: Any) -> dict[str, Any]:
        return {"logits": self.answer(outputs)}

    def answer(self, outputs: Any) -> Any:
        name = next((name for name in SCORES if outputs.get(name) is not None), None)
        judge.require(name is not None, f"no scores of answers among {', '.join(outputs)}")
        return outputs[name]

    def pipeline_misfit(self, subject: base.Subject) -> str | None:
        from transformers.models.auto import modeling_auto

        known = modeling_auto.MODEL_FOR_VISUAL_QUESTION_ANSWERING_MAPPING_NAMES.values()
        name = subject.model.class_name
        return None if name in known else f"the {self.name} pipeline does not know {name}"

    def judge(self, subject: base.Subject, inputs: dict[str, Any], outputs: Any) -> base.Verdict:
        config = subject.config
        logits = self.answer(outputs).float().cpu()
        count = getattr(config, "num_qa_labels", None) or config.num_labels
        judge.shape(logits, (1, count), "logits")
        judge.finite(logits, "logits")
        judge.varied(logits, "logits")
        best = logits[0].softmax(-1).topk(min(base.TOP_K, count))
        predictions = tuple(
            {"answer": config.id2label.get(int(place), str(int(place))), "score": float(score)}
            for score, place in zip(best.values, best.indices, strict=True)
        )
        return self._verdict(subject.model, predictions)

    def call(self, model: Model, pipe: Any) -> Any:
        question = self.text(model)
        return pipe(image=samples.image(), question=question, top_k=base.TOP_K)

    def judge_answer(self, model: Model, pipe: Any, answer: Any) -> base.Verdict:
        return self._verdict(model, classification.judge_labels(pipe, answer, "answer"))

    def _verdict(self, model: Model, predictions: tuple[dict[str, Any], ...]) -> base.Verdict:
        question = self.text(model)
        return base.Verdict(predictions, Example(question, predictions[0]))


def _sees(processor: Any) -> bool:
    """Whether a processor takes images, and not texts alone."""
    return hasattr(processor, "image_processor")


def _regions(model: Model, count: int) -> dict[str, Any]:
    """Features of an image's regions, and where these are, by the names that the network has.

    ``count`` is that of images.
    """
    import torch
    from transformers import AutoConfig

    config = AutoConfig.for_model(model.model_type, **model.config)
    taken = classes.parameters_of(model.class_name)
    drawn = torch.Generator().manual_seed(base.SEED)
    found: dict[str, Any] = {}
    for name, width in FEATURES.items():
        if name in taken:
            shape = (1, REGIONS, getattr(config, width))
            found[name] = torch.randn(shape, generator=drawn).repeat(count, 1, 1)
    if PLACES in taken:
        corners = torch.rand(1, REGIONS, CORNERS, generator=drawn).sort(-1).values
        found[PLACES] = corners.repeat(count, 1, 1)
    return found
