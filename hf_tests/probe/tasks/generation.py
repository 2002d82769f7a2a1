"""What all generating tasks share: greedy decoding with the logits of every step."""

from __future__ import annotations

from typing import Any

from hf_tests.probe import judge
from hf_tests.probe.tasks import base
from hf_tests.probe.timing import Watch
from hf_tests.registry import Model

IDS = "input_ids"

TYPES = ("token_type_ids", "_position_mask")
"""Endings of names of what an input says of each of its tokens."""

MORE_TOKENS = 2
"""An answer may be cut into tokens otherwise than its own text is."""


class Generating(base.Task):
    """A task whose models answer with a text, token by token."""

    def work(self, model: Model) -> base.Work:
        return base.Work(base.NEW_TOKENS, "tokens")

    def run(self, subject: base.Subject, inputs: dict[str, Any]) -> Any:
        return generate_with_logits(subject, inputs)

    def generated(self, outputs: Any) -> Any:
        return last_tokens(outputs.sequences)


def greedy(tokenizer: Any) -> dict[str, Any]:
    """Arguments of ``generate`` for greedy decoding of exactly NEW_TOKENS readable tokens.

    The same work is then timed on every device, and there is text to judge: an end of sequence
    would cut it short, and a special token is no text.
    """
    settings: dict[str, Any] = {
        "do_sample": False,
        "num_beams": 1,
        "min_new_tokens": base.NEW_TOKENS,
        "max_new_tokens": base.NEW_TOKENS,
        "suppress_tokens": sorted(set(tokenizer.all_special_ids)),
        "forced_eos_token_id": None,
    }
    if tokenizer.pad_token_id is None:
        settings["pad_token_id"] = tokenizer.eos_token_id
    return settings


def generate(subject: base.Subject, inputs: dict[str, Any], **more: Any) -> Any:
    """Greedy generation, as ``generate`` returns it; ``more`` are further arguments of it."""
    settings = {**greedy(base.tokenizer_of(subject.processor)), **more}
    if subject.watch is not None:
        settings["stopping_criteria"] = [_Marking(subject.watch)]
    # Some put their first token into the very tensor that they are given.
    own = {name: value.clone() for name, value in inputs.items() if name == IDS}
    return speaking(subject.network).generate(**{**inputs, **own}, **settings)


def generate_with_logits(subject: base.Subject, inputs: dict[str, Any]) -> Any:
    """Greedy generation; returns a ModelOutput with ``sequences`` and ``logits`` a step."""
    return generate(subject, inputs, return_dict_in_generate=True, output_logits=True)


def reply(subject: base.Subject, inputs: dict[str, Any], expected: str, is_prompt: bool) -> str:
    """What it generates greedily, a little longer than the expected text.

    With ``is_prompt`` the inputs stand at the beginning of what ``generate`` returns.
    """
    tokenizer = base.tokenizer_of(subject.processor)
    length = len(tokenizer.encode(expected, add_special_tokens=False)) + MORE_TOKENS
    settings: dict[str, Any] = {"do_sample": False, "num_beams": 1, "max_new_tokens": length}
    if tokenizer.pad_token_id is None:
        settings["pad_token_id"] = tokenizer.eos_token_id
    found = subject.network.generate(**inputs, **settings)[0]
    new = found[inputs[IDS].shape[1] :] if is_prompt else found
    return str(tokenizer.decode(new, skip_special_tokens=True))


