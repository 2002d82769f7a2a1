"""What runs on a GPU, as far as it can be seen without one (see `tests.emulated_cuda`).

``HF_TESTS_EVERY_MODEL=1`` runs every model of the registry there, not only a few of each kind.
"""

from __future__ import annotations

import json
import os
import unittest
from pathlib import Path
from typing import Any

from hf_tests import dependencies, filenames, stream
from hf_tests.probe import checkpoints
from hf_tests.registry import Model
from tests import emulated_cuda, support

EVERY_MODEL = os.environ.get("HF_TESTS_EVERY_MODEL") == "1"

MODELS = (
    "bert-base-uncased",
    "gpt2",
    "t5-small",
    "google/vit-base-patch16-224",
    "openai/clip-vit-base-patch32",
    "openai/whisper-tiny",
    "facebook/sam-vit-base",
    "facebook/sam2.1-hiera-tiny",
    "facebook/musicgen-small",
    "Qwen/Qwen2-VL-7B-Instruct",
    "mistralai/Mixtral-8x7B-v0.1",
)
"""Models of which each reads or writes something that no other does."""

CHECKS = """
import json, os, sys
os.environ["TQDM_DISABLE"] = "1"
from tests import emulated_cuda, support
emulated_cuda.install({count})
import transformers
from hf_tests import family
transformers.logging.set_verbosity_error()
{before}
for line in sys.stdin:
    model_id, device, dtypes, sizes = json.loads(line)
    model = support.model(model_id)
    job = support.job(model_id, device, dtypes=tuple(dtypes), batch_sizes=tuple(sizes))
    for method in job.methods:
        result, _ = family.run_check(job, method, support.properties(model.family))
        print(json.dumps(["RESULT", result.to_json()]), flush=True)
"""


RESTLESS = """
import functools
import torch
forward = transformers.GPT2LMHeadModel.forward
@functools.wraps(forward)
def changing(self, *arguments, **options):
    outputs = forward(self, *arguments, **options)
    if outputs.logits.is_cuda:
        outputs.logits = outputs.logits + {size} * torch.randn(outputs.logits.shape, device="cuda")
    return outputs
transformers.GPT2LMHeadModel.forward = changing
"""
"""A network that gives other outputs each time."""


def run_checks(
    *asked: tuple[str, str, tuple[str, ...], tuple[int, ...]], before: str = "", count: int = 1
) -> list[dict[str, Any]]:
    """The results of all checks of these models, devices, dtypes and batch sizes."""
    for model_id, *_ in asked:
        checkpoints.folder_of(support.job(model_id))
    done = support.run(
        "-c",
        CHECKS.format(before=before, count=count),
        given="".join(f"{json.dumps(item)}\n" for item in asked),
        limit_s=120.0 + 20.0 * len(asked),
    )
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('["RESULT"')]
    assert done.returncode == 0 and lines, done.stdout + done.stderr
    return [result for _, result in lines]


