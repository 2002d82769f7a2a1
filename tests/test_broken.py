"""Checkpoints that are broken on purpose: none may pass, by whatever method."""

from __future__ import annotations

import contextlib
import json
import shutil
import unittest
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from hf_tests.family import run_check
from hf_tests.outcome import CheckResult
from hf_tests.probe import checkpoints, errors, integrity
from tests import support

ENCODER, DECODER = "bert-base-uncased", "gpt2"
METHODS = ("from_pretrained", "pipeline", "openvino")


class TestBroken(unittest.TestCase):
    def copy(self, model_id: str) -> Path:
        """A copy of the model's tiny checkpoint that may be spoilt."""
        folder = support.temporary_folder(self) / "checkpoint"
        shutil.copytree(checkpoints.folder_of(support.job(model_id)), folder)
        return folder

    def check(self, model_id: str, folder: Path, method: str) -> CheckResult:
        """Run one check on the folder."""
        device = "openvino" if method == "openvino" else "cpu"
        job = support.job(model_id, device, weights="local", checkpoint=str(folder))
        return run_check(job, method)[0]

    def assert_broken(self, model_id: str, folder: Path, kind: str, words: str) -> None:
        """Every method says what is wrong, and none passes."""
        for method in METHODS:
            with self.subTest(method=method):
                result = self.check(model_id, folder, method)
                self.assertIn(result.status, ("error", "failed"))
                self.assertEqual(result.error_type, kind, result.error)
                self.assertRegex(result.error or "", words)
                self.assertTrue(result.hint)
                self.assertIn("Traceback", result.traceback or "")

    def change(self, folder: Path, change: Any) -> None:
        """Rewrite the weights."""
        path = folder / "model.safetensors"
        weights = load_file(path)
        change(weights)
        save_file(weights, path, metadata={"format": "pt"})

    def test_a_type_published_under_another_name(self) -> None:
        """A name of the same configuration, or a part of it, is right; the rest is not."""
        folder = support.temporary_folder(self)
        cases = (
            ("llama", "code_llama", True),
            ("qwen2_vl", "qwen2_vl_text", True),
            ("qwen2_vl_text", "qwen2_vl", False),
            ("gpt2", "code_llama", False),
            ("no_such_type", "qwen2_vl_text", False),
        )
        for found, wanted, right in cases:
            with self.subTest(found=found, wanted=wanted):
                (folder / "config.json").write_text(json.dumps({"model_type": found}))
                expected: Any = contextlib.nullcontext()
                if not right:
                    expected = self.assertRaises(integrity.CorruptCheckpoint)
                with expected:
                    integrity.check_config(folder, wanted)

    def test_unspoilt_passes(self) -> None:
        """Else the others would show nothing."""
        for method in METHODS[:2]:
            result = self.check(ENCODER, self.copy(ENCODER), method)
            self.assertEqual(result.status, "passed", result.error)
            self.assertEqual(result.weights, "local")

    def test_last_layer_missing_from_the_file(self) -> None:
        """transformers would initialise it at random and only warn."""

        def drop(weights: dict[str, Any]) -> None:
            for name in [name for name in weights if "layer.1." in name]:
                del weights[name]

        folder = self.copy(ENCODER)
        self.change(folder, drop)
        self.assert_broken(ENCODER, folder, "corrupt_checkpoint", "not in the files.*layer.1")

    def test_head_of_another_task(self) -> None:
        import transformers

        folder = self.copy(ENCODER)
        config = transformers.BertConfig.from_pretrained(str(folder))
        (folder / "model.safetensors").unlink()
        transformers.BertForSequenceClassification(config).save_pretrained(str(folder))
        self.assert_broken(
            ENCODER, folder, "corrupt_checkpoint", "not in the files.*cls.predictions"
        )

    def test_tokenizer_larger_than_the_model(self) -> None:
        import transformers

        folder = self.copy(DECODER)
        tokenizer = transformers.AutoTokenizer.from_pretrained(str(folder))
        tokenizer.add_tokens(["<one-too-many>"])
        tokenizer.save_pretrained(str(folder))
        self.assert_broken(DECODER, folder, "corrupt_checkpoint", "tokenizer gives ids up to")

    def test_one_value_that_is_no_number(self) -> None:
        """In a row of the embedding that the sample never reads."""

        def spoil(weights: dict[str, Any]) -> None:
            weights["transformer.wte.weight"][-1, 0] = float("nan")

        folder = self.copy(DECODER)
        self.change(folder, spoil)
        self.assert_broken(DECODER, folder, "corrupt_checkpoint", "1 values of .*wte.* not finite")

    def test_truncated_file(self) -> None:
        folder = self.copy(DECODER)
        path = folder / "model.safetensors"
        path.write_bytes(path.read_bytes()[:-1000])
        self.assert_broken(DECODER, folder, "corrupt_checkpoint", "(?i)safetensor")

    def test_weights_of_another_shape(self) -> None:
        def cut(weights: dict[str, Any]) -> None:
            weights["transformer.wpe.weight"] = weights["transformer.wpe.weight"][
                :, :-1
            ].contiguous()

        folder = self.copy(DECODER)
        self.change(folder, cut)
        self.assert_broken(DECODER, folder, "corrupt_checkpoint", "(?i)mismatch|shape")

    def test_weights_in_a_pickle(self) -> None:
        folder = self.copy(DECODER)
        path = folder / "model.safetensors"
        torch.save(load_file(path), folder / "pytorch_model.bin")
        path.unlink()
        self.assert_broken(DECODER, folder, "corrupt_checkpoint", "no file named model.safetensors")

    def test_no_config(self) -> None:
        folder = self.copy(ENCODER)
        (folder / "config.json").unlink()
        result = self.check(ENCODER, folder, "from_pretrained")
        self.assertEqual(result.status, "error")
        self.assertIn("holds no config.json", result.error or "")

    def test_constant_output_is_wrong(self) -> None:
        """A model whose output reads nothing of its input."""

        def silence(weights: dict[str, Any]) -> None:
            for name in weights:
                if name.startswith("classifier"):
                    weights[name] = torch.zeros_like(weights[name])

        model_id = "google/vit-base-patch16-224"
        folder = self.copy(model_id)
        self.change(folder, silence)
        result = self.check(model_id, folder, "from_pretrained")
        self.assertEqual((result.status, result.error_type), ("failed", "wrong_output"))
        self.assertTrue(result.measurement.trial_times, "what was measured before is kept")

    def test_config_of_another_class(self) -> None:
        folder = self.copy(ENCODER)
        path = folder / "config.json"
        config = json.loads(path.read_text())
        path.write_text(json.dumps({**config, "model_type": "electra"}))
        self.assert_broken(ENCODER, folder, "corrupt_checkpoint", "model_type 'electra'")


