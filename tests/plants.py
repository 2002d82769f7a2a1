"""Faults planted into a loaded model, one or more for each property that a family asks of it."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import torch

from hf_tests.probe import samples
from hf_tests.probe.properties.base import Loaded

Plant = Callable[[Loaded], contextlib.AbstractContextManager[Any]]


def wrapped(
    part: Callable[[Loaded], Any],
    name: str,
    before: Callable[[dict[str, Any]], None] = lambda given: None,
    after: Callable[[Any], Any] = lambda outputs: outputs,
) -> Plant:
    """A method of a part of the model whose named arguments or outputs are changed."""

    @contextlib.contextmanager
    def plant(loaded: Loaded) -> Iterator[None]:
        whole = part(loaded)
        method = getattr(whole, name)

        @functools.wraps(method)
        def spoilt(*arguments: Any, **given: Any) -> Any:
            before(given)
            return after(method(*arguments, **given))

        with mock.patch.object(whole, name, spoilt):
            yield

    return plant


def network(loaded: Loaded) -> Any:
    return loaded.network


def processor(loaded: Loaded) -> Any:
    return loaded.processor


def forward(before: Callable[[dict[str, Any]], None]) -> Plant:
    """Other inputs than those that are given."""
    return wrapped(network, "forward", before)


def outputs(change: Callable[[Any], None]) -> Plant:
    """Other outputs than those that the network gives, those of its own run too."""

    def changed(found: Any) -> Any:
        found = type(found)(**found)
        change(found)
        return found

    @contextlib.contextmanager
    def plant(loaded: Loaded) -> Iterator[None]:
        spoilt = loaded.outputs
        # What was generated is no output of the network.
        if not isinstance(spoilt, torch.Tensor) and "sequences" not in spoilt:
            spoilt = changed(spoilt)
        with (
            mock.patch.object(loaded, "outputs", spoilt),
            wrapped(network, "forward", after=changed)(loaded),
        ):
            yield

    return plant


def generate(**settings: Any) -> Plant:
    """Generation with other settings than those that are given."""
    return wrapped(network, "generate", lambda given: given.update(settings))


def mask_ignored(given: dict[str, Any]) -> None:
    """Padding is read like any other token."""
    given["attention_mask"] = None


def all_is_seen(given: dict[str, Any]) -> None:
    """A mask of the model's own form that hides nothing, in place of the causal one."""
    size = given["input_ids"].shape[1]
    given["attention_mask"] = torch.zeros(1, 1, size, size)


def text_ignored(given: dict[str, Any]) -> None:
    """Every text is read as the same."""
    given["input_ids"] = torch.ones_like(given["input_ids"])


