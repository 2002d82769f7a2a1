"""image-to-image: an image made larger, sharper or cleaner."""

from __future__ import annotations

from typing import Any

from hf_tests.outcome import Example
from hf_tests.probe import judge, samples
from hf_tests.probe.tasks import base
from hf_tests.registry import Model

SIZE = (64, 48)  # pixels, width and height: such models attend at every pixel
INPUT = f"a drawn image of {SIZE[0]} x {SIZE[1]} pixels"


class ImageToImage(base.Task):
    """Restoration: what comes out is an image in the colours' own range, from 0 to 1."""

    name = "image-to-image"
    processor_class = "AutoImageProcessor"
    openvino_class = "OVModelForImageToImage"
    unit = "images"
    compared_outputs = ("reconstruction",)

    def inputs(self, subject: base.Subject) -> dict[str, Any]:
        return dict(subject.processor(images=_image(), return_tensors="pt"))

    def judge(self, subject: base.Subject, inputs: dict[str, Any], outputs: Any) -> base.Verdict:
        images = outputs.reconstruction.float().cpu()
        count, channels, height, width = inputs["pixel_values"].shape
        scale = getattr(subject.config, "upscale", 1)
        judge.shape(images, (count, channels, scale * height, scale * width), "images")
        judge.finite(images, "images")
        judge.varied(images, "images")
        prediction = {
            "width": images.shape[-1],
            "height": images.shape[-2],
            "colour": [round(float(value), 6) for value in images[0].mean((1, 2))],
        }
        return base.Verdict((prediction,), Example(INPUT, prediction))

    def call(self, model: Model, pipe: Any) -> Any:
        return pipe(_image())

    def judge_answer(self, model: Model, pipe: Any, answer: Any) -> base.Verdict:
        import numpy

        judge.require(hasattr(answer, "size"), f"the image is a {type(answer).__name__}")
        scale = getattr(pipe.model.config, "upscale", 1)
        for found, given, what in zip(answer.size, SIZE, ("wide", "high"), strict=True):
            judge.require(
                found >= scale * given, f"the image is {found} pixels {what}, not {scale} * {given}"
            )
        pixels = numpy.asarray(answer)
        judge.require(bool(pixels.min() < pixels.max()), "the image is of one colour")
        prediction = {"width": answer.size[0], "height": answer.size[1]}
        return base.Verdict((prediction,), Example(INPUT, prediction))


def _image() -> Any:
    return samples.image().resize(SIZE)
