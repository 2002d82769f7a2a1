"""One pass of a model that generates over tokens that are given: what no loop is needed for."""

from __future__ import annotations

from typing import Any

from hf_tests.outcome import Example
from hf_tests.probe import judge
from hf_tests.probe.tasks import base, generation
from hf_tests.registry import Model

TOKENS = "forced_tokens"
"""The tokens' name among the inputs: no argument of the network, but what the task puts there."""

OTHER_TEXT = "There is a house on the hill, and nobody has ever seen who lives in it."

SAMPLE = "the sample's own beginning"


class ForcedPass(base.Task):
    """A generating task where it is one call of the network, over the reference's own tokens.

    Its logits are held against the reference's as those of a network that generates are; that it
    would choose the same tokens by itself is not tried.
    """

    def __init__(self, task: base.Task) -> None:
        self.name = task.name
        self.processor_class = task.processor_class
        self.openvino_class = task.openvino_class
        self._task = task

    def work(self, model: Model) -> base.Work:
        return base.Work(1, "passes")

    def inputs(self, subject: base.Subject) -> dict[str, Any]:
        raise NotImplementedError("tokens are put to inputs that the task itself has made")

    def part(self, network: Any, processor: Any) -> Any:
        del processor
        return generation.speaking(network)

    def run(self, subject: base.Subject, inputs: dict[str, Any]) -> Any:
        given = dict(inputs)
        tokens = given.pop(TOKENS)
        return self._task.forced(subject, given, tokens)

    def judge(self, subject: base.Subject, inputs: dict[str, Any], outputs: Any) -> base.Verdict:
        logits = outputs["logits"].float().cpu()
        rows, steps = inputs[TOKENS].shape
        judge.shape(logits, (rows, None, base.vocabulary_size(subject.config)), "logits")
        judge.require(logits.shape[1] >= steps, f"logits of {logits.shape[1]} steps, not {steps}")
        judge.finite(logits, "logits")
        judge.varied(logits, "logits")
        ids = logits[0, -steps:].argmax(-1).tolist()
        text = base.tokenizer_of(subject.processor).decode(ids, skip_special_tokens=True)
        prediction = {"next_tokens": ids, "text": base.short(text)}
        return base.Verdict((prediction,), Example(SAMPLE, base.short(text)))

    def call(self, model: Model, pipe: Any) -> Any:
        raise NotImplementedError("pipelines generate")

    def judge_answer(self, model: Model, pipe: Any, answer: Any) -> base.Verdict:
        raise NotImplementedError("pipelines generate")


def with_other_tokens(inputs: dict[str, Any], processor: Any) -> dict[str, Any]:
    """The inputs with tokens of another text, as many: a sample to make a graph with.

    A graph that has kept its sample is then wrong on the inputs themselves.
    """
    import torch

    if TOKENS not in inputs:
        return inputs
    tokens = inputs[TOKENS]
    tokenizer = base.tokenizer_of(processor)
    special = set(tokenizer.all_special_ids)
    ids = tokenizer.encode(OTHER_TEXT, add_special_tokens=False)
    known = [number for number in ids if number not in special] or tokens[0].flip(0).tolist()
    other = (known * tokens.shape[1])[: tokens.shape[1]]
    return {**inputs, TOKENS: torch.tensor([other]).repeat(len(tokens), 1)}
