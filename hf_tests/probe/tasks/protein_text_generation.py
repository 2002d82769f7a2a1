"""protein-text-generation: a language model answers about a protein."""

from __future__ import annotations

from typing import Any

from hf_tests.probe.tasks import base
from hf_tests.probe.tasks.text_generation import TextGeneration
from hf_tests.registry import Model

QUESTION = "What is the function of this protein?"
PROTEIN = {"aa_seq": "MALEKSLVRLLLLVL", "foldseek": "DPPVVVVVVVVVVVV"}
"""A chain of amino acids, and for each of them the letter of its place in space."""


class ProteinTextGeneration(TextGeneration):
    """Causal language models that read a protein beside a chat.

    transformers has no such pipeline.
    """

    name = "protein-text-generation"
    processor_class = "AutoProcessor"
    openvino_class = "OVModelForProteinText2Text"
    sample_text = QUESTION
    continues_its_input = False

    def inputs(self, subject: base.Subject) -> dict[str, Any]:
        chat = [{"role": "user", "content": self.text(subject.model)}]
        return dict(subject.processor(proteins=[PROTEIN], messages_list=[chat]))

    def call(self, model: Model, pipe: Any) -> Any:
        raise NotImplementedError(f"transformers has no {self.name} pipeline")

    def judge_answer(self, model: Model, pipe: Any, answer: Any) -> base.Verdict:
        raise NotImplementedError(f"transformers has no {self.name} pipeline")

    def accuracy(self, subject: base.Subject, place: base.Place) -> None:
        """None: there is no protein in a short text."""
