"""The faults of a night: each provoked for real, told apart, and kept to its own job.

Each fault is one model of a registry made here, so that many cost one run.
"""

from __future__ import annotations

import json
import os
import shutil
import unittest
import unittest.mock
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from safetensors.torch import load_file, save_file

from hf_tests import dependencies
from hf_tests.probe import checkpoints
from tests import support

MODEL = "gpt2"
HEALTHY = "./healthy", "./healthy-too"
WEIGHTS, CONFIG = "model.safetensors", "config.json"

LOCAL_CHECK = "from_pretrained_cpu"

Spoil = Callable[[Path], object]
Models = Mapping[str, tuple[tuple[str, Any], ...]]


@dataclass(frozen=True)
class Fault:
    """What is spoilt, and what must be said of it; ``entry`` goes into its registry entry."""

    name: str
    spoil: Spoil
    kind: str
    stage: str
    says: str
    status: str = "error"
    entry: tuple[tuple[str, Any], ...] = ()


def nothing(folder: Path) -> None:
    del folder


def without(name: str) -> Spoil:
    return lambda folder: (folder / name).unlink()


def text(name: str, content: str) -> Spoil:
    return lambda folder: (folder / name).write_text(content)


def cut(name: str, left: float) -> Spoil:
    """The file broken off after this share of its bytes."""

    def act(folder: Path) -> None:
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: int(len(content) * left)])

    return act


def config(**changes: Any) -> Spoil:
    def act(folder: Path) -> None:
        path = folder / CONFIG
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))

    return act


def weights(change: Callable[[dict[str, Any]], object]) -> Spoil:
    def act(folder: Path) -> None:
        tensors = load_file(folder / WEIGHTS)
        change(tensors)
        save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})

    return act


def value(name: str, number: float) -> Spoil:
    """One element of a weight."""
    return weights(lambda tensors: tensors[name].view(-1).__setitem__(0, number))


def pickled(folder: Path) -> None:
    import torch

    torch.save(load_file(folder / WEIGHTS), folder / "pytorch_model.bin")
    (folder / WEIGHTS).unlink()


def large_vocabulary(tensors: dict[str, Any]) -> None:
    tensors["transformer.wte.weight"] = tensors["transformer.wte.weight"][:5].contiguous()


def shard_missing(folder: Path) -> None:
    names = dict.fromkeys(load_file(folder / WEIGHTS), "model-00001-of-00002.safetensors")
    (folder / WEIGHTS).rename(folder / "model-00001-of-00002.safetensors")
    last = list(names)[-1]
    names[last] = "model-00002-of-00002.safetensors"
    index = {"metadata": {}, "weight_map": names}
    (folder / f"{WEIGHTS}.index.json").write_text(json.dumps(index))


def no_tokenizer(folder: Path) -> None:
    for path in folder.iterdir():
        if path.name not in (CONFIG, WEIGHTS):
            path.unlink()


def later_tokenizer(folder: Path) -> None:
    path = folder / "tokenizer.json"
    content = json.loads(path.read_text())
    content["model"]["type"] = "Later"
    path.write_text(json.dumps(content))


def own_code(folder: Path) -> None:
    config(model_type="own", auto_map={"AutoConfig": "own.Config"})(folder)
    (folder / "own.py").write_text("raise SystemExit('this was run')")


def huge(tensors: dict[str, Any]) -> None:
    """Weights that are numbers, and whose products are none."""
    for tensor in tensors.values():
        tensor.sign_().mul_(3e38)


def unreadable(folder: Path) -> None:
    (folder / WEIGHTS).unlink()
    (folder / WEIGHTS).symlink_to("/proc/1/mem" if os.getuid() else folder / "nowhere")


