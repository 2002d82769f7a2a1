"""Properties of dual encoders, which score images against texts."""

from __future__ import annotations

from hf_tests.probe.judge import require
from hf_tests.probe.properties.base import Loaded


def embeddings_are_normalised(loaded: Loaded) -> None:
    """Embeddings of images and texts have a length of one."""
    outputs = loaded.outputs
    for name in ("image_embeds", "text_embeds"):
        off = float((outputs[name].double().norm(dim=-1) - 1.0).abs().max())
        require(off <= loaded.tolerance, f"{name}: lengths are off one by {off:.2g}")


def logit_scale_is_applied(loaded: Loaded) -> None:
    """Logits are the embeddings' products times the exponential of the learned scale."""
    outputs = loaded.outputs
    products = outputs.image_embeds.double() @ outputs.text_embeds.double().T
    logits = products * loaded.network.logit_scale.double().exp()
    bias = getattr(loaded.network, "logit_bias", None)
    if bias is not None:
        logits = logits + bias.double()
    loaded.same(outputs.logits_per_image, logits, "logits are not the scaled products")


def order_of_labels_changes_nothing(loaded: Loaded) -> None:
    """The same labels in another order get the same logits."""
    per_label = {
        name: value
        for name, value in loaded.inputs.items()
        if name in loaded.tokenizer.model_input_names
    }
    turned = {name: value.roll(1, 0) for name, value in per_label.items()}
    found = loaded.network(**{**loaded.inputs, **turned}).logits_per_image
    wanted = loaded.outputs.logits_per_image
    loaded.same(found, wanted.roll(1, 1), "a label's logit depends on its place")
