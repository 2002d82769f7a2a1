"""Tokenizer, image processor, feature extractor and processor of a tiny checkpoint.

transformers' own auto-mappings say which of them a model type has; sizes follow the shrunken
configuration.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from hf_tests.probe import samples
from hf_tests.probe.tiny import images, shrink, tokenizers, vocabulary
from hf_tests.registry import Model

PATCH_SETTINGS = {
    "patch_size": "patch_size",
    "temporal_patch_size": "temporal_patch_size",
    "merge_size": "spatial_merge_size",
}
"""How an image processor cuts patches, and what a configuration calls it."""

SHORTEST, LONGEST = "shortest_edge", "longest_edge"
BANDS = "num_mel_bins"

COUNTS = frozenset({"image_seq_length", "image_seq_len", "num_image_tokens"})
"""A processor's arguments for how many tokens an image takes."""

ALIASES = {"img_size": "image_size"}
"""A processor's names for what configurations call otherwise."""

LACKING = re.compile(r"(?:no|required) attribute '?(\w+_token)(?:_id)?'?(?:$|\.)")
"""How the attribute is told of that a tokenizer lacks: by Python, or by a processor that looks."""


@dataclass(frozen=True)
class Made:
    """All that turns a model's raw inputs into tensors: the parts, and what they make a whole.

    ``whole`` is the processor of the ``parts``, or None where there is none.
    """

    parts: Mapping[str, Any]
    whole: Any = None
    again: Callable[[Mapping[str, Any]], Any] | None = None

    def save(self, network: Any, folder: Path) -> None:
        """Write it as ``save_pretrained`` writes it, with the number of tokens that an image takes.

        That is the number of features that the ``network`` makes of one.
        """
        if self.whole is None or self.again is None:
            for part in self.parts.values():
                part.save_pretrained(str(folder))
            return
        whole, images = self.whole, self.parts.get("image_processor")
        counted = COUNTS & _parameters(type(whole)).keys()
        of_images = {name for name in COUNTS if hasattr(images, name)}
        if counted or of_images:
            count = _features(network, images)
            if count is not None:
                for name in of_images:
                    setattr(images, name, count)
                whole = self.again(dict.fromkeys(counted, count))
        whole.save_pretrained(str(folder))


EXTRACTORS = ("feature_extractor", "audio_processor")
"""What processors call their extractor of a sound's features."""


RATES = ("sampling_rate", "sample_rate")
"""Names that configurations have for the rate of a sound's samples; an extractor has the first."""


def build_tokenizer(model: Model, config_class: type, values: dict[str, Any], folder: Path) -> Any:
    """The model's tokenizer, trained small; None for a model that reads no text."""
    class_name = model.tokenizer.get("class")
    if class_name is None and _needs_tokenizer(model, config_class):
        class_name = tokenizers.default_class(model.model_type) or tokenizers.GENERIC[1]
    if class_name is None:
        return None

    def wanted(roles: Mapping[str, str], tokenizer: Any) -> Mapping[str, str]:
        known = vocabulary.wanted(values, roles)
        if _chosen(model, "class", _processors(), config_class) is None:
            return known  # nobody asks, and not every tokenizer can be copied to be asked
        make_of = functools.partial(make, model, config_class, values)
        asked, own = _asked(make_of, tokenizer, known)
        found = {**asked, **vocabulary.wanted(values, roles, own | asked)}
        # Those that it has itself need be no attributes of the tokenizer, only tokens.
        return {**found, **dict(zip(own.values(), own.values(), strict=True))}

    return tokenizers.build(class_name, model.tokenizer, folder, wanted)


