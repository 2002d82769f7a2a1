"""Every family passes parity whole, and fails it with each defect that is planted into it.

Under OpenVINO, for which every checkpoint is converted anew, a family has one of the defects, by
turns; with HF_TESTS_EVERY_DEFECT set, it has all of them.
"""

from __future__ import annotations

import gc
import os
import shutil
import unittest
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import ClassVar

import torch

from hf_tests import dependencies, filenames
from hf_tests.family import run_check
from hf_tests.job import Job
from hf_tests.outcome import CheckResult
from hf_tests.probe import checkpoints, tasks, worker
from hf_tests.registry import Family, Model
from tests import defects, support

Plant = Callable[[Path], str]

BY_TURNS = not os.environ.get("HF_TESTS_EVERY_DEFECT")
NOTHING_RUNS = "the device runs none of its models"
NOT_BY_OPENVINO = frozenset({"concepts", "moderation", "tracking"})
"""Families of which OpenVINO runs no model, by either way of conversion: see their entries."""


def planted_on(
    family: Family, device: str, dtype: str, plants: Sequence[Plant], folder: Path
) -> list[str]:
    """What parity missed of the family's first model that the device runs, in that dtype.

    The model runs whole, then with each of the defects, against the whole.
    """
    for model in expected_to_run(family, device):
        found = missed(model, device, dtype, plants, folder / filenames.escape(model.id))
        if found is not None:
            return found
    return [NOTHING_RUNS]


def expected_to_run(family: Family, device: str) -> Iterator[Model]:
    """The default model and then the others, but for those that the device is expected to fail."""
    method = "openvino" if device == "openvino" else "from_pretrained"
    for model in sorted(family.models, key=lambda model: model.id != family.default_model):
        if not any(
            item.method == method and item.device in (None, device) for item in model.expected
        ):
            yield model


def missed(
    model: Model, device: str, dtype: str, plants: Sequence[Plant], folder: Path
) -> list[str] | None:
    """A line for each unplanted failure and each defect that is not found for what it is.

    None where the device cannot run the model at all.
    """
    references = folder / "references"
    job = support.job(
        model.id, device, dtype=dtype, trials=1, warmup=0, reference_dir=str(references)
    )

    def check(job: Job) -> CheckResult:
        return run_check(job, job.methods[-1])[0]

    unplanted = check(job)
    if unplanted.status == "skipped":
        return None
    lines = []
    if not any(references.rglob("*.safetensors")):
        lines.append(f"{model.id}: the whole one has left no reference for the others")
    if unplanted.status != "passed":
        lines.append(f"{model.id}, unplanted: {unplanted.status}: {unplanted.error}")
    whole = checkpoints.folder_of(support.job(model.id))
    for plant in plants:
        spoilt = folder / f"{plant.__name__}-{device}"
        shutil.copytree(whole, spoilt)
        changed = plant(spoilt)
        result = check(job.replace(weights="local", checkpoint=str(spoilt)))
        caught = "the float32 reference" in (result.error or "")
        if (result.status, result.error_type) != ("failed", "wrong_output") or not caught:
            lines.append(
                f"{model.id}, {plant.__name__} ({changed}): {result.status}: "
                f"{result.error or result.parity}"
            )
    return lines


class TestPlanted(unittest.TestCase):
    """A test a family: on the CPU, and by OpenVINO where it is installed."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.has_openvino = dependencies.unmet(dependencies.OPENVINO) is None
        worker.preload("openvino" if cls.has_openvino else "cpu")
        cls.addClassCleanup(gc.unfreeze)
        cls.addClassCleanup(torch.set_num_threads, torch.get_num_threads())
        torch.set_num_threads(1)

    has_openvino: ClassVar[bool]

    def setUp(self) -> None:
        """Conversions ask for collections, which need not look at what tests before have left."""
        gc.collect()
        gc.freeze()

    def check(self, name: str) -> None:
        """A family that is not asked for in half precision has its defects in float32."""
        family = support.shipped().family(name)
        model = support.model(family.default_model)
        is_halved = tasks.get(family.task).lacks("bfloat16", model) is None
        dtype = "bfloat16" if is_halved else "float32"
        targets: dict[str, tuple[str, Sequence[Plant]]] = {"cpu": (dtype, defects.DEFECTS)}
        if self.has_openvino:
            turn = support.shipped().families.index(family) % len(defects.DEFECTS)
            plants = defects.DEFECTS[turn : turn + 1] if BY_TURNS else defects.DEFECTS
            targets["openvino"] = ("", plants)
        folder = support.temporary_folder(self)
        for device, (dtype, chosen) in targets.items():
            with self.subTest(device=device):
                known = device == "openvino" and name in NOT_BY_OPENVINO
                lines = planted_on(family, device, dtype, chosen, folder)
                self.assertEqual(lines, [NOTHING_RUNS] if known else [])


def _test_of(name: str) -> Callable[[TestPlanted], None]:
    return lambda case: case.check(name)


for _family in support.shipped().families:
    setattr(TestPlanted, f"test_{_family.name}", _test_of(_family.name))


if __name__ == "__main__":
    unittest.main()
