"""Vision towers: what they are given, by which names, and how images stand in a batch."""

from __future__ import annotations

import unittest
from typing import Any

import torch
import transformers

from hf_tests.probe import checkpoints, loading, tasks
from tests import support

PACKED = "zai-org/GLM-4.1V-9B-Thinking#vision"
HIDING = "facebook/vit-mae-base"


class TestTowers(unittest.TestCase):
    def loaded(self, model_id: str) -> tuple[tasks.Subject, dict[str, Any]]:
        """A tiny tower, and the inputs of its task."""
        job = support.job(model_id)
        folder = checkpoints.folder_of(job)
        network = getattr(transformers, job.model.class_name).from_pretrained(folder).eval()
        subject = tasks.Subject(job.model, network, loading.processor(job, str(folder)))
        return subject, tasks.get(job.model.task).inputs(subject)

    def test_inputs_have_the_names_that_the_network_knows(self) -> None:
        subject, inputs = self.loaded(PACKED)
        self.assertEqual(sorted(inputs), ["grid_thw", "hidden_states"])
        misfit = tasks.get(subject.model.task).pipeline_misfit(subject)
        assert misfit is not None
        self.assertIn("pixel_values, image_grid_thw, and", misfit)
        self.assertIn("without hidden_states, grid_thw", misfit)
        plain, _ = self.loaded(HIDING)
        self.assertIsNone(tasks.get(plain.model.task).pipeline_misfit(plain))

    def test_packed_images_follow_one_another_in_a_batch(self) -> None:
        subject, inputs = self.loaded(PACKED)
        task = tasks.get(subject.model.task)
        with torch.no_grad():
            alone = task.answer(task.run(subject, inputs))
            found = task.answer(task.run(subject, task.batch(inputs, 2)))
        torch.testing.assert_close(found, task.repeated(alone, 2), rtol=0, atol=1e-4)
        mixed = alone.repeat_interleave(2, 0)
        self.assertGreater(float((found - mixed).abs().max()), 0.01, "patches of one image apart")

    def test_what_is_hidden_is_drawn_once(self) -> None:
        subject, inputs = self.loaded(HIDING)
        task = tasks.get(subject.model.task)
        with torch.no_grad():
            first, second = (task.answer(task.run(subject, inputs)) for _ in range(2))
            other = task.answer(task.run(subject, {**inputs, "noise": inputs["noise"].flip(1)}))
        torch.testing.assert_close(first, second, rtol=0, atol=0)
        self.assertGreater(float((first - other).abs().max()), 0.01)
