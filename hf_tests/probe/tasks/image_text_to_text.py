"""image-text-to-text: a language model answers about an image."""

from __future__ import annotations

from typing import Any

from hf_tests.outcome import Example
from hf_tests.probe import judge, samples
from hf_tests.probe.tasks import base, generation
from hf_tests.registry import Model

PROMPT = "USER: {image} What is in this picture? ASSISTANT:"


class ImageTextToText(base.Task):
    """Models that read an image and a prompt and write text."""

    name = "image-text-to-text"
    processor_class = "AutoProcessor"
    openvino_class = "OVModelForVisualCausalLM"

    def prompt(self, model: Model, processor: Any) -> str:
        """The model's sample prompt, with the processor's own image token."""
        token = getattr(processor, "image_token", "<image>")
        return str(model.samples.get("text", PROMPT)).replace("{image}", str(token))

    def work(self, model: Model) -> base.Work:
        return base.Work(base.NEW_TOKENS, "tokens")

    def inputs(self, subject: base.Subject) -> dict[str, Any]:
        prompt = self.prompt(subject.model, subject.processor)
        return dict(subject.processor(images=samples.image(), text=prompt, return_tensors="pt"))

    def run(self, subject: base.Subject, inputs: dict[str, Any]) -> Any:
        return generation.generate_with_logits(subject, inputs)

    def generated(self, outputs: Any) -> Any:
        return generation.last_tokens(outputs.sequences)

    def forced(self, subject: base.Subject, inputs: dict[str, Any], tokens: Any) -> dict[str, Any]:
        return generation.logits_of_new(subject.network(**generation.continued(inputs, tokens)))

    def judge(self, subject: base.Subject, inputs: dict[str, Any], outputs: Any) -> base.Verdict:
        prompt = inputs["input_ids"].shape[1]
        if outputs.sequences.shape[1] == base.NEW_TOKENS:
            prompt = (
                0  # OpenVINO's models return the new tokens alone, as they start from embeddings
            )
        ids = generation.judge_generated(subject, outputs, prompt)
        text = base.tokenizer_of(subject.processor).decode(ids, skip_special_tokens=True)
        prediction = {"text": base.short(text), "token_ids": ids}
        example = Example(self.prompt(subject.model, subject.processor), base.short(text))
        return base.Verdict((prediction,), example)

    def call(self, model: Model, pipe: Any) -> Any:
        prompt = self.prompt(model, pipe.processor)
        return pipe(
            images=samples.image(), text=prompt, generate_kwargs=generation.greedy(pipe.tokenizer)
        )

    def judge_answer(self, model: Model, pipe: Any, answer: Any) -> base.Verdict:
        if isinstance(answer, dict):  # one of a batch's answers
            answer = [answer]
        judge.require(isinstance(answer, list) and len(answer) == 1, f"answer {answer!r}")
        judge.keys(answer[0], ("input_text", "generated_text"), "answer")
        prompt = self.prompt(model, pipe.processor)
        text = base.short(generation.judge_text(answer[0]["generated_text"], prompt))
        return base.Verdict(({"text": text},), Example(prompt, text))
