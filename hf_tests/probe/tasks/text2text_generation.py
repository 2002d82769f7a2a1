"""text2text-generation: an encoder-decoder maps a text to a text."""

from __future__ import annotations

from typing import Any

from hf_tests.outcome import Example
from hf_tests.probe import judge
from hf_tests.probe.tasks import base, generation
from hf_tests.registry import Model

TEXT = "translate English to German: The house is small and the garden is wide."


class Text2TextGeneration(generation.Generating):
    """Sequence-to-sequence language models. transformers 5 has no such pipeline."""

    name = "text2text-generation"
    processor_class = "AutoTokenizer"
    openvino_class = "OVModelForSeq2SeqLM"
    sample_text = TEXT

    def inputs(self, subject: base.Subject) -> dict[str, Any]:
        return dict(subject.processor(self.text(subject.model), return_tensors="pt"))

    def forced(self, subject: base.Subject, inputs: dict[str, Any], tokens: Any) -> dict[str, Any]:
        outputs = subject.network(**generation.started(subject, inputs, tokens))
        return {"logits": outputs.logits}

    def judge(self, subject: base.Subject, inputs: dict[str, Any], outputs: Any) -> base.Verdict:
        start = generation.first_token(subject)
        judge.require(
            int(outputs.sequences[0, 0]) == start, "decoding did not begin with its start token"
        )
        ids = generation.judge_generated(subject, outputs, prompt_tokens=1)
        text = subject.processor.decode(ids, skip_special_tokens=True)
        generation.judge_text(text, "")
        prediction = {"text": base.short(text), "token_ids": ids}
        return base.Verdict((prediction,), Example(self.text(subject.model), base.short(text)))

    def call(self, model: Model, pipe: Any) -> Any:
        return pipe(self.text(model), **generation.greedy(pipe.tokenizer))

    def judge_answer(self, model: Model, pipe: Any, answer: Any) -> base.Verdict:
        judge.require(isinstance(answer, list) and len(answer) == 1, f"answer {answer!r}")
        judge.keys(answer[0], ("generated_text",), "answer")
        text = base.short(generation.judge_text(answer[0]["generated_text"], ""))
        return base.Verdict(({"text": text},), Example(self.text(model), text))

    def reply(self, subject: base.Subject, place: base.Place, question: str, expected: str) -> str:
        inputs = place(subject.processor(question, return_tensors="pt"))
        return generation.reply(subject, inputs, expected, is_prompt=False)
