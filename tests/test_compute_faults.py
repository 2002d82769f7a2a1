"""What a device or a converter cannot compute; and a count of all faults that are provoked."""

from __future__ import annotations

import json
import shutil
import unittest
from collections import Counter
from typing import Any

import torch
from transformers import activations

from hf_tests import dependencies, outcome
from hf_tests.family import run_check
from hf_tests.outcome import CheckResult
from hf_tests.probe import checkpoints
from tests import support, test_faults, test_gpu_faults, test_hub_faults

ENCODER, FOURIER = "bert-base-uncased", "google/fnet-base"
ODD = "odd"


class Odd(torch.nn.Module):  # type: ignore[misc]
    """GELU by way of an operator that OpenVINO does not have."""

    def forward(self, x: Any) -> Any:
        unused = torch.linalg.svdvals(x.float()).sum()
        return torch.nn.functional.gelu(x) * (1 + 0 * unused)


class TestWhatCannotBeComputed(unittest.TestCase):
    def assert_told(self, result: CheckResult, kind: str, stage: str, says: str) -> None:
        self.assertEqual(
            (result.status, result.error_type, result.stage), ("error", kind, stage), result.error
        )
        self.assertRegex(result.error or "", says)
        self.assertIn("Traceback", result.traceback or "")
        self.assertIn("python runner.py", result.hint or "")

    @unittest.skipIf(dependencies.unmet(dependencies.OPENVINO), "OpenVINO is not installed")
    def test_an_operator_without_a_conversion(self) -> None:
        """The same checkpoint is well on the processor."""
        folder = support.temporary_folder(self) / "checkpoint"
        shutil.copytree(checkpoints.folder_of(support.job(ENCODER)), folder)
        config = folder / "config.json"
        config.write_text(json.dumps({**json.loads(config.read_text()), "hidden_act": ODD}))
        own: dict[str, Any] = {"weights": "local", "checkpoint": str(folder)}
        activations.ACT2FN[ODD] = Odd
        self.addCleanup(activations.ACT2FN.pop, ODD)
        well, _ = run_check(support.job(ENCODER, **own), "from_pretrained")
        job = support.job(ENCODER, "openvino", convert_anew=True, **own)
        result, _ = run_check(job, "openvino")
        self.assertEqual(well.status, "passed", well.error)
        says = "No conversion rule found for operations: aten::linalg_svdvals"
        self.assert_told(result, "conversion", "conversion", says)
        self.assertIn("optimum-cli export openvino", result.hint or "")
        self.assertEqual(result.measurement.conversion_path, "optimum-intel")

    def test_a_dtype_without_an_operator(self) -> None:
        """torch has no Fourier transform in bfloat16; in float32 the same check passes."""
        job = support.job(FOURIER)
        well, _ = run_check(job, "from_pretrained")
        self.assertEqual(well.status, "passed", well.error)
        result, _ = run_check(job.replace(dtypes=("bfloat16",)), "from_pretrained")
        self.assert_told(result, "unsupported", "inference", "^in bfloat16: .*BFloat16")
        self.assertIn("--dtype float32", result.hint or "")


COMPUTED = {"an operator without a conversion": "conversion", "a dtype": "unsupported"}


class TestTheTable(unittest.TestCase):
    """All faults that are provoked, by name, and the error types that they end in."""

    def test_how_many(self) -> None:
        every = {f"local: {fault.name}": fault.kind for fault in test_faults.LOCAL}
        machine = (*test_faults.MACHINE.values(), *test_faults.LIMITS.values())
        every |= {f"machine: {fault.name}": fault.kind for fault in machine if fault.name}
        every |= {f"hub: {fault.name}": fault.kind for fault in test_hub_faults.FAULTS}
        every |= {f"computed: {name}": kind for name, kind in COMPUTED.items()}
        self.assertGreaterEqual(len(every), 40)
        every |= {
            f"gpu: {fault.name}": fault.kind
            for fault in (test_gpu_faults.ASSERT, test_gpu_faults.NO_DEVICE)
        }
        kinds = Counter(every.values())
        elsewhere = {"timeout", "crash", "interrupted"}  # of processes: tests/test_isolation.py
        self.assertEqual(set(outcome.ERROR_TYPES) - kinds.keys(), elsewhere)


if __name__ == "__main__":
    unittest.main()
