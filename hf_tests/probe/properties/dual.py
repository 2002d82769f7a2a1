"""Properties of dual encoders, which score images, videos or sounds against texts."""

from __future__ import annotations

from typing import Any

from hf_tests.probe.judge import require
from hf_tests.probe.properties.base import Loaded
from hf_tests.probe.tasks.zero_shot_image_classification import EMBEDDINGS, names


def embeddings_are_normalised(loaded: Loaded) -> None:
    """Embeddings of images, or videos, and texts have a length of one."""
    outputs = loaded.outputs
    for name in names(outputs, _seen(outputs))[1:]:
        off = float((outputs[name].double().norm(dim=-1) - 1.0).abs().max())
        require(off <= loaded.tolerance, f"{name}: lengths are off one by {off:.2g}")


def logit_scale_is_applied(loaded: Loaded) -> None:
    """Logits are the embeddings' products times the learned scale, or over the temperature."""
    outputs, network = loaded.outputs, loaded.network
    seen = _seen(outputs)
    of_logits, of_seen, of_texts = names(outputs, seen)
    # Texts may have embeddings of their own for each video.
    products = (outputs[of_seen].double()[:, None] * outputs[of_texts].double()).sum(-1)
    # Of a scale that is no logarithm, and a bias.
    own = f"{of_texts.removesuffix(EMBEDDINGS)}_logit_"
    if hasattr(network, f"{own}scale"):
        logits = products * getattr(network, f"{own}scale").double()
        logits = logits + getattr(network, f"{own}bias").double()
    elif hasattr(network, "temperature"):
        logits = products / network.temperature.double()
    else:
        # Some have one for texts too.
        scale = getattr(network, "logit_scale", None)
        scale = getattr(network, f"logit_scale_{seen[0]}") if scale is None else scale
        logits = products * scale.double().exp()
    bias = getattr(network, "logit_bias", None)
    if bias is not None:
        logits = logits + bias.double()
    loaded.same(outputs[of_logits], logits, "logits are not the scaled products")


def order_of_labels_changes_nothing(loaded: Loaded) -> None:
    """The same labels in another order get the same logits."""
    per_label = {
        name: value
        for name, value in loaded.inputs.items()
        if name in loaded.tokenizer.model_input_names
    }
    turned = {name: value.roll(1, 0) for name, value in per_label.items()}
    name = names(loaded.outputs, _seen(loaded.outputs))[0]
    found = loaded.network(**{**loaded.inputs, **turned})[name]
    loaded.same(found, loaded.outputs[name].roll(1, 1), "a label's logit depends on its place")


def _seen(outputs: Any) -> str:
    """What is held against texts: an image, a video, a sound, or the last two together."""
    found = [str(name).removesuffix(EMBEDDINGS) for name in outputs if name.endswith(EMBEDDINGS)]
    scored = [name for name in found if name != "text" and names(outputs, name)[0] in outputs]
    return max(scored, key=len)