class TestFullDisk(unittest.TestCase):
    def test_told_apart_from_a_corrupt_checkpoint(self) -> None:
        """The writer of weights reports it in an error of its own."""
        from safetensors import SafetensorError

        full = SafetensorError("Error while serializing: I/O error: No space left on device")
        self.assertEqual(errors.classify(full), "disk_full")
        self.assertEqual(errors.classify(SafetensorError("header too large")), "corrupt_checkpoint")


class TestExpectations(unittest.TestCase):
    """Entries that are known not to work."""

    def run_with(self, expected: dict[str, Any], checkpoint: str | None = None) -> CheckResult:
        import dataclasses

        from hf_tests.registry import Expectation

        item = Expectation(method="from_pretrained", reason="known", **expected)
        model = dataclasses.replace(support.model(DECODER), expected=(item,))
        return run_check(support.job(DECODER, model=model, checkpoint=checkpoint), item.method)[0]

    def test_failure_that_is_expected(self) -> None:
        result = self.run_with({"status": "expected_failure"}, checkpoint="/nowhere")
        self.assertEqual((result.status, result.reason), ("expected_failure", "known"))
        self.assertIn("config.json", result.error or "")
        self.assertFalse(result.is_bad)

    def test_failure_for_another_reason_is_a_failure(self) -> None:
        expected = {"status": "expected_failure", "error": "holds no config.json"}
        self.assertEqual(self.run_with(expected, checkpoint="/nowhere").status, "expected_failure")
        either = {**expected, "error": ["other words", "holds no config.json"]}
        self.assertEqual(self.run_with(either, checkpoint="/nowhere").status, "expected_failure")
        neither = {**expected, "error": ["other words", "config.yaml"]}
        self.assertEqual(self.run_with(neither, checkpoint="/nowhere").status, "error")
        result = self.run_with({**expected, "error": "other words"}, checkpoint="/nowhere")
        self.assertEqual((result.status, result.reason), ("error", None))
        self.assertTrue(result.is_bad)

    def test_success_that_is_not(self) -> None:
        result = self.run_with({"status": "expected_failure"})
        self.assertEqual(result.status, "unexpected_success")
        self.assertTrue(result.is_bad)

    def test_skip(self) -> None:
        self.assertEqual(self.run_with({"status": "skipped"}).status, "skipped")

    def test_versions_and_devices_limit_it(self) -> None:
        for limit in (
            {"versions": {"transformers": "<4"}},
            {"versions": {"no-such-library": ">0"}},
            {"device": "cuda"},
            {"weights": "hub"},
        ):
            with self.subTest(limit):
                result = self.run_with({"status": "expected_failure", **limit})
                self.assertEqual(result.status, "passed", result.error)

    def test_a_dtype_limits_it(self) -> None:
        """Of a check in several dtypes: nothing else is excused, and what passes is noticed."""
        import dataclasses

        from hf_tests.registry import Expectation

        def property_width(loaded: Any) -> None:
            """A network that cannot compute in two bytes."""
            if loaded.network.dtype in failing:
                raise RuntimeError(f"cannot compute in {loaded.network.dtype}")

        half, brain = torch.float16, torch.bfloat16
        for failing, words, names, status in (
            ((brain,), "torch.bfloat16", ("bfloat16",), "expected_failure"),
            ((brain,), "torch.bfloat16", ("bfloat16", "float32"), "unexpected_success"),
            ((brain, half), "cannot compute", ("bfloat16", "float16"), "expected_failure"),
            ((brain, half), "cannot compute", ("bfloat16",), "error"),
            ((brain,), "other words", ("bfloat16",), "error"),
            ((), "cannot compute", ("float32",), "unexpected_success"),
            ((), "cannot compute", (), "passed"),
        ):
            items = tuple(
                Expectation("from_pretrained", "expected_failure", "known", words, dtype=name)
                for name in names
            )
            with self.subTest(failing=failing, words=words, names=names):
                model = dataclasses.replace(support.model(DECODER), expected=items)
                job = support.job(DECODER, model=model)
                job = job.replace(dtypes=("float32", "bfloat16", "float16"))
                result = run_check(job, "from_pretrained", (property_width,))[0]
                self.assertEqual(result.status, status, result.error)
            with self.subTest("in the usual dtype", failing=failing, words=words, names=names):
                usual = run_check(job.replace(dtypes=()), "from_pretrained", (property_width,))[0]
                wanted = "unexpected_success" if "float32" in names else "passed"
                self.assertEqual(usual.status, wanted, usual.error)
