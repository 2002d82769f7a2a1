"""scene-text-recognition: the text in a photograph, in tokens of several vocabularies at once."""

from __future__ import annotations

from typing import Any

from hf_tests.outcome import Example
from hf_tests.probe import judge
from hf_tests.probe.tasks import base
from hf_tests.probe.tasks.image_classification import INPUT, ImageClassification


class SceneTextRecognition(ImageClassification):
    """Readers of all tokens of a short text in one pass. transformers has no such pipeline.

    A processor that turns tokens into words asks the Hub for others' vocabularies, so predictions
    are the tokens' numbers.
    """

    name = "scene-text-recognition"
    openvino_class = "OVModelForSceneTextRecognition"

    def compared(self, outputs: Any) -> dict[str, Any]:
        return {f"logits.{place}": item for place, item in enumerate(_all(outputs))}

    def answer(self, outputs: Any) -> Any:
        return _all(outputs)[0]

    def judge(self, subject: base.Subject, inputs: dict[str, Any], outputs: Any) -> base.Verdict:
        length = subject.config.max_token_length
        predictions = []
        for name, found in self.compared(outputs).items():
            logits = found.float().cpu()
            judge.shape(logits, (1, length, None), name)
            judge.finite(logits, name)
            judge.varied(logits, name)
            predictions.append(
                {"vocabulary": logits.shape[-1], "tokens": logits[0].argmax(-1).tolist()}
            )
        return base.Verdict(tuple(predictions), Example(INPUT, predictions[0]))


def _all(outputs: Any) -> list[Any]:
    """Logits of each vocabulary; what was converted has each by itself."""
    if "logits" in outputs and isinstance(outputs["logits"], (list, tuple)):
        return list(outputs["logits"])
    return [item for name, item in outputs.items() if name.startswith("logits.")]