def _asked(
    make_of: Callable[[Any], Made], tokenizer: Any, known: Mapping[str, str]
) -> tuple[dict[str, str], dict[str, str]]:
    """Special tokens by name: those that a processor asks its tokenizer for, and its own.

    ``known`` are those that the tokenizer will have.
    """
    found: dict[str, str] = {}
    tokenizer = copy.deepcopy(tokenizer)
    for name, token in known.items():
        _give(tokenizer, name, token)
    while True:
        try:
            processor = make_of(tokenizer).whole
            break
        except (AttributeError, ValueError) as error:
            lacking = LACKING.search(str(error))
            if lacking is None or lacking[1] in found:
                raise
            name = lacking[1]
            found[name] = f"<{name.removesuffix('_token')}>"
            _give(tokenizer, name, found[name])
    own = {
        name: str(token)
        for name, token in (vars(processor) if processor is not None else {}).items()
        if name.endswith("_token") and name not in vocabulary.NAMED_ROLES and token
    }
    borrowed = {name for name, token in own.items() if vocabulary.is_borrowed(name, token, known)}
    return found, {name: token for name, token in own.items() if name not in borrowed}


def _give(tokenizer: Any, name: str, token: str) -> None:
    """Let a tokenizer, which is only there to be asked, have a special token: of any id.

    It keeps what it has of that name itself.
    """
    if name not in vocabulary.NAMED_ROLES and not getattr(tokenizer, name, None):
        setattr(tokenizer, name, token)
        setattr(tokenizer, f"{name}_id", 0)


def make(model: Model, config_class: type, values: dict[str, Any], tokenizer: Any) -> Made:
    """All that turns raw inputs into tensors; a processor may add tokens to the ``tokenizer``.

    ``values`` is the shrunken configuration as a dict.
    """
    from transformers.models.auto.feature_extraction_auto import FEATURE_EXTRACTOR_MAPPING
    from transformers.models.auto.video_processing_auto import VIDEO_PROCESSOR_MAPPING

    parts: dict[str, Any] = {}
    if tokenizer is not None:
        parts["tokenizer"] = tokenizer
    image_processor = _image_processor_class(model, config_class)
    if image_processor is not None:
        own = model.processor.get("images", {})
        parts["image_processor"] = _image_processor(image_processor, values, own)
    extractor = _chosen(model, "feature_extractor", FEATURE_EXTRACTOR_MAPPING, config_class)
    video = _named(model, "video_processor") or _installed(
        _lookup(VIDEO_PROCESSOR_MAPPING, config_class)
    )
    processor = _chosen(model, "class", _processors(), config_class)
    taken = _parameters(processor) if processor is not None else {}
    if extractor is not None and (image_processor is None or set(EXTRACTORS) & set(taken)):
        parts["feature_extractor"] = _feature_extractor(extractor, values)
    if video is not None and (processor is None or "video_processor" in taken):
        parts["video_processor"] = _image_processor(
            video, values, model.processor.get("videos", {})
        )
    if processor is None:
        return Made(parts)

    def again(more: Mapping[str, Any]) -> Any:
        return _processor(processor, parts, values, {**more, **model.processor})

    return Made(parts, again({}), again)


def _features(network: Any, image_processor: Any) -> int | None:
    """The number of features that a network makes of an image, or of a tile; None where it has
    no fixed one.
    """
    import torch

    parts = network.modules()  # the network itself is the first
    find = next(
        (part.get_image_features for part in parts if hasattr(part, "get_image_features")), None
    )
    if find is None or image_processor is None:
        return None
    # What images of other sizes need, one of tiles or patches, has no fixed number.
    with contextlib.suppress(Exception), torch.inference_mode():
        given = image_processor(images=samples.image(), return_tensors="pt")
        known = inspect.signature(find).parameters
        found = find(**{name: value for name, value in given.items() if name in known})
        if isinstance(found, tuple) and len(found) > 1:
            found = found[0]  # of the one image that it was given: with what is more than features
        found = getattr(found, "pooler_output", found)
        if isinstance(found, (list, tuple)) and len(found) == 1:
            found = found[0][None]
            tiles = given["pixel_values"].shape[1:-3].numel()  # newer versions join them again
            if found.dim() == 3 and found.shape[1] % tiles == 0:
                found = found.unflatten(1, (tiles, -1))[0]
        if isinstance(found, torch.Tensor) and found.dim() > 2:
            return int(found.shape[1:-1].numel())
    return None


