"""document-text-generation: what a sequence-to-sequence model writes about a page."""

from __future__ import annotations

from typing import Any

from hf_tests.probe.tasks import base
from hf_tests.probe.tasks.document_question_answering import encoded
from hf_tests.probe.tasks.text2text_generation import Text2TextGeneration
from hf_tests.registry import Model

PROMPT = "Question answering. What is the total?"


class DocumentTextGeneration(Text2TextGeneration):
    """Sequence-to-sequence readers of a page's words, their boxes and the page's image.

    transformers has no pipeline that gives them boxes.
    """

    name = "document-text-generation"
    processor_class = "AutoProcessor"
    openvino_class = "OVModelForDocumentTextGeneration"
    sample_text = PROMPT

    def inputs(self, subject: base.Subject) -> dict[str, Any]:
        return encoded(subject.model, subject.processor, self.text(subject.model))

    def call(self, model: Model, pipe: Any) -> Any:
        raise NotImplementedError(f"transformers has no {self.name} pipeline")

    def judge_answer(self, model: Model, pipe: Any, answer: Any) -> base.Verdict:
        raise NotImplementedError(f"transformers has no {self.name} pipeline")