LOCAL = (
    Fault("no config", without(CONFIG), "corrupt_checkpoint", "model", "holds no config.json"),
    Fault("empty config", text(CONFIG, ""), "corrupt_checkpoint", "model", "is not JSON"),
    Fault("truncated config", cut(CONFIG, 0.5), "corrupt_checkpoint", "model", "is not JSON"),
    Fault("config that is a list", text(CONFIG, "[]"), "corrupt_checkpoint", "model",
          "model_type None"),
    Fault("config of another type", config(model_type="bert"), "corrupt_checkpoint", "model",
          "model_type 'bert', and 'gpt2' was expected"),
    Fault("no weights", without(WEIGHTS), "corrupt_checkpoint", "model",
          "no file named model.safetensors"),
    Fault("empty weights", text(WEIGHTS, ""), "corrupt_checkpoint", "model", "SafetensorError"),
    Fault("weights cut in the header", cut(WEIGHTS, 0.001), "corrupt_checkpoint", "model",
          "SafetensorError"),
    Fault("weights cut in the middle", cut(WEIGHTS, 0.5), "corrupt_checkpoint", "model",
          "SafetensorError"),
    Fault("weights that are a web page", text(WEIGHTS, "<html>Not found</html>" * 9),
          "corrupt_checkpoint", "model", "SafetensorError"),
    Fault("weights of a pointer file", text(WEIGHTS, "version https://git-lfs.github.com/spec/v1"),
          "corrupt_checkpoint", "model", "SafetensorError"),
    Fault("weights behind a dead link", unreadable, "corrupt_checkpoint", "model", WEIGHTS),
    Fault("pickle only", pickled, "unsupported", "model", "as a pickle only", "skipped"),
    Fault("a shard is missing", shard_missing, "corrupt_checkpoint", "model", "00002-of-00002"),
    Fault("NaN in a weight", value("transformer.ln_f.weight", float("nan")), "corrupt_checkpoint",
          "model", "1 values of transformer.ln_f.weight are not finite"),
    Fault("infinity in a weight", value("transformer.wte.weight", float("inf")),
          "corrupt_checkpoint", "model", "not finite"),
    Fault("a weight is missing", weights(lambda all: all.pop("transformer.ln_f.bias")),
          "corrupt_checkpoint", "model", "not in the files.*ln_f.bias"),
    Fault("a weight of another shape", config(n_positions=7), "corrupt_checkpoint", "model",
          "(?i)mismatch|shape"),
    Fault("a vocabulary of another size", weights(large_vocabulary), "corrupt_checkpoint", "model",
          "(?i)mismatch|shape"),
    Fault("more layers than weights", config(n_layer=9), "corrupt_checkpoint", "model",
          "not in the files"),
    Fault("heads that do not divide the width", config(n_head=7), "other", "model", "divisible"),
    Fault("an activation that is none", config(activation_function="no-such"), "other", "model",
          "no-such"),
    Fault("a size that is no number", config(n_layer="two"), "corrupt_checkpoint", "tokenizer",
          "n_layer"),
    Fault("a tokenizer of a later version", later_tokenizer, "corrupt_checkpoint", "tokenizer",
          "untagged enum"),
    Fault("a negative size", config(n_embd=-4), "other", "model", "negative dimension"),
    Fault("truncated tokenizer", cut("tokenizer.json", 0.5), "corrupt_checkpoint", "tokenizer",
          "."),
    Fault("tokenizer settings that are no JSON", text("tokenizer_config.json", "{"),
          "corrupt_checkpoint", "tokenizer", "."),
    Fault("an unknown model_type", config(model_type="never-heard-of"), "corrupt_checkpoint",
          "model", "never-heard-of"),
    Fault("no tokenizer", no_tokenizer, "corrupt_checkpoint", "tokenizer", "vocabulary is empty"),
    Fault("an output that is not finite", value("transformer.ln_f.weight", 3e38), "wrong_output",
          "judgement", "not finite", "failed"),
    Fault("an output that is NaN", weights(huge), "wrong_output", "judgement",
          "NotFinite: logits.*values are NaN", "failed"),
    Fault("a library that is not installed", nothing, "missing_dependency", "import",
          "no-such-library is not installed: python -m pip install 'no-such-library>=1'",
          "skipped", (("dependencies", ["no-such-library>=1"]),)),
    Fault("a library that is too old", nothing, "missing_dependency", "import",
          "numpy .* is too old: python -m pip install 'numpy>=99'", "skipped",
          (("dependencies", ["numpy>=99"]),)),
    Fault("a library that is too new", nothing, "missing_dependency", "import",
          "numpy .* is too new: python -m pip install 'numpy>=1.26,<1'", "skipped",
          (("dependencies", ["numpy<1"]),)),
)  # fmt: skip
"""Checkpoints on this disk, loaded with from_pretrained on the CPU."""


