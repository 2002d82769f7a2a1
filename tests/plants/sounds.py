"""Faults planted into models of sounds and speech."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any
from unittest import mock

import torch

from hf_tests.probe import samples
from hf_tests.probe.properties.base import Loaded
from tests.plants.base import (
    Plant,
    batch_mixed,
    cache_dropped,
    embeddings_doubled,
    encoder_rerun,
    forward,
    generate,
    last_label_favoured,
    logits_scaled,
    mask_ignored,
    neighbours_mixed,
    network,
    outputs,
    processor_type,
    scale_forgotten,
    wrapped,
)


def text_ignored(given: dict[str, Any]) -> None:
    """Every text is read as the same."""
    given["input_ids"] = torch.ones_like(given["input_ids"])


def sound_backwards(found: Any) -> None:
    """A sound comes back from its end to its beginning."""
    found.audio_values = found.audio_values.flip(-1)


def sound_louder(found: Any) -> Any:
    """What is decoded by itself is louder than what one call gives."""
    return type(found)(audio_values=found.audio_values * 1.01)


def first_window_alone(given: dict[str, Any]) -> None:
    given["input_features"] = given["input_features"][..., :3000]
    given["attention_mask"] = given["attention_mask"][..., :3000]


def late_frames_lost(given: dict[str, Any]) -> None:
    """Of a sound's spectrogram only the first second is read."""
    given["input_values"] = given["input_values"].clone()
    given["input_values"][:, 100:] = 0


def last_second_lost(given: dict[str, Any]) -> None:
    """Of a sound's spectrogram only the first second is read."""
    if given.get("input_features") is not None:
        given["input_features"] = given["input_features"].clone()
        given["input_features"][..., 100:] = 0


def one_window_heard(given: dict[str, Any]) -> None:
    """Of a sound only the first two seconds are taken."""
    given["audio"] = given["audio"][: 2 * samples.SAMPLING_RATE]


def first_vector_again(found: Any) -> Any:
    """A sound's last vector is its first once more."""
    found.pooler_output = found.pooler_output.clone()
    found.pooler_output[-1] = found.pooler_output[0]
    return found


def nothing_heard(given: dict[str, Any]) -> None:
    """A sound is silence."""
    name = next(item for item in ("input_features", "input_values") if item in given)
    given[name] = torch.zeros_like(given[name])


any_rate_taken = wrapped(processor_type, "__call__", lambda given: given.pop("sampling_rate"))
"""A sound is taken whatever its rate."""


def last_frame_lost(found: Any) -> None:
    found.logits = found.logits[:, :-1]


@contextlib.contextmanager
def loudness_kept(loaded: Loaded) -> Iterator[None]:
    with mock.patch.object(loaded.processor.feature_extractor, "do_normalize", False):
        yield


PLANTS: dict[str, dict[str, Plant]] = {
    "whisper": {
        "language_and_task": generate(language="de"),
        "long_sound": wrapped(network, "generate", first_window_alone),
        "timestamps": generate(return_timestamps=False),
    },
    "codec": {
        "batch": outputs(batch_mixed),
        "codes": wrapped(network, "decode", after=sound_louder),
        "time": outputs(sound_backwards),
    },
    "text_to_audio": {
        "no_look_ahead": outputs(neighbours_mixed),
        "padding": forward(mask_ignored),
        "text": forward(text_ignored),
    },
    "audiolm": {
        "cache": forward(cache_dropped),
        "end": forward(last_second_lost),
        "length": wrapped(processor_type, "__call__", one_window_heard),
        "sound_tokens": wrapped(network, "get_audio_features", after=first_vector_again),
        "text_alone": outputs(logits_scaled),
    },
    "audio": {
        "batch": outputs(batch_mixed),
        "end": forward(late_frames_lost),
        "sampling_rate": any_rate_taken,
    },
    "audioencoder": {
        "batch": outputs(batch_mixed),
        "end": forward(nothing_heard),
        "padding": forward(mask_ignored),
        "sampling_rate": any_rate_taken,
    },
    "clap": {
        "label_order": outputs(last_label_favoured),
        "logit_scale": outputs(scale_forgotten),
        "normalised": outputs(embeddings_doubled),
    },
    "streaming": {
        "batch": outputs(batch_mixed),
        "end": wrapped(network, "generate", nothing_heard),
        "steps": forward(cache_dropped),
    },
    "transcriber": {
        "batch": outputs(batch_mixed),
        "cache": forward(cache_dropped),
        "encoder_runs_once": encoder_rerun,
        "end": forward(nothing_heard),
    },
    "wav2vec2": {
        "batch": outputs(batch_mixed),
        "collapse": wrapped(
            lambda loaded: loaded.tokenizer,
            "decode",
            lambda given: given.update(group_tokens=False),
        ),
        "frames": outputs(last_frame_lost),
        "loudness": loudness_kept,
    },
}
