"""depth-estimation: how far away what each pixel of an image shows is."""

from __future__ import annotations

from typing import Any

from hf_tests.outcome import Example
from hf_tests.probe import judge, samples
from hf_tests.probe.tasks import base
from hf_tests.probe.tasks.image_classification import INPUT
from hf_tests.registry import Model

STEPS = 255  # of the grey that the pipeline shows depth in
ONE_STEP = 1.001  # it is cut to a whole one, and counted in float32


class DepthEstimation(base.Task):
    """One number a pixel, of the model's own unit and direction, none below zero.

    Made as large as the image it may be, since some maps are resized by cubic curves."""

    name = "depth-estimation"
    processor_class = "AutoImageProcessor"
    openvino_class = "OVModelForDepthEstimation"
    unit = "images"
    compared_outputs = ("predicted_depth", "field_of_view")

    def inputs(self, subject: base.Subject) -> dict[str, Any]:
        return dict(subject.processor(images=samples.image(), return_tensors="pt"))

    def compared(self, outputs: Any) -> dict[str, Any]:
        # How wide a view an image shows is for some models to find.
        return {name: outputs[name] for name in self.compared_outputs if name in outputs}

    def answer(self, outputs: Any) -> Any:
        return outputs.predicted_depth[:, None]  # an image has channels before rows and columns

    def judge(self, subject: base.Subject, inputs: dict[str, Any], outputs: Any) -> base.Verdict:
        judge.shape(outputs.predicted_depth, (1, None, None), "predicted_depth")
        judge.finite(outputs.predicted_depth, "predicted_depth")
        least = float(outputs.predicted_depth.min())
        judge.require(least >= 0, f"predicted_depth of {least}")
        found = subject.processor.post_process_depth_estimation(
            base.in_float32(outputs), [samples.IMAGE_SIZE[::-1]]
        )
        return self._verdict(found[0]["predicted_depth"])

    def call(self, model: Model, pipe: Any) -> Any:
        return pipe(samples.image())

    def judge_answer(self, model: Model, pipe: Any, answer: Any) -> base.Verdict:
        import numpy

        judge.keys(answer, ("predicted_depth", "depth"), "answer")
        verdict = self._verdict(answer["predicted_depth"])
        picture = numpy.asarray(answer["depth"], dtype=float)
        judge.shape(picture, samples.IMAGE_SIZE[::-1], "the picture of depth")
        depth = answer["predicted_depth"].double().cpu().numpy()
        wanted = (depth - depth.min()) / (depth.max() - depth.min()) * STEPS
        judge.require(
            bool(abs(picture - wanted).max() <= ONE_STEP), "the picture does not show the depth"
        )
        return verdict

    def _verdict(self, depth: Any) -> base.Verdict:
        """Judge the depth of each pixel of the sample image."""
        depth = depth.float().cpu()
        judge.shape(depth, samples.IMAGE_SIZE[::-1], "depth in the image")
        judge.finite(depth, "depth in the image")
        judge.varied(depth, "depth in the image")
        column, row = samples.POINT
        prediction = {
            "smallest": float(depth.min()),
            "largest": float(depth.max()),
            "mean": float(depth.mean()),
            "in the circle": float(depth[row, column]),
        }
        return base.Verdict((prediction,), Example(INPUT, prediction))