def _processors() -> Any:
    from transformers.models.auto.processing_auto import PROCESSOR_MAPPING

    return PROCESSOR_MAPPING


def _chosen(model: Model, part: str, mapping: Any, config_class: type) -> Any:
    """The class of a part: the registry's, which may say that there is none, else transformers'."""
    if part in model.processor and model.processor[part] is None:
        return None
    return _named(model, part) or _lookup(mapping, config_class)


def _named(model: Model, part: str) -> Any:
    """The class that the registry names for a part; None where it names none."""
    import transformers

    name = model.processor.get(part)
    return None if name is None else getattr(transformers, name)


def _parameters(cls: Any) -> dict[str, None]:
    """Names of a constructor's arguments, in their order.

    Some processors of 4.57 leave them to their base class, which takes what they call attributes.
    """
    return dict.fromkeys([*inspect.signature(cls.__init__).parameters, *_parts(cls)])


def _parts(cls: Any) -> list[str]:
    return list(getattr(cls, "attributes", ()))


def _lookup(mapping: Any, config_class: type) -> Any:
    try:
        return mapping[config_class]
    except KeyError:
        return None


def _needs_tokenizer(model: Model, config_class: type) -> bool:
    """Whether the model type has one, its task reads text, or its processor is made of one."""
    from transformers.models.auto.tokenization_auto import TOKENIZER_MAPPING

    from hf_tests.probe import tasks

    if _lookup(TOKENIZER_MAPPING, config_class) is not None:
        return True
    processor = _chosen(model, "class", _processors(), config_class)
    if processor is not None:
        return "tokenizer" in _parameters(processor)
    return model.task in tasks.names() and tasks.get(model.task).processor_class == "AutoTokenizer"


def _image_processor_class(model: Model, config_class: type) -> Any:
    """The image processor's class: the registry's, else the one that this installation would use.

    transformers 5 maps to one class a backend (torchvision, or PIL where that is missing), 4.57
    to a slow and a fast class, of which it has not both of every name.
    """
    import transformers
    from transformers.models.auto.image_processing_auto import IMAGE_PROCESSOR_MAPPING
    from transformers.utils import is_torchvision_available

    if "image_processor" in model.processor:
        name = model.processor["image_processor"]
        if name is None:  # of an image and a text only the text is read
            return None
        endings = ("", "Fast") if is_torchvision_available() else ("Pil", "", "Fast")
        found = [name + ending for ending in endings if hasattr(transformers, name + ending)]
        return getattr(transformers, found[0] if found else name)
    declared = _declared(_chosen(model, "class", _processors(), config_class))
    return declared or _installed(_lookup(IMAGE_PROCESSOR_MAPPING, config_class))


def _declared(processor: Any) -> Any:
    """The class of images' processor that a processor of 4.57 is made of and says so; else None."""
    import transformers

    names = getattr(processor, "image_processor_class", None)
    name = names[0] if isinstance(names, tuple) else names
    return None if name is None or name.startswith("Auto") else getattr(transformers, name)


def _installed(found: Any) -> Any:
    """The class that this installation would use, of those that a mapping has for a type."""
    from transformers.utils import is_torchvision_available

    if isinstance(found, Mapping):
        order = ("torchvision", "pil") if is_torchvision_available() else ("pil", "torchvision")
        return next((found[backend] for backend in order if found.get(backend)), None)
    if isinstance(found, tuple):
        return next((cls for cls in found if cls is not None), None)
    return found


