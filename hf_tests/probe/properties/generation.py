"""Properties of what generates tokens: cache, padding of a batch, greedy choice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hf_tests.probe.judge import require
from hf_tests.probe.properties.base import Loaded, calls
from hf_tests.probe.properties.text import LONG, SHORT
from hf_tests.probe.tasks import generation

STEPS = 4
SEEDS = (1, 2)


def cache_changes_nothing(loaded: Loaded) -> None:
    """Each new token's logits are the same with the key-value cache and without."""
    with calls(generation.generating(loaded.network)) as seen:
        cached = generate(loaded, loaded.inputs, use_cache=True)
    names = ("decoder_input_ids", "input_ids", "inputs_embeds")
    given = [[call[name] for name in names if call.get(name) is not None] for call in seen]
    read = [tensors[0].shape[1] for tensors in given if tensors]
    require(read[1:] == [1] * (STEPS - 1), f"tokens read a step with a cache: {read}")
    plain = generate(loaded, loaded.inputs, use_cache=False)
    same_steps(loaded, cached, plain, "logits with a cache differ from those without")


def left_padding_changes_nothing(loaded: Loaded) -> None:
    """A prompt is continued alike alone and padded on the left beside a longer one."""
    import torch

    short, long = (loaded.encode(text)["input_ids"] for text in (SHORT, LONG))
    missing = long.shape[1] - short.shape[1]
    filler = loaded.tokenizer.pad_token_id or loaded.tokenizer.eos_token_id or 0
    padded = torch.nn.functional.pad(short, (missing, 0), value=filler)
    mask = torch.nn.functional.pad(torch.ones_like(short), (missing, 0))
    both = {
        "input_ids": torch.cat([padded, long]),
        "attention_mask": torch.cat([mask, torch.ones_like(long)]),
    }
    alone = {"input_ids": short, "attention_mask": torch.ones_like(short)}
    found, wanted = (generate(loaded, inputs) for inputs in (both, alone))
    same_steps(loaded, found, wanted, "logits behind a padded prompt differ")


def greedy_choice_is_the_likeliest(loaded: Loaded) -> None:
    """Greedy decoding takes the likeliest token at every step, whatever the random state."""
    import torch

    devices = [loaded.network.device] if loaded.network.device.type == "cuda" else []
    found = []
    with torch.random.fork_rng(devices=devices):
        for seed in SEEDS:
            torch.manual_seed(seed)
            found.append(generate(loaded, loaded.inputs, output_scores=True))
    first, second = (outputs.sequences[0, -STEPS:].tolist() for outputs in found)
    require(first == second, f"greedy decoding gave {first}, then {second}")
    likeliest = [int(scores[0].argmax()) for scores in found[0].scores]
    require(first == likeliest, f"greedy decoding gave {first}, the likeliest are {likeliest}")


def encoder_runs_once(loaded: Loaded) -> None:
    """Generation runs the encoder once, not at every step."""
    with calls(loaded.network.get_encoder()) as seen:
        generate(loaded, loaded.inputs)
    require(len(seen) == 1, f"the encoder ran {len(seen)} times for {STEPS} tokens")


def generate(loaded: Loaded, inputs: Mapping[str, Any], **settings: Any) -> Any:
    """STEPS tokens, greedily, with the logits of each."""
    settings = {
        **generation.greedy(loaded.tokenizer),
        "min_new_tokens": STEPS,
        "max_new_tokens": STEPS,
        **settings,
    }
    return loaded.network.generate(
        **inputs, **settings, return_dict_in_generate=True, output_logits=True
    )


def same_steps(loaded: Loaded, found: Any, wanted: Any, what: str) -> None:
    """The first rows' logits agree, step by step, up to where another token was chosen.

    Two that are nearly as likely may change places; what follows is another text then.
    """
    steps = len(wanted.logits)
    tokens = [outputs.sequences[0, -steps:].tolist() for outputs in (found, wanted)]
    for step in range(steps):
        loaded.same(found.logits[step][0], wanted.logits[step][0], f"{what}, step {step}")
        if tokens[0][step] != tokens[1][step]:
            break
