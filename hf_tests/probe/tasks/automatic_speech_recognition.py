"""automatic-speech-recognition: a transcript, written by a decoder or read off CTC frames."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hf_tests.outcome import Example
from hf_tests.probe import judge
from hf_tests.probe.tasks import base, generation, in_step, sounds
from hf_tests.registry import Model

SCORES_FRAMES = "ForCTC"
"""How the names of classes end that score frames: some of them have a ``generate`` too."""


class AutomaticSpeechRecognition(base.Task):
    """Speech models: those that can generate, and those that score every frame (CTC).

    A transducer does both: it scores every frame behind each text, and writes none or more tokens
    before it goes on to the next frame.
    """

    name = "automatic-speech-recognition"
    processor_class = "AutoProcessor"
    openvino_class = "OVModelForSpeechSeq2Seq"

    def openvino_class_for(self, class_name: str) -> str:
        return "OVModelForCTC" if class_name.endswith(SCORES_FRAMES) else self.openvino_class

    def work(self, model: Model) -> base.Work:
        return base.Work(sounds.seconds(model), "audio seconds")

    def inputs(self, subject: base.Subject) -> dict[str, Any]:
        heard = sounds.sample(subject.model, subject.processor)
        return sounds.given(subject.model, subject.processor, heard)

    def one_pass(self, subject: base.Subject, inputs: dict[str, Any]) -> dict[str, Any]:
        if not _generates(subject.model) or sounds.is_read_first(subject.model):
            return inputs
        return generation.at_start(subject, inputs)

    def run(self, subject: base.Subject, inputs: dict[str, Any]) -> Any:
        if _transduces(subject.network):
            return subject.network.generate(**inputs, max_new_tokens=base.NEW_TOKENS).sequences
        if _generates(subject.model):
            # The tokens alone: not every speech model can return the logits of its steps.
            return generation.generate(subject, inputs)
        return subject.network(**inputs)

    def generated(self, outputs: Any) -> Any:
        return None if hasattr(outputs, "logits") else generation.last_tokens(outputs)

    def forced(self, subject: base.Subject, inputs: dict[str, Any], tokens: Any) -> dict[str, Any]:
        if sounds.is_read_first(subject.model):
            given = in_step.arguments(subject, inputs, tokens)
        else:
            given = generation.started(subject, inputs, tokens)
        logits = subject.network(**given).logits
        # A transducer's are those of every frame behind every beginning of the text.
        return {"logits": logits if logits.dim() > 3 else logits[:, -tokens.shape[1] :]}

    def pass_inputs(
        self, model: Model, load: Callable[[], base.Subject], inputs: dict[str, Any], tokens: Any
    ) -> dict[str, Any]:
        if sounds.is_read_first(model):
            return in_step.arguments(load(), inputs, tokens)
        return inputs

    def judge(self, subject: base.Subject, inputs: dict[str, Any], outputs: Any) -> base.Verdict:
        size = base.vocabulary_size(subject.config)
        if _generates(subject.model):
            ids = [int(token) for token in outputs[0]]
            judge.require(len(ids) >= base.NEW_TOKENS, f"only {len(ids)} tokens were generated")
            logits = self.forced(subject, inputs, outputs[:, -1:])["logits"].float().cpu()
            # Some transducers score behind the tokens how many frames to go on.
            steps = len(getattr(subject.config, "durations", ()))
            judge.shape(logits, (1, None, size + steps), "logits of the first step")
        else:
            logits = outputs.logits.float().cpu()
            judge.shape(logits, (1, None, size), "logits")
            judge.require(logits.shape[1] > 0, "no frames of logits")
            ids = logits[0].argmax(-1).tolist()
        judge.finite(logits, "logits")
        judge.varied(logits, "logits")
        judge.require(
            all(0 <= token < size for token in ids), f"token ids {ids} outside [0, {size})"
        )
        text = base.tokenizer_of(subject.processor).decode(ids, skip_special_tokens=True)
        return self._verdict(subject.model, text)

    def call(self, model: Model, pipe: Any) -> Any:
        rate = sounds.rate(pipe.feature_extractor)
        sound = {"raw": sounds.sample(model, pipe.feature_extractor), "sampling_rate": rate}
        if _generates(model):
            return pipe(sound, generate_kwargs=generation.greedy(pipe.tokenizer))
        return pipe(sound)

    def judge_answer(self, model: Model, pipe: Any, answer: Any) -> base.Verdict:
        judge.keys(answer, ("text",), "answer")
        return self._verdict(model, answer["text"])

    def _verdict(self, model: Model, text: Any) -> base.Verdict:
        judge.require(isinstance(text, str), f"the transcript is a {type(text).__name__}")
        said = f"{sounds.seconds(model):g} s of a made sound"
        return base.Verdict(({"text": base.short(text)},), Example(said, base.short(text)))


def _generates(model: Model) -> bool:
    """Whether the transcript is written token by token."""
    return not model.class_name.endswith(SCORES_FRAMES)


def _transduces(network: Any) -> bool:
    """Whether it writes a blank where it goes on to the next frame of the sound."""
    config = network.config
    return bool(config.is_encoder_decoder) and hasattr(config, "blank_token_id")
