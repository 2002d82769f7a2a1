"""Parity: its figures, its tolerances and its reference."""

from __future__ import annotations

import math
import unittest
import unittest.mock
from typing import Any

import torch

from hf_tests import dependencies
from hf_tests.family import run_check
from hf_tests.nightly import merge
from hf_tests.outcome import CheckResult, Parity
from hf_tests.probe import checkpoints, devices, parity, reference, tolerances
from hf_tests.probe.judge import WrongOutput
from hf_tests.probe.record import Record
from tests import support


class TestFigures(unittest.TestCase):
    def setUp(self) -> None:
        generator = torch.Generator().manual_seed(0)
        self.wanted = torch.randn(4, 50, generator=generator)
        self.noise = torch.randn(4, 50, generator=generator)

    def figures(self, found: torch.Tensor, wanted: torch.Tensor | None = None) -> Parity:
        wanted = self.wanted if wanted is None else wanted
        return parity.compare({"logits": found}, {"logits": wanted}, 0.01)

    def test_equal(self) -> None:
        same = self.figures(self.wanted.clone())
        self.assertEqual((same.nrmse, same.top1_agreement), (0.0, 1.0))
        self.assertAlmostEqual(same.cosine or 0.0, 1.0, places=12)
        parity.demand(same)

    def test_relative_to_the_spread_whatever_the_scale_and_the_offset(self) -> None:
        expected = 0.05 * float(self.noise.square().mean().sqrt()) / float(self.wanted.std())
        for scale, offset in ((1.0, 0.0), (1e-4, 0.0), (100.0, 0.0), (1.0, 1000.0)):
            wanted = self.wanted.double() * scale + offset
            found = wanted + 0.05 * scale * self.noise.double()
            figure = self.figures(found, wanted).nrmse
            assert figure is not None
            self.assertAlmostEqual(figure / expected, 1.0, delta=0.02)
            with self.assertRaisesRegex(WrongOutput, "logits differs from the float32 reference"):
                parity.demand(self.figures(found, wanted))

    def test_no_better_than_the_mean_is_one(self) -> None:
        figure = self.figures(torch.full_like(self.wanted, float(self.wanted.mean()))).nrmse
        assert figure is not None
        self.assertAlmostEqual(figure, 1.0, places=6)

    def test_what_cannot_be_compared(self) -> None:
        broken = self.wanted.clone()
        broken[0, 0] = math.nan
        for outputs in ({"logits": broken}, {"logits": self.wanted[:2]}, {}):
            figures = parity.compare(outputs, {"logits": self.wanted}, 0.01)
            self.assertIsNone(figures.nrmse)
            with self.assertRaisesRegex(WrongOutput, "not finite, or has another shape"):
                parity.demand(figures)

    def test_few_values_are_relative_to_their_size(self) -> None:
        wanted = torch.tensor([10.0, 10.01, 9.99])
        figure = self.figures(wanted + 0.01, wanted).nrmse
        assert figure is not None
        self.assertAlmostEqual(figure, 0.001, places=5)

    def test_the_worst_output_counts(self) -> None:
        wanted = {"one": self.wanted, "other": self.wanted}
        found = {"one": self.wanted + 0.1 * self.noise, "other": self.wanted + 0.5 * self.noise}
        self.assertEqual(parity.compare(found, wanted, 1.0).output, "other")

    def test_agreement_of_the_first_choice(self) -> None:
        found = self.wanted.clone()
        found[0, (int(found[0].argmax()) + 1) % 50] = 99.0
        self.assertEqual(self.figures(found).top1_agreement, 0.75)


class TestTolerances(unittest.TestCase):
    def test_every_dtype_on_every_kind_of_device(self) -> None:
        for dtype in tolerances.ROUNDOFF_RATIO:
            for device in ("cpu", "cuda:1", "mps", "openvino:gpu"):
                unknown = tolerances.tolerance(dtype, device, None)
                self.assertTrue(0 < unknown <= 0.1)
                low, high = (tolerances.tolerance(dtype, device, floor) for floor in (0.0, 1.0))
                self.assertTrue(0 < low < high == unknown)

    def test_it_grows_with_the_model_s_own_rounding(self) -> None:
        first, second = (tolerances.tolerance("bfloat16", "cpu", floor) for floor in (4e-7, 8e-7))
        self.assertAlmostEqual(second / first, 2.0)
        self.assertAlmostEqual(first, 1.35 * 4e-7 * 2**16)


