"""Checks on batches: a row of figures for each size, and every input of a batch counts."""

from __future__ import annotations

import os
import sys
import unittest
import unittest.mock
from typing import Any

import torch

from hf_tests import dependencies
from hf_tests.family import run_check
from hf_tests.nightly import merge
from hf_tests.outcome import CheckResult
from hf_tests.probe import inference, page_cache, tasks
from tests import support

MIB = 1024 * 1024


class TestBatches(unittest.TestCase):
    def check(self, model_id: str, method: str = "from_pretrained") -> CheckResult:
        job = support.job(model_id, batch_sizes=(2, 3), trials=2, min_trials=2)
        return run_check(job, method)[0]

    def test_each_size_has_figures_of_its_own(self) -> None:
        result = self.check("gpt2")
        self.assertEqual(result.status, "passed", result.error)
        rows = merge.performance_rows(result)
        self.assertEqual(
            list(rows),
            ["from_pretrained_cpu", "from_pretrained_cpu_batch2", "from_pretrained_cpu_batch3"],
        )
        for size, row in enumerate(rows.values(), 1):
            self.assertEqual((row["batch_size"], row["work"]), (size, 12 * size))
            self.assertEqual(row["tokens"], 12 * size)
            self.assertEqual(row["throughput"], row["work"] / row["median_time"])
            firsts, wholes = row["first_token_times"], row["trial_times"]
            self.assertTrue(0 < firsts[0] < wholes[0] and 0 < firsts[1] < wholes[1])
            rest = (wholes[0] - firsts[0] + wholes[1] - firsts[1]) / 2
            self.assertAlmostEqual(row["decoding_rate"], 11 * size / rest)
        parities = [row["parity"] for row in rows.values()]
        self.assertIsNone(parities[0], "it is the reference")
        self.assertLess(max(parities[1:]), 1e-5)

    def test_a_fault_in_one_input_of_a_batch(self) -> None:
        import transformers

        forward = transformers.GPT2LMHeadModel.forward

        def crude(self: Any, *arguments: Any, **options: Any) -> Any:
            outputs = forward(self, *arguments, **options)
            outputs.logits[2:] = outputs.logits[2:].flip(-1)
            return outputs

        with unittest.mock.patch.object(transformers.GPT2LMHeadModel, "forward", crude):
            result = self.check("gpt2")
        self.assertEqual((result.status, result.error_type), ("failed", "wrong_output"))
        words = "in batches of 3: WrongOutput: logits differs from the float32 reference"
        self.assertTrue((result.error or "").startswith(words), result.error)
        self.assertEqual([row.error is None for row in result.rows], [True, False])
        self.assertIsNotNone(result.measurement.load_time, "the single input's figures stay")

    def test_what_is_scored_in_pairs_has_more_columns_too(self) -> None:
        task = tasks.get("zero-shot-video-classification")
        wanted = torch.arange(9.0).view(3, 3)
        found = inference._repeated(task, wanted, 2, torch.empty(6, 6))
        self.assertEqual(found.shape, (6, 6))
        for corner in (found[:3, :3], found[3:, 3:], found[3:, :3]):
            self.assertTrue(torch.equal(corner, wanted))
        self.assertEqual(inference._repeated(task, wanted, 2, torch.empty(6, 3)).shape, (6, 3))

    def test_every_family(self) -> None:
        """By its default model: an input may be patches, tiles, codebooks, labels or points."""
        timed = 0
        for family in support.shipped().families:
            model = support.model(family.default_model)
            if dependencies.unmet(model.dependencies) is not None:
                continue
            with self.subTest(family.name):
                job = support.job(model.id, batch_sizes=(2,), trials=1, min_trials=1)
                result, _ = run_check(job, "from_pretrained", support.properties(family.name))
                self.assertEqual(result.status, "passed", result.error)
                (row,) = result.rows
                self.assertTrue(row.reason or row.measurement.trial_times)
                timed += row.reason is None
        self.assertGreater(timed, 35)

    def test_pipeline(self) -> None:
        result = self.check("bert-base-uncased", "pipeline")
        self.assertEqual(result.status, "passed", result.error)
        self.assertEqual([row.measurement.work for row in result.rows], [2, 3])

    def test_pipeline_that_takes_one_input_at_a_time(self) -> None:
        result = self.check("gpt2", "pipeline")
        self.assertEqual(result.status, "passed", result.error)
        self.assertIn("no padding token", result.rows[0].reason or "")
        self.assertEqual(list(merge.performance_rows(result)), ["pipeline_cpu"])


@unittest.skipUnless(sys.platform.startswith("linux"), "only Linux tells")
class TestPageCache(unittest.TestCase):
    def test_written_dropped_and_read_again(self) -> None:
        folder = support.temporary_folder(self)
        self.assertIsNone(page_cache.share(folder), "there is nothing to read")
        path = folder / "weights" / "model.safetensors"
        path.parent.mkdir()
        path.write_bytes(os.urandom(8 * MIB))
        self.assertEqual(page_cache.share(folder), 1.0)
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            self.assertEqual(page_cache.share(folder), 0.0)
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_RANDOM)  # no reading ahead
            file.read(2 * MIB)
        self.assertAlmostEqual(page_cache.share(folder) or 0, 0.25, delta=0.1)


if __name__ == "__main__":
    unittest.main()
