"""Faults of a GPU, provoked on a real one; skipped where there is none."""

from __future__ import annotations

import json
import shutil
import unittest
from pathlib import Path
from typing import Any

from hf_tests import hardware
from hf_tests.family import run_check
from hf_tests.probe import checkpoints
from tests import support, test_faults
from tests.test_faults import HEALTHY, MODEL, WEIGHTS, Fault, config, nothing, weights

IMAGES = "google/vit-base-patch16-224"
POSITIONS = 4  # fewer than the sample prompt has tokens
MIB = 1024 * 1024
ABSENT = "cuda:99"

CUDA_CHECK = "from_pretrained_cuda"


def few_positions(folder: Path) -> None:
    """A table of positions that ends before the sample prompt does; nothing else is wrong."""
    weights(cut_positions)(folder)
    config(n_positions=POSITIONS)(folder)


def cut_positions(tensors: dict[str, Any]) -> None:
    name = "transformer.wpe.weight"
    tensors[name] = tensors[name][:POSITIONS].contiguous()


ASSERT = Fault(
    "an index beyond a table", few_positions, "cuda_error", "inference", "device-side assert"
)
NO_DEVICE = Fault("a GPU that is not there", nothing, "none", "import", "no number 99", "skipped")


def card() -> hardware.Device | None:
    """The first GPU, None where there is none."""
    found = [item for item in hardware.detect().devices if item.name.startswith("cuda")]
    return found[0] if found else None


@unittest.skipIf(card() is None, "this machine has no CUDA device")
class TestGpuFaults(unittest.TestCase):
    def setUp(self) -> None:
        self.root = support.temporary_folder(self)

    def test_an_assert_and_a_device_that_is_not_there(self) -> None:
        """A kernel's assert ruins its process and no other; the next job has a GPU as before."""
        whole = checkpoints.folder_of(support.job(MODEL))
        names = (HEALTHY[0], "./short", HEALTHY[1])
        for name in names:
            shutil.copytree(whole, self.root / name)
        ASSERT.spoil(self.root / "short")
        status, rows, entries = test_faults.run(
            self.root,
            dict.fromkeys(names, ()),
            *("--all", "--device", "cuda", ABSENT, "--method", "from_pretrained", "--trials", "1"),
        )
        self.assertEqual(status, 1)
        for name in HEALTHY:
            row = rows[f"{name[2:]} {CUDA_CHECK}"]
            self.assertEqual(row["status"], "passed", row)
        told = {f"short {CUDA_CHECK}": ASSERT}
        told |= {f"{name[2:]} from_pretrained_{ABSENT}": NO_DEVICE for name in names}
        for name, fault in told.items():
            with self.subTest(name):
                test_faults.assert_told(self, fault, rows[name], entries[name])
        self.assertIn("--device cpu", rows[f"short {CUDA_CHECK}"]["hint"])

    def test_memory(self) -> None:
        """A batch of images of twice the card's memory: one allocation, which is refused."""
        found = card()
        assert found is not None and found.memory_mb is not None
        folder = Path(checkpoints.folder_of(support.job(IMAGES)))
        settings = json.loads((folder / "config.json").read_text())
        values = settings["num_channels"] * settings["image_size"] ** 2
        size = int(2 * found.memory_mb * MIB / (2 * values))  # two bytes a value at the least
        results = self.root / "results"
        done = support.runner(
            *("--model", IMAGES, "--weights", "tiny", "--device", "cuda"),
            *("--method", "from_pretrained", "--trials", "1", "--batch-size", str(size)),
            *("--results-dir", str(results)),
        )
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        (row,) = json.loads((results / "latest" / "run.json").read_text())["checks"]
        document = json.loads((results / "latest" / row["file"]).read_text())
        self.assertEqual(
            [row[name] for name in ("status", "error_type", "stage")],
            ["error", "out_of_memory", "inference"],
            row["error"],
        )
        self.assertRegex(row["error"], f"^in batches of {size}: OutOfMemoryError: CUDA out of mem")
        self.assertIn("nvidia-smi", row["hint"])
        entry = document["results"][row["key"]]
        self.assertIn("OutOfMemoryError", entry["from_pretrained_traceback"])
        self.assertTrue(
            document["performance"][row["key"]]["trial_times"],
            "what was measured on a single image is kept",
        )


class TestTheSameOnTheProcessor(unittest.TestCase):
    """What is provoked above fails here in the same place, and for the same reason."""

    def test_few_positions(self) -> None:
        folder = support.temporary_folder(self) / "short"
        shutil.copytree(checkpoints.folder_of(support.job(MODEL)), folder)
        few_positions(folder)
        self.assertTrue((folder / WEIGHTS).is_file())
        job = support.job(MODEL, weights="local", checkpoint=str(folder))
        result, _ = run_check(job, "from_pretrained")
        self.assertEqual((result.status, result.stage), ("error", "inference"), result.error)
        self.assertRegex(result.error or "", "IndexError: index out of range")

    def test_a_batch_beyond_all_memory(self) -> None:
        result, _ = run_check(support.job(IMAGES, batch_sizes=(1 << 40,)), "from_pretrained")
        self.assertEqual(
            (result.status, result.error_type, result.stage),
            ("error", "out_of_memory", "inference"),
            result.error,
        )
        self.assertRegex(result.error or "", "^in batches of 1099511627776: ")


if __name__ == "__main__":
    unittest.main()