class TestLocalFaults(unittest.TestCase):
    """One run of them all, with checkpoints that are whole before and behind them."""

    rows: ClassVar[dict[str, dict[str, Any]]]
    entries: ClassVar[dict[str, dict[str, Any]]]
    status: ClassVar[int]

    @classmethod
    def setUpClass(cls) -> None:
        root = support.class_folder(cls)
        whole = checkpoints.folder_of(support.job(MODEL))
        entries: dict[str, tuple[tuple[str, Any], ...]] = {HEALTHY[0]: ()}
        for fault in LOCAL:
            entries[f"./{fault.name}"] = fault.entry
        entries[HEALTHY[1]] = ()
        for name in entries:
            shutil.copytree(whole, root / name)
        for fault in LOCAL:
            fault.spoil(root / fault.name)
        arguments = ("--all", "--cpu-only", "--method", "from_pretrained", "--trials", "1")
        found = run(root, entries, *arguments)
        cls.status, cls.rows, cls.entries = found

    def test_exit_status(self) -> None:
        self.assertEqual(self.status, 1)

    def test_other_jobs_are_unharmed(self) -> None:
        for name in HEALTHY:
            row = self.rows[f"{name[2:]} {LOCAL_CHECK}"]
            self.assertEqual(row["status"], "passed", row)

    def test_each_is_told_apart(self) -> None:
        for fault in LOCAL:
            with self.subTest(fault.name):
                name = f"{fault.name} {LOCAL_CHECK}"
                assert_told(self, fault, self.rows[name], self.entries[name])


MACHINE = {
    "healthy from_pretrained_cpu": Fault("", nothing, "none", "judgement", "", "passed"),
    "healthy openvino_cpu": Fault(
        "no room to convert in", nothing, "disk_full", "conversion", "No space left"
    ),
    "gpt2 from_pretrained_cpu": Fault(
        "no room to build a tiny checkpoint in", nothing, "disk_full", "build", "No space left"
    ),
    "healthy from_pretrained_cuda:7": Fault(
        "a GPU that is not there", nothing, "none", "import", "CUDA", "skipped"
    ),
    "healthy openvino_npu": Fault(
        "an NPU that is not there", nothing, "none", "import", "finds no NPU", "skipped"
    ),
}
"""Disks that are full and devices that are not there, by check."""

LIMITS = {
    "healthy from_pretrained_cpu": Fault("", nothing, "none", "judgement", "", "passed"),
    "large from_pretrained_cpu": Fault(
        "a model beyond the memory limit", nothing, "out_of_memory", "model", "(?i)memory"
    ),
    "gpt2 from_pretrained_cpu": Fault(
        "a cache folder that cannot be written", nothing, "access_denied", "build", "Read-only"
    ),
    "own pipeline_cpu": Fault(
        "code of its own", own_code, "remote_code_required", "model", "trust_remote_code"
    ),
    "unheard-of pipeline_cpu": Fault(
        "a model_type that the library lacks",
        config(model_type="unheard-of"),
        "unsupported",
        "model",
        "does not recognize this architecture",
    ),
}
"""Memory and folders that a job may not have, and what only the pipeline looks at, by check."""


class TestMachineFaults(unittest.TestCase):
    """What is wrong with the machine, on small file systems of their own."""

    def setUp(self) -> None:
        self.root = support.temporary_folder(self)
        shutil.copytree(checkpoints.folder_of(support.job(MODEL)), self.root / "healthy")

    def assert_run(self, faults: dict[str, Fault], models: Models, *arguments: str) -> None:
        status, rows, entries = run(self.root, models, *arguments, "--trials", "1", "--all")
        self.assertEqual(status, 1)
        for name, fault in faults.items():
            if name in rows:
                with self.subTest(fault.name or name):
                    assert_told(self, fault, rows[name], entries[name])
        self.assertLessEqual(faults.keys(), rows.keys())

    @unittest.skipIf(dependencies.unmet(dependencies.OPENVINO), "OpenVINO is not installed")
    def test_full_disks_and_absent_devices(self) -> None:
        full = support.small_disk(self, "size=100k")
        # Where the job's own files go, among them what a conversion writes.
        with unittest.mock.patch.dict(os.environ, {"TMPDIR": str(full)}):
            self.assert_run(
                MACHINE,
                {"./healthy": (), MODEL: ()},
                *("--method", "from_pretrained", "openvino"),
                *("--device", "cpu", "openvino", "cuda:7", "openvino:npu"),
                *("--cache-dir", str(full / "cache")),
            )

    def test_limits_and_what_only_a_pipeline_meets(self) -> None:
        locked = support.small_disk(self, "ro")
        shutil.copytree(self.root / "healthy", self.root / "large")
        enlarge(self.root / "large", rows=1 << 23)
        limits = ("--memory-limit", "600", "--cache-dir", str(locked / "cache"))
        models: dict[str, Any] = {"./healthy": (), "./large": (), MODEL: ()}
        for name in ("own", "unheard-of"):
            shutil.copytree(self.root / "healthy", self.root / name)
            LIMITS[f"{name} pipeline_cpu"].spoil(self.root / name)
            models[f"./{name}"] = (("model_type", name),)
        self.assert_run(LIMITS, models, "--cpu-only", *limits)


