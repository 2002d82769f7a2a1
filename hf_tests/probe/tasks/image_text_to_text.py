"""image-text-to-text: a language model answers about an image."""

from __future__ import annotations

import re
from typing import Any

from hf_tests.outcome import Example
from hf_tests.probe import classes, judge, samples
from hf_tests.probe.tasks import base, generation
from hf_tests.registry import Model

PROMPT = "USER: {image} What is in this picture? ASSISTANT:"
PLACE = re.compile(r"\{(\w+)\}")

KINDS = "mm_token_type_ids"
"""What each token of a prompt is: text, or a part of an image, a video or a sound."""


def asked(model: Model, processor: Any) -> dict[str, bool]:
    """Arguments by which a processor gives the kinds of tokens, where the network takes them.

    Some say that they give them, and do so only where they are told to.
    """
    gives = KINDS in getattr(processor, "model_input_names", ())
    taken = gives and KINDS in classes.parameters_of(model.class_name)
    return {f"return_{KINDS}": True} if taken else {}


class ImageTextToText(generation.Generating):
    """Models that read an image and a prompt and write text."""

    name = "image-text-to-text"
    processor_class = "AutoProcessor"
    openvino_class = "OVModelForVisualCausalLM"
    openvino_alternatives: tuple[str, ...] = ("OVModelForImageTextToText",)
    sample_text = PROMPT

    def prompt(self, model: Model, processor: Any) -> str:
        """The model's sample prompt, with the processor's own tokens (``{image}``); or empty."""
        text = self.text(model)
        return PLACE.sub(
            lambda found: str(getattr(processor, f"{found[1]}_token", f"<{found[1]}>")), text
        )

    def picture(self, model: Model) -> Any:
        """The model's sample image, or the frames of its sample video."""
        frames = model.samples.get("frames")
        return samples.image() if frames is None else samples.video(frames)

    def inputs(self, subject: base.Subject) -> dict[str, Any]:
        prompt = self.prompt(subject.model, subject.processor)
        text = prompt or None
        picture = self.picture(subject.model)
        more = asked(subject.model, subject.processor)
        given = dict(subject.processor(images=picture, text=text, return_tensors="pt", **more))
        # Some give an image in bfloat16, whatever the network computes in.
        return {
            name: value.float() if base.is_floating(value) else value
            for name, value in given.items()
        }

    def one_pass(self, subject: base.Subject, inputs: dict[str, Any]) -> dict[str, Any]:
        if not generation.is_started(subject.config):
            return inputs
        return generation.at_start(subject, inputs)

    def forced(self, subject: base.Subject, inputs: dict[str, Any], tokens: Any) -> dict[str, Any]:
        if generation.is_started(subject.config):
            outputs = subject.network(**generation.started(subject, inputs, tokens))
            return {"logits": outputs.logits}
        network = generation.speaking(subject.network)
        return generation.logits_of_new(network(**generation.continued(inputs, tokens)))

    def judge(self, subject: base.Subject, inputs: dict[str, Any], outputs: Any) -> base.Verdict:
        prompt = outputs.sequences.shape[1] - base.NEW_TOKENS
        lengths = self._prompt_lengths(subject, inputs)
        judge.require(prompt in lengths, f"{prompt} tokens before the new ones, not {lengths}")
        ids = generation.judge_generated(subject, outputs, prompt)
        text = base.tokenizer_of(subject.processor).decode(ids, skip_special_tokens=True)
        prediction = {"text": base.short(text), "token_ids": ids}
        example = Example(self.prompt(subject.model, subject.processor), base.short(text))
        return base.Verdict((prediction,), example)

    def _prompt_lengths(self, subject: base.Subject, inputs: dict[str, Any]) -> tuple[int, ...]:
        """How many tokens may stand before the new ones.

        What starts from embeddings, as OpenVINO's models do, returns the new ones alone; the token
        that ends the prompt's sequence may be left out.
        """
        if generation.is_started(subject.config):
            return (1,)
        ids = inputs["input_ids"]
        tokenizer = base.tokenizer_of(subject.processor)
        ends = [getattr(tokenizer, f"{role}_token_id", None) for role in ("sep", "eos")]
        is_ended = int(ids[0, -1]) in ends
        return (0, ids.shape[1], ids.shape[1] - is_ended)

    def call(self, model: Model, pipe: Any) -> Any:
        prompt = self.prompt(model, pipe.processor)
        settings = generation.greedy(pipe.tokenizer)
        return pipe(images=self.picture(model), text=prompt, generate_kwargs=settings)

    def judge_answer(self, model: Model, pipe: Any, answer: Any) -> base.Verdict:
        if isinstance(answer, dict):  # one of a batch's answers
            answer = [answer]
        judge.require(isinstance(answer, list) and len(answer) == 1, f"answer {answer!r}")
        judge.keys(answer[0], ("input_text", "generated_text"), "answer")
        prompt = self.prompt(model, pipe.processor)
        text = base.short(generation.judge_text(answer[0]["generated_text"], prompt))
        return base.Verdict(({"text": text},), Example(prompt, text))
