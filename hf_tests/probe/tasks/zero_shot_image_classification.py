"""zero-shot-image-classification: an image scored against texts."""

from __future__ import annotations

from typing import Any

from hf_tests.probe import judge, samples
from hf_tests.probe.tasks import base
from hf_tests.probe.tasks.candidate_labels import CandidateLabels
from hf_tests.registry import Model

LABELS = ("a red circle and a blue square", "a cat on a mat", "a yellow sun")
TEMPLATE = "a photo of {}"
PIXELS = "pixel_values"  # how the names of images and videos begin
OF_IMAGES = ("pixel_", "spatial_shapes")
"""How the names of all begin that an image has: pixels, which of them are real, their places."""

LOGITS, EMBEDDINGS = "logits_", "_embeds"
"""How outputs' names of logits begin, and those of embeddings end."""


class ZeroShotImageClassification(CandidateLabels):
    """Dual encoders. Their scores sum to 1, or are independent where the registry says so."""

    name = "zero-shot-image-classification"
    processor_class = "AutoProcessor"
    openvino_class = "OVModelForZeroShotImageClassification"
    candidates = LABELS
    seen = "image"
    """What outputs call that which is scored."""

    one_scale = True
    """Whether the logits of texts have the scale of those of what they are scored against."""

    def compared(self, outputs: Any) -> dict[str, Any]:
        return {
            name: outputs[name]
            for name in outputs
            if name.startswith(LOGITS) or name.endswith(EMBEDDINGS)
        }

    def answer(self, outputs: Any) -> Any:
        return outputs[names(outputs, self.seen)[0]]

    def work(self, model: Model) -> base.Work:
        return base.Work(self.number(model), f"{self.seen}s")

    def number(self, model: Model) -> int:
        """How many are scored at once: one, or one for each label where the registry says so."""
        return len(self.labels(model)) if model.samples.get("pairs") else 1

    def inputs(self, subject: base.Subject) -> dict[str, Any]:
        return self._encoded(subject, self.labels(subject.model), images=samples.image())

    def _encoded(self, subject: base.Subject, labels: list[str], **seen: Any) -> dict[str, Any]:
        texts = [TEMPLATE.format(label) for label in labels]
        return dict(
            subject.processor(
                text=texts,
                return_tensors="pt",
                padding=self.padding(subject.model),
                truncation=True,
                **seen,
            )
        )

    def padding(self, model: Model) -> bool | str:
        """How texts are padded."""
        # The padding that models of independent scores were trained with is to full length.
        return "max_length" if model.scores == "independent" else True

    def batch(self, inputs: dict[str, Any], size: int) -> dict[str, Any]:
        """As many images, each against the same labels."""
        return {
            name: self.repeated(value, size) if name.startswith(OF_IMAGES) else value
            for name, value in inputs.items()
        }

    def judge(self, subject: base.Subject, inputs: dict[str, Any], outputs: Any) -> base.Verdict:
        labels = self.labels(subject.model)
        name = names(outputs, self.seen)[0]
        logits = outputs[name].float().cpu()
        judge.shape(logits, (self.number(subject.model), len(labels)), name)
        judge.finite(logits, name)
        judge.varied(logits, name)
        if name == f"logits_per_{self.seen}":
            self._judge_by_text(outputs.logits_per_text.float().cpu(), logits, name)
        independent = subject.model.scores == "independent"
        values = (logits[0].sigmoid() if independent else logits[0].softmax(-1)).tolist()
        judge.scores(values, "scores", sum_to=None if independent else 1.0)
        pairs = sorted(zip(values, labels, strict=True), reverse=True)
        return self.verdict(
            labels, tuple({"label": label, "score": score} for score, label in pairs)
        )

    def _judge_by_text(self, by_text: Any, logits: Any, name: str) -> None:
        """Judge the logits of texts, which are the others transposed."""
        judge.shape(by_text, tuple(logits.shape[::-1]), "logits_per_text")
        wanted = by_text.T
        if not self.one_scale:
            wanted = wanted * (logits * wanted).sum() / wanted.square().sum()
        difference = float((logits - wanted).abs().max())
        judge.require(
            difference <= judge.ROUNDING * max(1.0, float(logits.abs().max())),
            f"logits_per_text is not {name} transposed: off by {difference}",
        )

    def call(self, model: Model, pipe: Any) -> Any:
        return pipe(
            samples.image(), candidate_labels=self.labels(model), hypothesis_template=TEMPLATE
        )

    def judge_answer(self, model: Model, pipe: Any, answer: Any) -> base.Verdict:
        labels = self.labels(model)
        judge.require(isinstance(answer, list) and len(answer) == len(labels), f"answer {answer!r}")
        for item in answer:
            judge.keys(item, ("label", "score"), "answer")
        self.judge_labels(labels, answer)
        values = [item["score"] for item in answer]
        judge.scores(values, "answer", sum_to=None if model.scores == "independent" else 1.0)
        predictions = tuple({"label": item["label"], "score": item["score"]} for item in answer)
        return self.verdict(labels, predictions)

    def best(self, subject: base.Subject, place: base.Place, labels: list[str], image: Any) -> int:
        found = subject.network(**place(self._encoded(subject, labels, images=image)))
        return int(found.logits_per_image[0].argmax())


def names(outputs: Any, seen: str) -> tuple[str, str, str]:
    """What outputs call their logits, the embeddings of what is ``seen``, and those of texts.

    Where texts have embeddings for each of several others, all are named after both. What is also
    heard is then named after all that it is, sound first.
    """
    end = f"{seen}_text"
    both = [name for name in outputs if name.startswith(LOGITS) and name.endswith(end)]
    if not both:
        return f"{LOGITS}per_{seen}", f"{seen}{EMBEDDINGS}", f"text{EMBEDDINGS}"
    longest = max(both, key=len)
    own = longest.removeprefix(LOGITS).removesuffix("_text")
    return longest, f"{own}{EMBEDDINGS}", f"text_{own}{EMBEDDINGS}"