class _Marking:
    """A stopping criterion that never stops: ``generate`` asks it whenever it has a new token."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch

    def __call__(self, input_ids: Any, scores: Any, **more: Any) -> Any:
        import torch

        self._watch.mark()
        return torch.zeros(input_ids.shape[0], dtype=torch.bool, device=input_ids.device)


def last_tokens(sequences: Any) -> Any:
    """The ids that were generated, shape (batch, NEW_TOKENS), whatever stands before them."""
    return sequences[:, -base.NEW_TOKENS :].cpu()


def continued(inputs: dict[str, Any], tokens: Any) -> dict[str, Any]:
    """A decoder's inputs with tokens behind its prompt, which are of type 0: text.

    What else there is of each of the prompt's tokens, such as the images that it sees, they have of
    the last.
    """
    import torch

    ids = inputs[IDS]
    tokens = tokens.to(ids.device)
    given = {"attention_mask": torch.ones_like(ids), **inputs, IDS: ids}
    for name, value in given.items():
        is_said = getattr(value, "shape", ())[:2] == ids.shape  # of each token
        if is_said and not base.is_floating(value):
            last = value[:, -1:].expand(-1, tokens.shape[1], *value.shape[2:])
            new = torch.zeros_like(tokens) if name.endswith(TYPES) else last
            given[name] = torch.cat([value, tokens if name == IDS else new], 1)
    return given


def speaking(network: Any) -> Any:
    """The network, or where that has no forward of its own the part of it that generates a text."""
    import torch

    forward = getattr(type(network), "forward", None)
    return generating(network) if forward is torch.nn.Module.forward else network


def generating(network: Any) -> Any:
    """The innermost part of a network that generates: some leave it to a language model inside."""
    able = [part for part in network.modules() if getattr(part, "can_generate", bool)()]
    return able[-1] if able else network


def is_started(config: Any) -> bool:
    """Whether a decoder of its own is started, and no prompt continued."""
    return bool(config.is_encoder_decoder or config.get_text_config().is_encoder_decoder)


def first_token(subject: base.Subject) -> int:
    """The id that ``generate`` starts an encoder-decoder's decoder with.

    As transformers' ``GenerationMixin`` finds it: where none is set, the beginning of a sequence.
    """
    settings = subject.network.generation_config
    decoder = subject.config.get_text_config(decoder=True)
    own = (settings.decoder_start_token_id, getattr(decoder, "decoder_start_token_id", None))
    return int(next((start for start in own if start is not None), settings.bos_token_id))


def started(subject: base.Subject, inputs: dict[str, Any], tokens: Any) -> dict[str, Any]:
    """An encoder-decoder's inputs with the decoder at its start and all tokens but the last.

    Some processors give the decoder's start: it tells what is asked for.
    """
    import torch

    start = inputs.get("decoder_input_ids")
    if start is None:
        start = torch.full_like(tokens[:, :1], first_token(subject))
    start = start.to(tokens.device)
    ids = torch.cat([start, tokens[:, :-1]], 1).to(subject.network.device)
    return {**inputs, "decoder_input_ids": ids}


def at_start(subject: base.Subject, inputs: dict[str, Any]) -> dict[str, Any]:
    """An encoder-decoder's inputs with the decoder at its start alone."""
    import torch

    rows = len(next(iter(inputs.values())))
    return started(subject, inputs, torch.zeros(rows, 1, dtype=torch.long))


def logits_of_new(outputs: Any) -> dict[str, Any]:
    """The logits from which each new token was chosen, shape (batch, NEW_TOKENS, vocabulary)."""
    return {"logits": outputs.logits[:, -base.NEW_TOKENS - 1 : -1]}


def judge_generated(subject: base.Subject, outputs: Any, prompt_tokens: int) -> list[int]:
    """Assert shapes, finite logits and ids in range; returns the new tokens' ids.

    ``prompt_tokens`` of each sequence are the prompt, or the decoder's start.
    """
    size = base.vocabulary_size(subject.config)
    judge.require(len(outputs.logits) == base.NEW_TOKENS, f"{len(outputs.logits)} steps of logits")
    for step, logits in enumerate(outputs.logits):
        judge.shape(logits, (1, size), f"logits of step {step}")
        judge.finite(logits, f"logits of step {step}")
        judge.varied(logits, f"logits of step {step}")
    judge.shape(outputs.sequences, (1, prompt_tokens + base.NEW_TOKENS), "sequences")
    ids = [int(token) for token in outputs.sequences[0, prompt_tokens:]]
    judge.require(all(0 <= token < size for token in ids), f"token ids {ids} outside [0, {size})")
    return ids


def judge_text(text: Any, prompt: str) -> str:
    """A generated text is text and longer than its prompt; returns what is new in it."""
    judge.require(isinstance(text, str), f"generated text is a {type(text).__name__}")
    judge.require(
        len(text) > len(prompt), f"generated text {text!r} is no longer than its prompt {prompt!r}"
    )
    return str(text[len(prompt) :] if text.startswith(prompt) else text)
