"""Properties of promptable segmentation."""

from __future__ import annotations

from typing import Any

from hf_tests.probe import samples
from hf_tests.probe.judge import shape
from hf_tests.probe.properties.base import Loaded

ELSEWHERE = (245.0, 145.0)  # a point in the square of the sample image


def _prompted(loaded: Loaded, **prompts: Any) -> Any:
    """The network's answer to prompts in pixels of the sample image."""
    options = {"multimask_output": prompts.pop("multimask_output", True)}
    inputs = loaded.place(loaded.processor(images=samples.image(), return_tensors="pt", **prompts))
    given = {name: inputs[name] for name in inputs if name.startswith("input_")}
    embeddings = loaded.once(
        "image embeddings",
        lambda: loaded.network.get_image_embeddings(loaded.inputs["pixel_values"]),
    )
    if isinstance(embeddings, tuple):  # those of the layers before come beside them
        embeddings, given["intermediate_embeddings"] = embeddings
    return loaded.network(image_embeddings=embeddings, **given, **options)


def points_and_boxes_are_read(loaded: Loaded) -> None:
    """A point, a point outside and a box give masks of one shape, and each gives its own."""
    point = _prompted(loaded, input_points=[[[list(samples.POINT)]]], input_labels=[[[1]]])
    outside = _prompted(loaded, input_points=[[[list(samples.POINT)]]], input_labels=[[[0]]])
    box = _prompted(loaded, input_boxes=[[[float(edge) for edge in samples.BOX]]])
    for other, what in ((outside, "a point outside"), (box, "a box")):
        shape(other.pred_masks, point.pred_masks.shape, f"masks of {what}")
        loaded.different(
            other.pred_masks, point.pred_masks, f"masks of {what} are those of a point inside"
        )


def answers_keep_the_order_of_prompts(loaded: Loaded) -> None:
    """Prompts in another order get their masks and scores in that order."""
    points = [[list(samples.POINT)], [list(ELSEWHERE)]]
    found = _prompted(loaded, input_points=[points[::-1]])
    wanted = _prompted(loaded, input_points=[points])
    count = loaded.config.mask_decoder_config.num_multimask_outputs
    shape(wanted.iou_scores, (1, len(points), count), "scores")
    shape(wanted.pred_masks, (1, len(points), count, None, None), "masks")
    loaded.same(found.pred_masks.flip(1), wanted.pred_masks, "masks of exchanged prompts")
    loaded.same(found.iou_scores.flip(1), wanted.iou_scores, "scores of exchanged prompts")
    loaded.different(
        wanted.pred_masks[:, :1], wanted.pred_masks[:, 1:], "two prompts get the same masks"
    )


def one_mask_is_asked_for(loaded: Loaded) -> None:
    """Without several masks a prompt there is one, with its score, and it is none of them."""
    prompts = {"input_points": [[[list(samples.POINT)]]]}
    one = _prompted(loaded, **prompts, multimask_output=False)
    shape(one.iou_scores, (1, 1, 1), "scores")
    shape(one.pred_masks, (1, 1, 1, None, None), "masks")
    several = _prompted(loaded, **prompts).pred_masks
    loaded.different(one.pred_masks.expand_as(several), several, "the one mask is one of several")


def embeddings_serve_many_prompts(loaded: Loaded) -> None:
    """An image's embeddings, made once, give the masks that the image gives."""
    whole = loaded.outputs
    found = _prompted(loaded, input_points=[[[list(samples.POINT)]]])
    loaded.same(found.pred_masks, whole.pred_masks, "masks from embeddings")
    loaded.same(found.iou_scores, whole.iou_scores, "scores from embeddings")
