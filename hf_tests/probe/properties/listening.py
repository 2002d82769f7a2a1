"""Properties of language models that hear a sound as tokens."""

from __future__ import annotations

from typing import Any

from hf_tests.probe import samples
from hf_tests.probe.judge import require
from hf_tests.probe.properties import speech
from hf_tests.probe.properties.base import Loaded, calls
from hf_tests.probe.tasks import any_to_any, sounds


def a_sound_takes_the_places_of_its_tokens(loaded: Loaded) -> None:
    """The vectors of a sound stand in the places of its tokens, one in each, and nowhere else."""
    ids = loaded.inputs["input_ids"]
    places = ids == loaded.config.audio_token_id
    require(int(places.sum()) > 1, f"{int(places.sum())} tokens for a sound")
    with calls(loaded.network.get_decoder()) as seen:
        loaded.network(**loaded.inputs)
    given = seen[0]["inputs_embeds"]
    plain = loaded.network.get_input_embeddings()(ids)
    filled = (given != plain).any(-1)
    where = f"a sound's vectors are in {int((filled & ~places).sum())} places of other tokens"
    require(bool((filled == places).all()), f"{where}, missing in {int((places & ~filled).sum())}")
    vectors = given[places]
    require(len(vectors.unique(dim=0)) == len(vectors), "a sound has one vector more than once")


def the_end_of_a_sound_is_heard(loaded: Loaded) -> None:
    """The logits behind the prompt are others where the last quarter of the sound is silent."""
    sound = sounds.sample(loaded.model, loaded.processor)
    found, whole = (_behind(loaded, wave) for wave in (speech.silenced(sound), sound))
    loaded.different(found, whole, "logits behind a sound with a silent end")


def a_longer_sound_takes_more_tokens(loaded: Loaded) -> None:
    """A sound of twice the length has about twice as many tokens."""
    seconds, rate = sounds.seconds(loaded.model), sounds.rate(loaded.processor)
    counts = []
    for length in (seconds, 2 * seconds):
        ids = _read(loaded, samples.waveform(length, rate))["input_ids"]
        counts.append(int((ids == loaded.config.audio_token_id).sum()))
    short, long = counts
    require(
        abs(long - 2 * short) <= max(2, short // 5), f"{short} tokens, and {long} of two sounds"
    )


def _behind(loaded: Loaded, sound: Any) -> Any:
    return loaded.network(**_read(loaded, sound)).logits[:, -1]


def _read(loaded: Loaded, sound: Any) -> dict[str, Any]:
    text = any_to_any.AnyToAny().prompt(loaded.model, loaded.processor)
    return loaded.place(any_to_any.heard(loaded.processor, text, sound))
