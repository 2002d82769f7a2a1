"""Properties of language models that read images as tokens."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from hf_tests.probe import samples
from hf_tests.probe.judge import require
from hf_tests.probe.properties.base import Loaded
from hf_tests.probe.properties.text import LONG, SHORT
from hf_tests.probe.tasks.base import is_floating
from hf_tests.probe.tasks.image_text_to_text import asked

IMAGE_INPUTS = (
    "pixel_values", "pixel_values_images", "image_sizes", "image_grid_thw", "image_merge_sizes",
    "target_sizes",
)  # fmt: skip
"""Names of what is said of images, beside their tokens."""

FRAMES = 4


def image_tokens_are_as_many_as_features(loaded: Loaded) -> None:
    """The prompt has one image token for each feature of the image, and no other number will do."""
    token = loaded.config.image_token_id
    ids = loaded.inputs["input_ids"]
    found = int((ids == token).sum())
    features = len(_vectors(_features(loaded, loaded.inputs)))
    require(found == features > 1, f"{found} image tokens for {features} image features")
    keep = (ids[0] != token).logical_or((ids[0] == token).cumsum(0) > 1)
    short = {**loaded.inputs, "input_ids": ids[:, keep]}
    for name, value in loaded.inputs.items():
        if name != "input_ids" and getattr(value, "shape", None) == ids.shape:  # of each token
            short[name] = value[:, keep]
    try:
        loaded.network(**short)
    except (ValueError, RuntimeError):
        return
    require(False, "one image token too few was not noticed")


def another_image_is_another_answer(loaded: Loaded) -> None:
    """The logits behind the prompt are others for the negative of the image."""
    negative = {
        name: -value if is_floating(value) else value for name, value in loaded.inputs.items()
    }
    found, answer = (loaded.network(**given).logits[:, -1] for given in (negative, loaded.inputs))
    loaded.different(found, answer, "logits behind the negative of an image")


def text_alone_is_its_language_model_s(loaded: Loaded) -> None:
    """Without an image the logits are those of the language model inside."""
    inputs = loaded.encode(LONG)
    found = loaded.network(**inputs).logits
    hidden = loaded.network.get_decoder()(**inputs).last_hidden_state
    wanted = loaded.network.get_output_embeddings()(hidden)
    loaded.same(found, wanted, "logits of a text differ from those of the language model inside")


def images_take_tokens_by_their_size(loaded: Loaded) -> None:
    """An image has a grid of patches of its own shape, and a token for each merged field of it."""
    wide, high = (_read(loaded, images=[image]) for image in _two_images())
    merged = loaded.processor.image_processor.merge_size**2
    for inputs in (wide, high):
        grid = inputs["image_grid_thw"]
        found = int((inputs["input_ids"] == loaded.config.image_token_id).sum())
        wanted = int(grid.prod()) // merged
        require(found == wanted > 1, f"{found} image tokens for a grid of {grid.tolist()}")
        rows = len(_vectors(_features(loaded, inputs)))
        require(rows == wanted, f"{rows} image features for a grid of {grid.tolist()}")
    (_, height, width), (_, other_height, other_width) = (
        inputs["image_grid_thw"][0].tolist() for inputs in (wide, high)
    )
    shapes = f"a wide image {height} by {width}, a high one {other_height} by {other_width}"
    require(height < width and other_height > other_width, f"grids have not their shapes: {shapes}")


def images_keep_their_order(loaded: Loaded) -> None:
    """Of two images each has its own features, in the order of the prompt."""
    import torch

    first, second = _two_images()
    both = _read(loaded, images=[first, second])
    each = [_vectors(_features(loaded, _read(loaded, images=[one]))) for one in (first, second)]
    found = _vectors(_features(loaded, both))
    loaded.same(found, torch.cat(each), "features of two images differ from those of each alone")
    turned = loaded.network(**_read(loaded, images=[second, first])).logits[:, -1]
    answer = loaded.network(**both).logits[:, -1]
    loaded.different(turned, answer, "logits behind two images that changed places")


def frames_keep_their_order(loaded: Loaded) -> None:
    """A video has as many tokens as its grid says, and played backwards it is another one."""
    import numpy

    frames = [numpy.array(frame) for frame in samples.video(FRAMES)]
    played = _read(loaded, videos=[frames])
    grid = played["video_grid_thw"]
    # Some make of each frame an image, with its time before it.
    tokens = (loaded.config.video_token_id, loaded.config.image_token_id)
    found = sum(int((played["input_ids"] == token).sum()) for token in tokens)
    merged = loaded.processor.video_processor.merge_size**2
    merged *= getattr(loaded.config.vision_config, "temporal_merge_size", 1)
    wanted = int(grid.prod()) // merged
    require(found == wanted > 1, f"{found} video tokens for a grid of {grid.tolist()}")
    backwards = _read(loaded, videos=[frames[::-1]])
    answer, other = (loaded.network(**inputs).logits[:, -1] for inputs in (played, backwards))
    loaded.different(other, answer, "logits behind a video that is played backwards")


def _two_images() -> tuple[Any, Any]:
    """A wide image, and the same turned by a quarter."""
    image = samples.image()
    return image, image.rotate(90, expand=True)


def _read(loaded: Loaded, **given: Any) -> dict[str, Any]:
    """A prompt with images, or with videos, as its processor gives it."""
    token = loaded.processor.video_token if "videos" in given else loaded.processor.image_token
    marks = [getattr(loaded.config, f"video_{end}_token_id", None) for end in ("start", "end")]
    if "videos" in given and None not in marks:
        start, end = loaded.tokenizer.convert_ids_to_tokens(marks)
        token = f"{start}{token}{end}"
    text = f"{token}{SHORT}" * len(next(iter(given.values())))
    if "videos" in given:
        given["do_sample_frames"] = False  # all of them, however fast they are to be played
    given |= asked(loaded.model, loaded.processor)
    return loaded.place(loaded.processor(text=[text], return_tensors="pt", **given))


def _features(loaded: Loaded, inputs: Mapping[str, Any]) -> Any:
    """The features of the images among inputs, as the network gives them."""
    owners = (loaded.network, loaded.network.base_model)
    find = next(item.get_image_features for item in owners if hasattr(item, "get_image_features"))
    names = {*IMAGE_INPUTS, *inspect.signature(find).parameters}
    return find(**{name: inputs[name] for name in inputs if name in names})


def _vectors(features: Any) -> Any:
    """The vectors in what ``get_image_features`` gives, one below the other.

    It differs between versions and models.
    """
    import torch

    features = getattr(features, "pooler_output", features)
    if isinstance(features, tuple) and isinstance(features[0], (list, tuple)):
        features = features[0]  # behind those of the images are those of layers before
    if isinstance(features, (list, tuple)):
        return torch.cat([_vectors(item) for item in features])
    return features.flatten(0, -2)