def enlarge(folder: Path, rows: int) -> None:
    """Give the checkpoint so many positions, in a file that takes no room on the disk."""
    tensors = load_file(folder / WEIGHTS)
    width = tensors.pop("transformer.wpe.weight").shape[1]
    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})
    content = (folder / WEIGHTS).read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    begin = len(content) - 8 - length
    end = begin + 4 * rows * width
    header["transformer.wpe.weight"] = {
        "dtype": "F32", "shape": [rows, width], "data_offsets": [begin, end]
    }  # fmt: skip
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with (folder / WEIGHTS).open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text + content[8 + length :])
        file.truncate(8 + len(text) + end)
    config(n_positions=rows)(folder)


def run(
    root: Path, models: Models, *arguments: str, program: str = "runner.py", **options: Any
) -> tuple[int, dict[str, dict[str, Any]], dict[str, dict[str, Any]]]:
    """Run the command on a registry of these models; its rows and entries by the models' names."""
    data = json.loads((support.ROOT / "registry.json").read_text())
    family = data["families"]["gpt"]
    entry = {**family["models"][MODEL], "description": "spoilt for a test"}
    del entry["answers"]  # which only the published checkpoint knows
    family |= {
        "default_model": next(iter(models)),
        "models": {name: {**entry, **dict(extra)} for name, extra in models.items()},
    }
    path = root / "registry.json"
    path.write_text(json.dumps({**data, "families": {"gpt": family}}))
    results = root / "results"
    done = support.run(
        *(program, "--registry", str(path), "--results-dir", str(results)), *arguments, **options
    )
    folder = results / "latest"
    assert (folder / "run.json").is_file(), done.stdout + done.stderr
    document = json.loads((folder / "run.json").read_text())
    support.validate("run", document)
    rows, entries = {}, {}
    for row in document["checks"]:
        name = f"{Path(row['model']).name} {row['key']}"
        rows[name] = row
        model = json.loads((folder / row["file"]).read_text())
        support.validate("model", model)
        entries[name] = model["results"][row["key"]]
    return done.returncode, rows, entries


def assert_told(
    case: unittest.TestCase, fault: Fault, row: dict[str, Any], entry: dict[str, Any]
) -> None:
    """Type, stage, message, hint, traceback and log are what they must be."""
    shown = json.dumps({key: row[key] for key in ("status", "error_type", "stage", "error")})
    case.assertEqual(row["status"], fault.status, shown)
    case.assertEqual(row["error_type"], fault.kind, shown)
    case.assertEqual(row["stage"] or "", fault.stage, shown)
    if fault.status == "passed":
        return
    case.assertRegex(row["error"] or row["reason"], fault.says)
    case.assertNotIn("\n", row["error"] or "")
    if fault.status == "skipped":
        return
    case.assertIn("python runner.py", row["hint"])
    case.assertIn(row["model"], row["hint"])
    case.assertRegex(row["hint"], r"--registry \S+registry\.json")
    method = row["method"]
    case.assertIn("Traceback (most recent call last)", entry[f"{method}_traceback"])
    case.assertIn(row["error"].partition(":")[0], entry["log_tail"])
    case.assertLessEqual(len(entry["log_tail"].splitlines()), 50)


if __name__ == "__main__":
    unittest.main()
