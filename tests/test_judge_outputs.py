"""The judgements of what networks give, on tiny models' own outputs."""

from __future__ import annotations

import types
import unittest
from typing import Any

import torch

from hf_tests.probe.judge import WrongOutput
from hf_tests.probe.tasks import Subject, get
from tests import support


class TestOutputs(unittest.TestCase):
    """Outputs of networks: real ones of tiny models are accepted, spoilt ones are not."""

    def subject(self, model_id: str) -> tuple[Any, Subject, dict[str, Any], Any]:
        import transformers

        from hf_tests.probe import checkpoints

        task = get(support.model(model_id).task)
        folder = str(checkpoints.folder_of(support.job(model_id)))
        network = getattr(transformers, support.model(model_id).class_name).from_pretrained(folder)
        processor = task.load_processor(folder)
        subject = Subject(support.model(model_id), network.eval(), processor)
        with torch.inference_mode():
            inputs = task.inputs(subject)
            outputs = task.run(subject, inputs)
            task.judge(subject, inputs, outputs)
        return task, subject, inputs, outputs

    def test_maps_and_masks(self) -> None:
        named = {
            "LiheYoung/depth-anything-small-hf": "predicted_depth",
            "nvidia/segformer-b0-finetuned-ade-512-512": "logits",
            "facebook/mask2former-swin-small-coco-instance": "class_queries_logits",
            "BAAI/seggpt-vit-large": "pred_masks",
        }
        for model_id, name in named.items():
            task, subject, inputs, outputs = self.subject(model_id)
            tensor = outputs[name]
            broken = {"NaN": tensor / 0 * 0, "constant": tensor * 0, "one less": tensor[0]}
            for how, value in broken.items():
                spoilt = type(outputs)(**{**outputs, name: value})
                with self.subTest(model=model_id, how=how), self.assertRaises(WrongOutput):
                    task.judge(subject, inputs, spoilt)

    def spoil(self, model_id: str, name: str) -> None:
        task, subject, inputs, outputs = self.subject(model_id)
        tensor = outputs[name]
        broken = {
            "NaN": tensor * float("nan"),
            "constant": torch.zeros_like(tensor),
            "cut": tensor[..., :-1],
        }
        for how, value in broken.items():
            spoilt = type(outputs)(**{**outputs, name: value})
            with self.subTest(model=model_id, how=how), self.assertRaises(WrongOutput):
                task.judge(subject, inputs, spoilt)

    def test_logits(self) -> None:
        self.spoil("bert-base-uncased", "logits")
        self.spoil("google/vit-base-patch16-224", "logits")
        self.spoil("facebook/wav2vec2-base-960h", "logits")
        self.spoil("openai/clip-vit-base-patch32", "logits_per_image")

    def test_generated_steps(self) -> None:
        for model_id in ("gpt2", "t5-small", "llava-hf/llava-1.5-7b-hf", "google/pix2struct-base"):
            task, subject, inputs, outputs = self.subject(model_id)
            last = outputs.logits[-1]
            broken = {
                "NaN": {"logits": (*outputs.logits[:-1], last * float("nan"))},
                "constant": {"logits": (*outputs.logits[:-1], torch.zeros_like(last))},
                "too few": {"logits": outputs.logits[:-1]},
                "cut short": {"sequences": outputs.sequences[:, :-1]},
                "outside the vocabulary": {"sequences": outputs.sequences + 10**6},
            }
            for how, change in broken.items():
                spoilt = types.SimpleNamespace(**{**dict(outputs), **change})
                with self.subTest(model=model_id, how=how), self.assertRaises(WrongOutput):
                    task.judge(subject, inputs, spoilt)