def _image_processor(
    cls: Any, values: dict[str, Any], overrides: Mapping[str, Any] = MappingProxyType({})
) -> Any:
    """An instance whose sizes are those of the shrunken configuration; ``overrides`` win."""
    # What it cannot be made without stands in the configuration too.
    arguments = {
        name: values[name]
        for name, parameter in inspect.signature(cls.__init__).parameters.items()
        if parameter.default is inspect.Parameter.empty and name in values
    }
    default = cls(**arguments)
    size = shrink.image_size(values)
    crop = getattr(default, "crop_size", None)
    if size is not None:
        if isinstance(getattr(default, "image_size", None), int):
            arguments["image_size"] = max(size)
        sides = {"height": size[0], "width": size[1]}
        cut = {name: value for name, value in dict(crop or {}).items() if value}
        old = cut.get("height") or cut.get(SHORTEST) or size[0]
        if crop:
            arguments["crop_size"] = {SHORTEST: min(size)} if SHORTEST in cut else sides
        if getattr(default, "pad_size", None):
            arguments["pad_size"] = sides
        # One that cuts an image into tiles may have a larger one.
        tile = getattr(default, "max_image_size", None)
        free = {LONGEST} if tile is None else set()
        free |= {SHORTEST} if not cut else set()
        given = {
            name: value
            for name, value in dict(getattr(default, "size", None) or {}).items()
            if value
        }
        resized = {
            name: min(value, min(size) if name == SHORTEST else max(size))
            if len(given) == 1 and name in free
            else _resize(name, value, sides, old)
            for name, value in given.items()
        }
        if isinstance(tile, Mapping) and list(given) == [LONGEST]:
            arguments["max_image_size"] = {LONGEST: max(size)}
            resized = {name: value * max(size) // tile[LONGEST] for name, value in given.items()}
        if resized:
            arguments["size"] = resized
    found = images.resized(dict(getattr(default, "size", None) or {}), size, cropped=bool(crop))
    if found is not None:
        arguments["size"] = found
    for name, value in values.items():
        # Settings that both sides must agree on, such as the grid of image tiles.
        if name.startswith("image_grid") and hasattr(default, name):
            arguments[name] = value
    for block in shrink.blocks(values):
        for name, other in PATCH_SETTINGS.items():
            # Some have a height and a width of them, of which no configuration speaks.
            if isinstance(getattr(default, name, None), int) and isinstance(block.get(other), int):
                arguments.setdefault(name, block[other])
    return cls(**{**arguments, **overrides})


def _resize(name: str, size: int, sides: Mapping[str, int], old_crop: int) -> int:
    if name in sides:
        return sides[name]
    if name == SHORTEST:
        side = min(sides.values())
        return side if size == old_crop else round(size * side / old_crop)
    return size  # longest_edge: the model keeps its own resolution


def _feature_extractor(cls: Any, values: dict[str, Any]) -> Any:
    taken = _parameters(cls)
    # Settings that both sides must agree on: bands and frames of a spectrogram.
    arguments: dict[str, Any] = {
        name: values[name] for name in (BANDS, "max_length") if name in taken and name in values
    }
    rate = next((values[name] for name in RATES if name in values), None)
    if rate is not None and RATES[0] in taken:
        arguments[RATES[0]] = rate
    bands = next((block[BANDS] for block in shrink.blocks(values) if BANDS in block), None)
    if bands is not None and "feature_size" in taken and BANDS not in taken:
        arguments["feature_size"] = bands
    return cls(**arguments)


def _processor(
    cls: Any, parts: Mapping[str, Any], values: dict[str, Any], overrides: Mapping[str, Any]
) -> Any:
    """A processor of its parts; its other arguments come from the registry or the configuration."""
    arguments: dict[str, Any] = {}
    for name in _parameters(cls):
        if name in parts:
            arguments[name] = parts[name]
        elif name in EXTRACTORS and "feature_extractor" in parts:
            arguments[name] = parts["feature_extractor"]
        elif name.endswith("_tokenizer") and "tokenizer" in parts:
            arguments[name] = parts["tokenizer"]  # a second one, of its query or its protein
        elif name in overrides:
            arguments[name] = overrides[name]
        else:
            for block in shrink.blocks(values):
                if block.get(ALIASES.get(name, name)) is not None:
                    arguments[name] = block[ALIASES.get(name, name)]
                    break
    return cls(**arguments)
