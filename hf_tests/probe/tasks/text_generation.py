"""text-generation: a causal language model continues a prompt."""

from __future__ import annotations

import math
from typing import Any

from hf_tests.outcome import Accuracy, Example
from hf_tests.probe import judge, labelled
from hf_tests.probe.tasks import base, generation
from hf_tests.registry import Model

LARGEST = 700.0  # e to the power of more is beyond a float
PROMPT = "Once upon a time, a small robot"


class TextGeneration(generation.Generating):
    """Causal language models."""

    name = "text-generation"
    processor_class = "AutoTokenizer"
    openvino_class = "OVModelForCausalLM"
    sample_text = PROMPT
    continues_its_input = True

    def inputs(self, subject: base.Subject) -> dict[str, Any]:
        return dict(subject.processor(self.text(subject.model), return_tensors="pt"))

    def forced(self, subject: base.Subject, inputs: dict[str, Any], tokens: Any) -> dict[str, Any]:
        return generation.logits_of_new(subject.network(**generation.continued(inputs, tokens)))

    def judge(self, subject: base.Subject, inputs: dict[str, Any], outputs: Any) -> base.Verdict:
        length = inputs["input_ids"].shape[1]
        ids = generation.judge_generated(subject, outputs, length)
        judge.require(
            bool((outputs.sequences[0, :length].cpu() == inputs["input_ids"][0].cpu()).all()),
            "the generated sequence does not start with its prompt",
        )
        text = subject.processor.decode(ids, skip_special_tokens=True)
        prediction = {"text": base.short(text), "token_ids": ids}
        return base.Verdict((prediction,), Example(self.text(subject.model), base.short(text)))

    def call(self, model: Model, pipe: Any) -> Any:
        return pipe(self.text(model), **generation.greedy(pipe.tokenizer), return_full_text=True)

    def judge_answer(self, model: Model, pipe: Any, answer: Any) -> base.Verdict:
        judge.require(isinstance(answer, list) and len(answer) == 1, f"answer {answer!r}")
        judge.keys(answer[0], ("generated_text",), "answer")
        prompt = self.text(model)
        judge.require(answer[0]["generated_text"].startswith(prompt), "the prompt is not its start")
        text = base.short(generation.judge_text(answer[0]["generated_text"], prompt))
        return base.Verdict(({"text": text},), Example(prompt, text))

    def reply(self, subject: base.Subject, place: base.Place, question: str, expected: str) -> str:
        inputs = place(subject.processor(question, return_tensors="pt"))
        return generation.reply(subject, inputs, expected, is_prompt=True)

    def accuracy(self, subject: base.Subject, place: base.Place) -> Accuracy | None:
        """Perplexity of a short text: e to the mean negative log likelihood of its tokens.

        The first token has nothing before it and is not counted.
        """
        import torch

        most = getattr(subject.config.get_text_config(), "max_position_embeddings", None)
        limit = {"truncation": True, "max_length": most} if most else {}
        encoded = subject.processor(labelled.TEXT, return_tensors="pt", **limit)
        logits = subject.network(**place(encoded)).logits.float().cpu()[0, :-1]
        wanted = encoded["input_ids"][0, 1:]
        loss = float(torch.nn.functional.cross_entropy(logits, wanted))
        judge.require(math.isfinite(loss), "the likelihood of a short text is not a number")
        return Accuracy("a short text", math.exp(min(loss, LARGEST)), len(wanted), "perplexity")
