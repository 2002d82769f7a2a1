"""feature-extraction: a vector for each token of a text."""

from __future__ import annotations

from typing import Any

from hf_tests.probe import samples
from hf_tests.probe.tasks import base, features
from hf_tests.registry import Model

SCALE = "bbox_scale"
TEXT = "A small robot carries a red box across the wide garden."


class FeatureExtraction(features.Features):
    """Encoders of texts whose vectors are used as they are, to search and to compare."""

    name = "feature-extraction"
    processor_class = "AutoTokenizer"
    openvino_class = "OVModelForFeatureExtraction"
    sample_text = TEXT
    unit = "sequences"

    def sample(self, model: Model) -> str:
        return self.text(model)

    def described(self, model: Model) -> str:
        return self.sample(model)

    def inputs(self, subject: base.Subject) -> dict[str, Any]:
        if subject.model.samples.get("page"):
            return _page(subject)
        return dict(subject.processor(self.sample(subject.model), return_tensors="pt"))


def _page(subject: base.Subject) -> dict[str, Any]:
    """The tokens of the sample page's words with the boxes of these.

    A network that scales its boxes takes them as shares of the page.
    """
    import torch
    from transformers import AutoConfig

    words = [word for word, _ in samples.DOCUMENT]
    found = subject.processor(words, is_split_into_words=True, return_tensors="pt")
    nowhere = (0, 0, 0, 0)
    boxes = [nowhere if word is None else samples.DOCUMENT[word][1] for word in found.word_ids(0)]
    places = torch.tensor([boxes])
    if hasattr(AutoConfig.for_model(subject.model.model_type, **subject.model.config), SCALE):
        places = places / samples.PAGE
    return {**found, "bbox": places}