def second_half_lost(given: dict[str, Any]) -> None:
    """A text is read up to its half."""
    ids = given["input_ids"].clone()
    ids[:, ids.shape[1] // 2 :] = 0
    given["input_ids"] = ids


def image_unread(given: dict[str, Any]) -> None:
    """Every image is grey."""
    if given.get("pixel_values") is not None:
        given["pixel_values"] = torch.zeros_like(given["pixel_values"])


def cache_dropped(given: dict[str, Any]) -> None:
    """Every step forgets what was before it."""
    given["past_key_values"] = None


def positions_dropped(given: dict[str, Any]) -> None:
    """Positions are counted from the padding's beginning."""
    given["position_ids"] = None


def vectors_moved(given: dict[str, Any]) -> None:
    """Vectors in the place of tokens come one place too late."""
    if given.get("inputs_embeds") is not None:
        given["inputs_embeds"] = given["inputs_embeds"].roll(1, 1)


def neighbours_mixed(found: Any) -> None:
    """Each position gets a little of the next."""
    found.logits = found.logits + 0.1 * found.logits.roll(-1, -2)


MAPS = ("logits", "masks_queries_logits", "predicted_depth", "reconstruction")
"""Outputs that may have the places of an image."""


def batch_mixed(found: Any) -> None:
    """Each row gets a little of all."""
    name = next(
        item
        for item in ("pred_boxes", *MAPS, "last_hidden_state", "audio_values", "embeddings")
        if item in found
    )
    found[name] = found[name] + 0.1 * found[name].mean(0, keepdim=True)


def post_processing(**settings: Any) -> Plant:
    """Detections are asked for otherwise than they are."""
    return wrapped(processor, "post_process_object_detection", lambda given: given.update(settings))


def grounding(**settings: Any) -> Plant:
    """Detections of what was looked for are asked for otherwise than they are."""
    return wrapped(
        processor, "post_process_grounded_object_detection", lambda given: given.update(settings)
    )


def last_column_favoured(found: Any) -> None:
    """Whatever is looked for last is rather found."""
    found.logits = torch.cat([found.logits[..., :-1], found.logits[..., -1:] + 1.0], -1)


def image_sought_in_itself(given: dict[str, Any]) -> None:
    given["query_pixel_values"] = given["pixel_values"]


def policies_forgotten(given: dict[str, Any]) -> None:
    """Every image is judged by the same policies, whatever they are called."""
    given["custom_policies"] = dict.fromkeys(given["policies"], "No circles.")


def sides_exchanged(found: Any) -> None:
    """What was on the left of an image comes out on the right."""
    name = next(item for item in MAPS if item in found)
    found[name] = found[name].flip(-1)


def sound_backwards(found: Any) -> None:
    """A sound comes back from its end to its beginning."""
    found.audio_values = found.audio_values.flip(-1)


def sound_louder(found: Any) -> Any:
    """What is decoded by itself is louder than what one call gives."""
    return type(found)(audio_values=found.audio_values * 1.01)


def keypoints_shifted(found: Any) -> None:
    """Places are those of an image half as wide."""
    found.keypoints = found.keypoints * torch.tensor([0.5, 1.0])


def first_scores_doubled(found: Any) -> None:
    """Only matches of the first image have the scores that they had."""
    name = "matching_scores" if "matching_scores" in found else "scores"
    found[name] = torch.cat([found[name][:1] * len(found[name]), found[name][1:]])


def first_image_favoured(found: Any) -> None:
    found.matching_scores = found.matching_scores * torch.tensor([[1.1], [1.0]])


def matches_one_further(found: Any) -> None:
    """Each match of the first image is the next keypoint of the second."""
    matches = found.matches.clone()
    matches[:, 0] = matches[:, 0].roll(1, -1)
    found.matches = matches


@contextlib.contextmanager
def untied(loaded: Loaded) -> Iterator[None]:
    """The output layer has a copy of the embeddings, or what was apart is shared."""
    layer = loaded.network.get_input_embeddings()
    other = torch.nn.Linear(*layer.weight.shape[::-1], bias=False)
    other.weight = torch.nn.Parameter(layer.weight.clone())
    found = other if loaded.config.tie_word_embeddings else layer
    with mock.patch.object(loaded.network, "get_output_embeddings", lambda: found):
        yield


@contextlib.contextmanager
def encoder_rerun(loaded: Loaded) -> Iterator[None]:
    """The encoder is run again at every step."""

    def again(given: dict[str, Any]) -> None:
        if given.get("decoder_input_ids") is not None:
            loaded.network.get_encoder()(**loaded.inputs)

    with forward(again)(loaded):
        yield


def heads_repeated(found: Any) -> None:
    """The cache holds a key for every query."""
    for layer in found.past_key_values.layers:
        layer.keys = layer.keys.repeat_interleave(2, 1)


@contextlib.contextmanager
def positions_forgotten(loaded: Loaded) -> Iterator[None]:
    """A larger image gets no positions at all."""
    part = loaded.network.vit.embeddings
    whole = part.interpolate_pos_encoding

    def spoilt(embeddings: Any, height: int, width: int) -> Any:
        found = whole(embeddings, height, width)
        return found if height == loaded.inputs["pixel_values"].shape[-2] else found * 0

    with mock.patch.object(part, "interpolate_pos_encoding", spoilt):
        yield


def edge_lost(given: dict[str, Any]) -> None:
    """Only the upper left of an image is read."""
    given["pixel_values"] = given["pixel_values"][..., :32, :32]


def corner_blanked(given: dict[str, Any]) -> None:
    """The image's lower right quarter is never seen."""
    pixels = given["pixel_values"].clone()
    pixels[..., pixels.shape[-2] // 2 :, pixels.shape[-1] // 2 :] = 0
    given["pixel_values"] = pixels


def kind(found: Any) -> str:
    """What a dual encoder's outputs are about."""
    return next(item for item in ("image", "audio") if f"{item}_embeds" in found)


def scale_forgotten(found: Any) -> None:
    """Logits are the bare products."""
    seen = kind(found)
    found[f"logits_per_{seen}"] = found[f"{seen}_embeds"] @ found.text_embeds.T


def embeddings_doubled(found: Any) -> None:
    found[f"{kind(found)}_embeds"] = found[f"{kind(found)}_embeds"] * 2


def last_label_favoured(found: Any) -> None:
    found[f"logits_per_{kind(found)}"][:, -1] += 1.0


def first_window_alone(given: dict[str, Any]) -> None:
    given["input_features"] = given["input_features"][..., :3000]
    given["attention_mask"] = given["attention_mask"][..., :3000]


def labels_and_boxes_dropped(given: dict[str, Any]) -> None:
    given.pop("input_labels", None)
    if "input_boxes" in given:
        given["input_points"] = given.pop("input_boxes")[:, :, None, :2]


def first_prompt_first(found: Any) -> None:
    """Scores are put in an order of their own."""
    found.iou_scores = found.iou_scores.sort(1).values


def embeddings_shifted(given: dict[str, Any]) -> None:
    given["image_embeddings"] = given["image_embeddings"].roll(1, -1)


def always_several(given: dict[str, Any]) -> None:
    given["multimask_output"] = True


def fewer_features(found: Any) -> Any:
    """One feature of the first image is lost."""
    features = getattr(found, "pooler_output", found)
    return [features[0][1:]]


@contextlib.contextmanager
def grid_turned(loaded: Loaded) -> Iterator[None]:
    """An image's patches are said to stand in columns."""
    part = loaded.processor.image_processor
    whole = part.preprocess

    def spoilt(*arguments: Any, **given: Any) -> Any:
        found = whole(*arguments, **given)
        found["image_grid_thw"] = found["image_grid_thw"][:, [0, 2, 1]]
        return found

    with mock.patch.object(part, "preprocess", spoilt):
        yield


def features_mixed(found: Any) -> Any:
    """Each image gets a little of all."""
    features = torch.cat(list(found.pooler_output))
    found.pooler_output = [item + 0.1 * features.mean(0) for item in found.pooler_output]
    return found


def frames_alike(given: dict[str, Any]) -> None:
    """Every frame of a video is the mean of all."""
    if "pixel_values_videos" in given:
        frames = given["pixel_values_videos"].unflatten(0, (int(given["video_grid_thw"][0, 0]), -1))
        values = frames.unflatten(-1, (3, 2, -1))  # two frames stand in one patch
        mean = values.mean((0, 3), keepdim=True).expand_as(values)
        given["pixel_values_videos"] = mean.reshape_as(frames).flatten(0, 1)


@contextlib.contextmanager
def images_mixed(loaded: Loaded) -> Iterator[None]:
    """Each image of a batch gets a little of all."""

    def mix(part: Any, given: Any, found: Any) -> Any:
        del part, given
        found.last_hidden_state += 0.1 * found.last_hidden_state.mean(0, keepdim=True)
        return found

    handle = loaded.network.vision_model.register_forward_hook(mix)
    try:
        yield
    finally:
        handle.remove()


def only_the_newest_read(given: dict[str, Any]) -> None:
    """Every step forgets what was before it, and its mask with it."""
    given["past_key_values"] = None
    given["attention_mask"] = torch.ones_like(given["input_ids"])


def text_decoder(loaded: Loaded) -> Any:
    return loaded.network.text_decoder


def logits_scaled(found: Any) -> None:
    found.logits = found.logits * 1.01


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


def processor_type(loaded: Loaded) -> Any:
    return type(loaded.processor)


any_rate_taken = wrapped(processor_type, "__call__", lambda given: given.pop("sampling_rate"))
"""A sound is taken whatever its rate."""


def last_frame_lost(found: Any) -> None:
    found.logits = found.logits[:, :-1]


@contextlib.contextmanager
def loudness_kept(loaded: Loaded) -> Iterator[None]:
    with mock.patch.object(loaded.processor.feature_extractor, "do_normalize", False):
        yield


def early_past_lost(given: dict[str, Any]) -> None:
    """Of a series' past only the second half is read."""
    past = given["past_values"].clone()
    past[:, : past.shape[1] // 2] = 0
    given["past_values"] = past


def forecasts_mixed(found: Any) -> None:
    """Each forecast gets a little of all."""
    forecast = found.prediction_outputs
    found.prediction_outputs = forecast + 0.1 * forecast.mean(0, keepdim=True)


def forecasts_offset(found: Any) -> None:
    """A forecast is off by a degree, whatever its unit."""
    found.prediction_outputs = found.prediction_outputs + 1.0


def late_half_lost(given: dict[str, Any]) -> None:
    """Of a video only the first half is read."""
    frames = given["pixel_values"].clone()
    frames[:, frames.shape[1] // 2 :] = 0
    given["pixel_values"] = frames


def frames_averaged(given: dict[str, Any]) -> None:
    """Every frame of a video is the mean of all."""
    frames = given["pixel_values"]
    given["pixel_values"] = frames.mean(1, keepdim=True).expand_as(frames)


def picture_lost(given: dict[str, Any]) -> None:
    given["pixel_values"] = torch.zeros_like(given["pixel_values"])


def text_lost(given: dict[str, Any]) -> None:
    given["input_ids"] = torch.zeros_like(given["input_ids"])


def places_lost(given: dict[str, Any]) -> None:
    """All words stand in one corner."""
    given["bbox"] = torch.zeros_like(given["bbox"])


def state_lost(given: dict[str, Any]) -> None:
    given["states"] = torch.zeros_like(given["states"])


def actions_mixed(found: Any) -> None:
    """Each robot does a little of what all do."""
    found.action_preds = found.action_preds + 0.1 * found.action_preds.mean(0, keepdim=True)


PLANTS: dict[str, dict[str, Plant]] = {
    "bert": {
        "both_sides": forward(second_half_lost),
        "padding": forward(mask_ignored),
        "tied_embeddings": untied,
    },
    "gpt": {
        "cache": forward(cache_dropped),
        "greedy": generate(do_sample=True),
        "left_padding": forward(positions_dropped),
        "no_look_ahead": forward(all_is_seen),
        "tied_embeddings": untied,
    },
    "t5": {
        "cache": forward(cache_dropped),
        "encoder_runs_once": encoder_rerun,
        "no_look_ahead": outputs(neighbours_mixed),
        "padding": forward(mask_ignored),
    },
    "llama": {
        "cache": generate(use_cache=False),
        "grouped_query": outputs(heads_repeated),
        "left_padding": forward(mask_ignored),
        "no_look_ahead": forward(all_is_seen),
        "tied_embeddings": untied,
    },
    "backbone": {"batch": outputs(batch_mixed), "corners": forward(corner_blanked)},
    "decoder": {
        "cache": forward(cache_dropped),
        "embeddings": forward(vectors_moved),
        "left_padding": forward(mask_ignored),
        "no_look_ahead": forward(all_is_seen),
    },
    "policy": {"batch": outputs(actions_mixed), "state": forward(state_lost)},
    "document": {"padding": forward(mask_ignored), "places": forward(places_lost)},
    "embedding": {"both_sides": forward(second_half_lost), "padding": forward(mask_ignored)},
    "videomae": {
        "batch": outputs(batch_mixed),
        "frames": forward(late_half_lost),
        "order": forward(frames_averaged),
    },
    "vit": {"batch": outputs(batch_mixed), "interpolated_positions": positions_forgotten},
    "clip": {
        "label_order": outputs(last_label_favoured),
        "logit_scale": outputs(scale_forgotten),
        "normalised": outputs(embeddings_doubled),
    },
    "colpali": {
        "batch": outputs(batch_mixed),
        "padding": forward(mask_ignored),
        "pages": forward(image_unread),
        "scores": wrapped(processor, "score_retrieval", after=lambda scores: scores / 2),
    },
    "vqa": {
        "image": forward(picture_lost),
        "padding": forward(mask_ignored),
        "question": forward(text_lost),
    },
    "whisper": {
        "language_and_task": generate(language="de"),
        "long_sound": wrapped(network, "generate", first_window_alone),
        "timestamps": generate(return_timestamps=False),
    },
    "depth_map": {"batch": outputs(batch_mixed), "places": outputs(sides_exchanged)},
    "segformer": {"batch": outputs(batch_mixed), "places": outputs(sides_exchanged)},
    "mask2former": {"batch": outputs(batch_mixed), "places": outputs(sides_exchanged)},
    "restoration": {"batch": outputs(batch_mixed), "places": outputs(sides_exchanged)},
    "ocr": {"batch": outputs(batch_mixed), "corners": forward(image_unread)},
    "sam": {
        "embeddings": forward(embeddings_shifted),
        "one_mask": forward(always_several),
        "order": outputs(first_prompt_first),
        "prompts": forward(labels_and_boxes_dropped),
    },
    "llava": {
        "cache": forward(cache_dropped),
        "image_tokens": wrapped(network, "get_image_features", after=fewer_features),
        "text_alone": outputs(logits_scaled),
    },
    "internvl": {
        "cache": forward(cache_dropped),
        "image": forward(image_unread),
        "image_tokens": wrapped(network, "get_image_features", after=fewer_features),
    },
    "qwen_vl": {
        "cache": forward(cache_dropped),
        "grid": grid_turned,
        "order": wrapped(network, "get_image_features", after=features_mixed),
        "text_alone": outputs(logits_scaled),
        "video": forward(frames_alike),
    },
    "audiolm": {
        "cache": forward(cache_dropped),
        "end": forward(last_second_lost),
        "length": wrapped(processor_type, "__call__", one_window_heard),
        "sound_tokens": wrapped(network, "get_audio_features", after=first_vector_again),
        "text_alone": outputs(logits_scaled),
    },
    "captioning": {
        "batch": images_mixed,
        "cache": wrapped(text_decoder, "forward", only_the_newest_read),
        "corners": forward(corner_blanked),
    },
    "keypoint": {"batch": outputs(first_scores_doubled), "moved": outputs(keypoints_shifted)},
    "matching": {
        "batch": outputs(first_scores_doubled),
        "exchange": outputs(first_image_favoured),
        "mutual": outputs(matches_one_further),
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
    "longformer": {
        "both_sides": forward(second_half_lost),
        "padding": forward(mask_ignored),
        "tied_embeddings": untied,
    },
    "detr": {
        "any_size": forward(corner_blanked),
        "batch": outputs(batch_mixed),
        "sizes": post_processing(target_sizes=[(240, 320)]),
        "threshold": post_processing(threshold=0.0),
    },
    "moderation": {
        "apart": forward(mask_ignored),
        "image": forward(image_unread),
        "policy": wrapped(lambda loaded: type(loaded.processor), "__call__", policies_forgotten),
    },
    "zero_shot_detection": {
        "batch": outputs(batch_mixed),
        "image_query": wrapped(network, "image_guided_detection", image_sought_in_itself),
        "label_order": outputs(last_column_favoured),
        "sizes": grounding(target_sizes=[(240, 320)]),
        "threshold": grounding(threshold=0.0),
    },
    "bart": {
        "cache": forward(cache_dropped),
        "encoder_runs_once": encoder_rerun,
        "no_look_ahead": outputs(neighbours_mixed),
        "padding": forward(mask_ignored),
    },
    "moe": {
        "cache": generate(use_cache=False),
        "left_padding": forward(mask_ignored),
        "no_look_ahead": outputs(neighbours_mixed),
    },
    "mamba": {
        "greedy": generate(do_sample=True),
        "no_look_ahead": outputs(neighbours_mixed),
    },
    "convnet": {"any_size": forward(edge_lost), "batch": outputs(batch_mixed)},
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
    "transcriber": {
        "batch": outputs(batch_mixed),
        "cache": forward(cache_dropped),
        "encoder_runs_once": encoder_rerun,
        "end": wrapped(network, "generate", nothing_heard),
    },
    "timeseries": {
        "batch": outputs(forecasts_mixed),
        "past": forward(early_past_lost),
        "units": outputs(forecasts_offset),
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
"""A defect for each property of the families' default models."""