class TestModels(unittest.TestCase):
    """Each tensor is where the others are, and each figure is there."""

    def models(self) -> list[Model]:
        """Those that can run here."""
        every = support.shipped().models
        chosen = every if EVERY_MODEL else [model for model in every if model.id in MODELS]
        return [model for model in chosen if dependencies.unmet(model.dependencies) is None]

    def test_as_on_the_processor(self) -> None:
        found = run_checks(*((model.id, "cuda", (), ()) for model in self.models()))
        for result in found:
            with self.subTest(model=result["model"], method=result["method"]):
                self.assertIn(
                    result["status"], ("passed", "skipped", "expected_failure"), result["error"]
                )
                if result["status"] == "passed":
                    self.assertEqual(result["device"], "cuda")
                    measured = result["measurement"]
                    self.assertEqual(len(measured["event_times"]), len(measured["trial_times"]))
                    self.assertEqual(measured["device_peak_memory_mb"], 3.0)
                    self.assertEqual(measured["device_reserved_mb"], 5.0)
        passed = [result for result in found if result["status"] == "passed"]
        self.assertGreater(len(passed), len(self.models()))

    def test_second_gpu_in_dtypes_and_batches(self) -> None:
        """Named by its number, of which torch knows nothing before CUDA has begun."""
        for result in run_checks(
            ("gpt2", "cuda:1", ("float32", "bfloat16"), (3,)),
            ("google/vit-base-patch16-224", "cuda:0", ("float16",), (2,)),
            ("Qwen/Qwen2-VL-7B-Instruct", "cuda:0", (), (2,)),
            ("openai/clip-vit-base-patch32", "cuda:0", (), (2,)),
            count=2,
        ):
            with self.subTest(model=result["model"], method=result["method"]):
                self.assertEqual(result["status"], "passed", result["error"])
                self.assertTrue(result["rows"])
                for row in result["rows"]:
                    self.assertTrue(row["measurement"]["event_times"] or row["reason"], row)

    def test_inputs_that_were_left_on_the_processor(self) -> None:
        """Else all of this would show nothing."""
        spoilt = (
            "from hf_tests.probe import inference; "
            "inference.on_device = lambda network, inputs: dict(inputs)"
        )
        first, second = run_checks(("gpt2", "cuda", (), ()), before=spoilt)
        by_method = {result["method"]: result for result in (first, second)}
        direct = by_method["from_pretrained"]
        self.assertEqual((direct["status"], direct["stage"]), ("error", "inference"))
        self.assertIn("Expected all tensors to be on the same device", direct["error"])

    def test_outputs_that_change_from_run_to_run(self) -> None:
        """Kernels that add in another order each time are right; what changes more is not."""
        for size, status in (("1e-6", "passed"), ("1e-3", "failed")):
            with self.subTest(size):
                asked = ("gpt2", "cuda", (), ())
                _, direct = run_checks(asked, before=RESTLESS.format(size=size))
                self.assertEqual(direct["status"], status, direct["error"])
                if status == "failed":
                    self.assertRegex(direct["error"], "same outputs twice: normalised RMSE 0.00")

    def test_a_gpu_that_is_not_there(self) -> None:
        (first, second) = run_checks(("gpt2", "cuda:2", (), ()), count=2)
        for result in (first, second):
            self.assertEqual(result["status"], "skipped")
            self.assertEqual(result["reason"], "torch finds 2 CUDA devices here, no number 2")


class TestRun(unittest.TestCase):
    """The whole command, with two GPUs and a process of its own for each job."""

    def spans(self, jobs: Path) -> dict[str, list[tuple[float, float]]]:
        """When each device's processes began and were last heard of, on the machine's clock."""
        found: dict[str, list[tuple[float, float]]] = {}
        for path in jobs.iterdir():
            clocks = [event["clock"] for event in stream.read(path) if event["event"] != "ended"]
            device = filenames.unescape(path.name.removesuffix(".jsonl").rpartition(".")[2])
            found.setdefault(device, []).append((clocks[0], clocks[-1]))
        return found

    def test_two_gpus_at_a_time(self) -> None:
        folder = support.temporary_folder(self)
        results = folder / "results"
        done = support.runner(
            *("--model", "gpt2", "distilgpt2", "--all-hardware", "--method", "from_pretrained"),
            *("--weights", "tiny", "--jobs", "2", "--trials", "2", "--results-dir", str(results)),
            environment=emulated_cuda.write_customization(folder, 2),
        )
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        document = json.loads((results / "latest" / "run.json").read_text())
        support.validate("run", document)
        jobs = {(job["model"], job["device"]): job for job in document["jobs"]}
        self.assertEqual(
            {device for _, device in jobs} - {"openvino:cpu", "openvino"},
            {"cpu", "cuda:0", "cuda:1"},
        )
        for (_, device), job in jobs.items():
            self.assertEqual(job["isolation"], "spawn" if device != "cpu" else "fork", job)
            self.assertIsNone(job["note"])
        for row in document["checks"]:
            self.assertEqual(row["status"], "passed", row)
        spans = self.spans(results / "latest" / "jobs")
        for device in ("cuda:0", "cuda:1"):
            first, second = spans[device]
            self.assertFalse(first[0] < second[1] and second[0] < first[1], "a GPU had two jobs")
        beside = [
            one[0] < other[1] and other[0] < one[1]
            for one in spans["cuda:0"]
            for other in spans["cuda:1"]
        ]
        self.assertTrue(any(beside), "the two GPUs never worked at a time")
        self.assertEqual(
            [item["name"] for item in document["hardware"]["devices"]][:3],
            ["cpu", "cuda:0", "cuda:1"],
        )


if __name__ == "__main__":
    unittest.main()