class TestReference(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = support.temporary_folder(self)

    def check(self, model_id: str, method: str = "from_pretrained", **changes: Any) -> CheckResult:
        device = "openvino" if method == "openvino" else "cpu"
        job = support.job(model_id, device, trials=1, reference_dir=str(self.folder), **changes)
        return run_check(job, method)[0]

    def test_made_once_and_read_by_the_others(self) -> None:
        self.assertEqual(self.check("gpt2", "pipeline").status, "passed")
        (path,) = self.folder.rglob("*.safetensors")
        written = path.stat().st_mtime_ns
        result = self.check("gpt2")
        assert result.parity is not None
        self.assertEqual((result.parity.nrmse, result.parity.equal_tokens), (0.0, 1.0))
        self.assertEqual(path.stat().st_mtime_ns, written)
        self.assertEqual([item.name for item in path.parent.iterdir()], [path.name])

    def test_another_reference_is_noticed(self) -> None:
        """It is the file that decides: with its values changed, a right model fails."""
        from safetensors import safe_open
        from safetensors.torch import save_file

        self.check("gpt2")
        (path,) = self.folder.rglob("*.safetensors")
        with safe_open(str(path), framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            facts = file.metadata()
        tensors["output.logits"] = tensors["output.logits"] + 0.01 * torch.randn(
            tensors["output.logits"].shape
        )
        save_file(tensors, path, metadata=facts)
        for method in ("pipeline", "from_pretrained"):
            result = self.check("gpt2", method)
            self.assertEqual((result.status, result.error_type), ("failed", "wrong_output"))
            self.assertIn("differs from the float32 reference", result.error or "")
            assert result.parity is not None, "the figures are kept"
            self.assertGreater(result.parity.nrmse or 0.0, result.parity.tolerance)
            self.assertTrue(result.measurement.trial_times)

    def test_other_inputs_have_a_reference_of_their_own(self) -> None:
        import dataclasses

        self.check("gpt2")
        model = dataclasses.replace(support.model("gpt2"), samples={"text": "Another beginning"})
        self.assertEqual(self.check("gpt2", model=model).status, "passed")
        self.assertEqual(len(list(self.folder.rglob("*.safetensors"))), 2)

    def test_without_a_folder_each_makes_its_own(self) -> None:
        result, _ = run_check(support.job("gpt2", trials=1), "from_pretrained")
        assert result.parity is not None
        self.assertIsNone(result.parity.nrmse, "it would be compared with itself")
        self.assertIsNone(result.parity.output)
        self.assertTrue(0 < (result.parity.noise_floor or 0) < 1e-5)
        document = merge.model_document(support.model("gpt2"), [result], {}, {})
        self.assertIsNone(document["performance"][result.key]["parity"])

    def test_the_model_is_float32_again_after_its_float64_twin(self) -> None:
        job = support.job("bert-base-uncased")
        folder = checkpoints.folder_of(job)
        network = reference.load(str(folder), job)
        before = {name: value.clone() for name, value in network.state_dict().items()}
        import transformers

        processor = transformers.AutoTokenizer.from_pretrained(str(folder))
        inputs = dict(processor("Paris is the [MASK] of France.", return_tensors="pt"))
        made = reference.make(job, Record(), str(folder), processor, inputs, network)
        self.assertIsNotNone(made.noise_floor)
        for name, value in network.state_dict().items():
            self.assertTrue(torch.equal(value, before[name]), name)

    def test_outputs_that_change_from_run_to_run(self) -> None:
        import transformers

        forward = transformers.GPT2LMHeadModel.forward

        def restless(self: Any, *arguments: Any, **options: Any) -> Any:
            outputs = forward(self, *arguments, **options)
            outputs.logits = outputs.logits + 1e-6 * torch.randn_like(outputs.logits)
            return outputs

        with unittest.mock.patch.object(transformers.GPT2LMHeadModel, "forward", restless):
            result = self.check("gpt2")
        self.assertEqual((result.status, result.error_type), ("failed", "wrong_output"))
        self.assertIn("did not give the same outputs twice", result.error or "")


class TestDtypes(unittest.TestCase):
    """One check in several dtypes: a row for each, and a fault in any of them counts."""

    def check(self, model_id: str, *dtypes: str, **changes: Any) -> CheckResult:
        job = support.job(model_id, dtypes=dtypes, trials=1, **changes)
        return run_check(job, "from_pretrained")[0]

    def test_each_has_figures_of_its_own(self) -> None:
        result = self.check("gpt2", "float32", "bfloat16", "float16")
        self.assertEqual(result.status, "passed", result.error)
        rows = merge.performance_rows(result)
        keys = [
            "from_pretrained_cpu",
            "from_pretrained_cpu_bfloat16",
            "from_pretrained_cpu_float16",
        ]
        self.assertEqual(list(rows), keys)
        self.assertEqual(
            [row["dtype"] for row in rows.values()], ["float32", "bfloat16", "float16"]
        )
        whole, brain, half = (row["parity"] for row in rows.values())
        self.assertIsNone(whole, "it is the reference")
        self.assertTrue(half < brain, "it has three more bits")
        sizes = [row["model_size_mb"] for row in rows.values()]
        self.assertAlmostEqual(sizes[1] / sizes[0], 0.5, places=2)

    def test_failure_in_one_of_them(self) -> None:
        import transformers

        forward = transformers.GPT2LMHeadModel.forward

        def crude(self: Any, *arguments: Any, **options: Any) -> Any:
            outputs = forward(self, *arguments, **options)
            if self.dtype == torch.bfloat16:
                outputs.logits = outputs.logits.flip(-1)
            return outputs

        with unittest.mock.patch.object(transformers.GPT2LMHeadModel, "forward", crude):
            result = self.check("gpt2", "float32", "bfloat16", "float16")
        self.assertEqual((result.status, result.error_type), ("failed", "wrong_output"))
        self.assertTrue((result.error or "").startswith("in bfloat16: WrongOutput: logits differs"))
        self.assertEqual([row.error is None for row in result.rows], [False, True])
        self.assertEqual(len(merge.performance_rows(result)), 3)

    @unittest.skipIf(dependencies.unmet(dependencies.OPENVINO), "OpenVINO is not installed")
    def test_dtype_that_a_device_does_not_have(self) -> None:
        """OpenVINO would compute in another one and not say so; parity once found that out."""
        import openvino

        found = openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        lacking = [name for name, word in devices.CAPABILITIES.items() if word not in found]
        if not lacking:
            self.skipTest("this processor has every dtype")
        job = support.job("bert-base-uncased", "openvino", trials=1)
        result, _ = run_check(job.replace(dtypes=tuple(lacking)), "openvino")
        self.assertEqual((result.status, result.error_type), ("skipped", "unsupported"))
        self.assertIn("does not compute in", result.reason or "")
        result, _ = run_check(job.replace(dtypes=(lacking[0], "float32")), "openvino")
        self.assertEqual((result.status, result.measurement.dtype), ("passed", "float32"))
        self.assertIn("does not compute in", result.rows[0].reason or "")
