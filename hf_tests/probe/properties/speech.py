"""Properties of what reads sounds."""

from __future__ import annotations

import inspect
from typing import Any

from hf_tests.probe import samples
from hf_tests.probe.judge import require
from hf_tests.probe.properties.base import Loaded, calls
from hf_tests.probe.tasks import sounds

WINDOW_S = 30.0
LONG_S = 40.0
STEPS = 6
INNER = 0.8
"""Share of a sound that does not hear what is behind it."""

LANGUAGES = 2  # of up to a hundred


def _features(loaded: Loaded, sound: Any, **options: Any) -> dict[str, Any]:
    return loaded.place(sounds.given(loaded.model, loaded.processor, sound, **options))


def _decoded(loaded: Loaded, **settings: Any) -> tuple[list[int], list[int]]:
    """The tokens that the decoder is started with, and those that it then reads one by one.

    What ``generate`` returns has been cut into segments.
    """
    with calls(loaded.network) as seen:
        loaded.network.generate(
            **loaded.inputs, max_new_tokens=STEPS, min_new_tokens=STEPS, do_sample=False, **settings
        )
    given = [call["decoder_input_ids"][0].tolist() for call in seen if "decoder_input_ids" in call]
    return given[0], [tokens[-1] for tokens in given[1:]]


def language_and_task_start_the_decoder(loaded: Loaded) -> None:
    """The decoder is started with the tokens of the language and the task that are asked for."""
    settings = loaded.network.generation_config
    for language in list(settings.lang_to_id)[:LANGUAGES]:
        for task, token in settings.task_to_id.items():
            name = language.strip("<|>")
            started, _ = _decoded(loaded, language=name, task=task)
            wanted = [
                loaded.config.decoder_start_token_id,
                settings.lang_to_id[language],
                token,
                settings.no_timestamps_token_id,
            ]
            require(started == wanted, f"{name}, {task}: started with {started}, not {wanted}")


def timestamps_begin_and_do_not_go_back(loaded: Loaded) -> None:
    """With timestamps the text begins with one, and none is before an earlier one."""
    first = loaded.network.generation_config.no_timestamps_token_id + 1
    started, ids = _decoded(loaded, return_timestamps=True, language="en", task="transcribe")
    require(first - 1 not in started, "the decoder was told to give no timestamps")
    require(
        bool(ids) and ids[0] >= first,
        f"the text does not begin with a timestamp: {ids}, timestamps begin at {first}",
    )
    times = [token for token in ids if token >= first]
    require(times == sorted(times), f"timestamps go back: {times}")


def long_sound_is_read_in_windows(loaded: Loaded) -> None:
    """A sound of more than half a minute is read to its end, one window after the other."""
    inputs = _features(
        loaded,
        samples.waveform(LONG_S),
        truncation=False,
        padding="longest",
        return_attention_mask=True,
    )
    with calls(loaded.network.get_encoder(), enough=2) as seen:
        loaded.network.generate(
            **inputs,
            max_new_tokens=STEPS,
            do_sample=False,
            return_timestamps=True,
            language="en",
            task="transcribe",
        )
    require(len(seen) > 1, f"of {LONG_S:g} s only the first {WINDOW_S:g} s were read")


def loudness_changes_nothing(loaded: Loaded) -> None:
    """A recording and the same one at a tenth of its loudness give the same logits."""
    sound = samples.waveform(1.0)
    found, wanted = (
        loaded.network(**_features(loaded, wave)).logits for wave in (sound * 0.1, sound)
    )
    loaded.same(found, wanted, "logits of a quiet recording differ from those of a loud one")


def frames_follow_the_strides(loaded: Loaded) -> None:
    """There are as many frames as kernels and strides of the feature encoder leave."""
    for seconds in (0.5, 1.0):
        sound = samples.waveform(seconds)
        wanted = len(sound)
        for kernel, stride in zip(
            loaded.config.conv_kernel, loaded.config.conv_stride, strict=True
        ):
            wanted = (wanted - kernel) // stride + 1
        found = loaded.network(**_features(loaded, sound)).logits.shape[1]
        require(found == wanted, f"{seconds:g} s give {found} frames, expected {wanted}")


