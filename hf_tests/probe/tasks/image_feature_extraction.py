"""image-feature-extraction: a vector for each patch of an image."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Mapping
from typing import Any

from hf_tests.probe import classes, samples
from hf_tests.probe.tasks import base, features
from hf_tests.probe.tasks.image_classification import INPUT
from hf_tests.registry import Model

PIXELS, NOISE = "pixel_values", "noise"
PIXEL_DIMENSIONS = 4  # images, channels, rows, columns


class ImageFeatureExtraction(features.Features):
    """Backbones: what they see in an image is for others to use."""

    name = "image-feature-extraction"
    processor_class = "AutoImageProcessor"
    openvino_class = "OVModelForImageFeatureExtraction"
    unit = "images"

    def sample(self, model: Model) -> Any:
        return samples.image()

    def described(self, model: Model) -> str:
        return INPUT

    def inputs(self, subject: base.Subject) -> dict[str, Any]:
        drawn = samples.drawn(subject.model.samples.get("drawn", {}))
        if drawn:  # it reads features of an image, not the image
            return drawn
        given = self._given(subject)
        taken = classes.parameters_of(subject.model.class_name)
        found = {_argument(name, list(taken)): value for name, value in given.items()}
        if NOISE in taken:
            found[NOISE] = _noise(subject.model, found[PIXELS])
        return {name: value for name, value in found.items() if name in taken}

    def pipeline_misfit(self, subject: base.Subject) -> str | None:
        given, drawn = self._given(subject), subject.model.samples.get("drawn", {})
        lacking = [
            name
            for name, parameter in classes.parameters_of(subject.model.class_name).items()
            if name not in given and (parameter.default is inspect.Parameter.empty or name in drawn)
        ]
        if not lacking:
            return None
        return (
            f"the {self.name} pipeline gives {subject.model.class_name} what its processor makes, "
            f"{', '.join(given)}, and it cannot be called without {', '.join(lacking)}"
        )

    def _given(self, subject: base.Subject) -> dict[str, Any]:
        return dict(subject.processor(images=samples.image(), return_tensors="pt"))

    def batch(self, inputs: dict[str, Any], size: int) -> dict[str, Any]:
        return {
            name: value.repeat(*[1] * (value.dim() - 1), size)
            if in_a_row(inputs, value)
            else self.repeated(value, size)
            for name, value in inputs.items()
        }

    def processed(self, pipe: Any) -> dict[str, Any]:
        return dict(pipe.image_processor(images=samples.image(), return_tensors="pt"))


def in_a_row(inputs: Mapping[str, Any], value: Any) -> bool:
    """Whether a network is given the patches of all images side by side in one row of pixels.

    Another of its ``inputs`` has each image's rows and columns of them: so many squares fill it.
    """
    if value.dim() != PIXEL_DIMENSIONS:
        return False
    counted = [item for item in inputs.values() if item.dim() == 2 and item.shape[-1] == 2]
    return any(int(item.prod(-1).sum()) * value.shape[-2] == value.shape[-1] for item in counted)


def _argument(name: str, taken: Collection[str]) -> str:
    """What a network calls a processor's output.

    The tower of a larger model has shorter names than that has, and its pixels come first.
    """
    if name == PIXELS and name not in taken:
        return next(iter(taken), name)
    bare = name.removeprefix("image_")
    return next((form for form in (name, bare, f"pixel_{bare}") if form in taken), name)


def _noise(model: Model, pixels: Any) -> Any:
    """A number for each patch, drawn once: a network that hides those of large ones draws anew."""
    import torch
    from transformers import AutoConfig

    patch = AutoConfig.for_model(model.model_type, **model.config).patch_size
    drawn = torch.Generator().manual_seed(0)
    return torch.rand(1, pixels[0, 0].numel() // patch**2, generator=drawn)