def repeated_frames_are_one_character(loaded: Loaded) -> None:
    """CTC: equal frames in a row are one character, a blank between them makes two."""
    blank = loaded.tokenizer.pad_token_id
    letters = [
        token
        for token in range(len(loaded.tokenizer))
        if len(loaded.tokenizer.decode([token], skip_special_tokens=True)) == 1
    ][:2]
    require(len(letters) == 2, "the vocabulary has no two characters")
    one, two = (loaded.tokenizer.decode([token]) for token in letters)
    frames = [blank, letters[0], letters[0], blank, letters[0], letters[1], letters[1], blank]
    text = loaded.tokenizer.decode(frames)
    require(text == one + one + two, f"frames were collapsed to {text!r}, not {one + one + two!r}")


def sounds_beside_change_nothing(loaded: Loaded) -> None:
    """A sound gives the same answer alone and beside another of its length in a batch."""
    sound = _waveform(loaded, 1.0)
    beside = _answer(loaded, [sound, sound[::-1].copy()])
    alone = _answer(loaded, [sound])
    first = beside[:1, : alone.shape[1]]  # one sequence of all sounds begins with its own
    loaded.same(first, alone, "a sound beside another differs from it alone")


def padding_changes_nothing(loaded: Loaded) -> None:
    """A sound gives the same features alone and padded beside a longer one in a batch.

    Its end may hear what follows.
    """
    short, long = _waveform(loaded, 1.0), _waveform(loaded, 1.6)
    padding = inspect.signature(loaded.processor.__call__).parameters.get("padding")
    # Some pad every sound to one length, asked or not; others would make no batch of two lengths.
    options = {} if padding is None else {"padding": padding.default or True}
    beside = _answer(loaded, [short, long], **options)
    alone = _answer(loaded, [short], **options)
    inner = int(alone.shape[1] * INNER)
    loaded.same(beside[:1, :inner], alone[:, :inner], "a padded sound differs from it alone")


def the_end_counts(loaded: Loaded) -> None:
    """A sound whose last quarter is silent gives another answer."""
    sound = _waveform(loaded, sounds.seconds(loaded.model))
    found, whole = (_answer(loaded, [wave]) for wave in (silenced(sound), sound))
    loaded.different(found, whole, "a sound with a silent end gives what the whole gives")


def sounds_beside_change_no_text(loaded: Loaded) -> None:
    """A sound gives the same first logits alone and beside another of its length in a batch."""
    sound = _waveform(loaded, sounds.seconds(loaded.model))
    beside = _first_logits(loaded, [sound, sound[::-1].copy()])
    alone = _first_logits(loaded, [sound])
    loaded.same(beside[:1], alone, "logits of a sound beside another differ from those alone")


def the_end_is_heard(loaded: Loaded) -> None:
    """A sound whose last quarter is silent gives other logits already of the first token."""
    sound = _waveform(loaded, sounds.seconds(loaded.model))
    found, whole = (_first_logits(loaded, [wave]) for wave in (silenced(sound), sound))
    loaded.different(found, whole, "a sound with a silent end gives the logits of the whole")


def other_sampling_rates_are_refused(loaded: Loaded) -> None:
    """What prepares a sound refuses one of half the rate that the model was made for."""
    rate = sounds.rate(loaded.processor) // 2
    try:
        loaded.processor(samples.waveform(1.0), sampling_rate=rate, return_tensors="pt")
    except ValueError:
        return
    require(False, f"a sound of {rate} Hz was taken")


def _waveform(loaded: Loaded, seconds: float) -> Any:
    return samples.waveform(seconds, sounds.rate(loaded.processor))


def _answer(loaded: Loaded, sound: Any, **options: Any) -> Any:
    return loaded.answer(loaded.network(**_features(loaded, sound, **options)))


def silenced(sound: Any) -> Any:
    """The sound with silence for its last quarter."""
    silenced = sound.copy()
    silenced[-len(sound) // 4 :] = 0
    return silenced


def _first_logits(loaded: Loaded, sound: Any) -> Any:
    return loaded.read(_features(loaded, sound)).logits
