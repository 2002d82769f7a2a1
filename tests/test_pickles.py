"""Weights in a pickle: skipped, and taken out of it where that is allowed for the model."""

from __future__ import annotations

import json
import shutil
import unittest
from pathlib import Path
from typing import Any, ClassVar

import torch
from safetensors.torch import load_file

from hf_tests import checkpoint_files
from hf_tests.probe import checkpoints
from tests import support

MODEL = "gpt2"
PLAIN, SHARDED, EVIL, FORBIDDEN = "plain", "sharded", "evil", "forbidden"


class Intruder:
    """Makes a file where it is unpickled by a loader that runs what it finds."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.mark,)


def pickled(folder: Path, shards: int = 1, **more: Any) -> None:
    """Put a checkpoint's weights into pickles."""
    weights = load_file(folder / checkpoint_files.WEIGHTS)
    (folder / checkpoint_files.WEIGHTS).unlink()
    if shards == 1:
        torch.save(weights | more, folder / checkpoint_files.PICKLE)
        return
    names: dict[str, str] = {}
    for number in range(shards):
        name = f"pytorch_model-{number + 1:05}-of-{shards:05}.bin"
        part = dict(list(weights.items())[number::shards])
        torch.save(part, folder / name)
        names |= dict.fromkeys(part, name)
    index = {"metadata": {}, "weight_map": names}
    (folder / f"{checkpoint_files.PICKLE}.index.json").write_text(json.dumps(index))


class TestPickles(unittest.TestCase):
    """One run of folders with pickles, all but one of them allowed."""

    root: ClassVar[Path]
    status: ClassVar[int]
    found: ClassVar[dict[str, dict[str, Any]]]

    @classmethod
    def setUpClass(cls) -> None:
        cls.root = support.class_folder(cls)
        whole = checkpoints.folder_of(support.job(MODEL))
        for name in (PLAIN, SHARDED, EVIL, FORBIDDEN):
            shutil.copytree(whole, cls.root / name)
        pickled(cls.root / PLAIN)
        pickled(cls.root / SHARDED, shards=2)
        pickled(cls.root / FORBIDDEN)
        pickled(cls.root / EVIL, intruder=Intruder(cls.root / "mark"))
        paths = {name: str(cls.root / name) for name in (PLAIN, SHARDED, EVIL, FORBIDDEN)}
        done = support.runner(
            *("--model", *paths.values(), "--allow-pickle", paths[PLAIN], paths[SHARDED]),
            *(paths[EVIL], "--cpu-only", "--trials", "1", "--no-report"),
            *("--cache-dir", str(cls.root / "cache"), "--results-dir", str(cls.root / "results")),
        )
        cls.status = done.returncode
        document = json.loads((cls.root / "results" / "latest" / "run.json").read_text())
        cls.found = {
            f"{Path(row['model']).name} {row['method']}": row for row in document["checks"]
        }

    def test_tensors_alone_are_taken(self) -> None:
        for name in (PLAIN, SHARDED):
            for method in ("from_pretrained", "pipeline"):
                row = self.found[f"{name} {method}"]
                self.assertEqual((row["status"], row["weights"]), ("passed", "local"), row)

    def test_they_are_the_pickle_s(self) -> None:
        folders = sorted((self.root / "cache" / "unpickled").iterdir())
        self.assertEqual(len(folders), 2, folders)
        wanted = load_file(checkpoints.folder_of(support.job(MODEL)) / checkpoint_files.WEIGHTS)
        for folder in folders:
            found = load_file(folder / checkpoint_files.WEIGHTS)
            self.assertEqual(found.keys(), wanted.keys())
            for name, weight in wanted.items():
                self.assertTrue(torch.equal(found[name], weight), name)
            self.assertEqual(list(folder.glob("*.bin")), [])

    def test_what_is_more_than_tensors_is_not_run(self) -> None:
        self.assertFalse((self.root / "mark").exists())
        for method in ("from_pretrained", "pipeline"):
            row = self.found[f"{EVIL} {method}"]
            self.assertEqual((row["status"], row["error_type"]), ("error", "corrupt_checkpoint"))
            self.assertIn("pytorch_model.bin is no pickle of tensors alone", row["error"])
        torch.load(self.root / EVIL / checkpoint_files.PICKLE, weights_only=False)
        self.assertTrue((self.root / "mark").exists(), "it would have been")
        (self.root / "mark").unlink()

    def test_what_is_not_allowed_says_how(self) -> None:
        row = self.found[f"{FORBIDDEN} from_pretrained"]
        self.assertEqual((row["status"], row["error_type"]), ("skipped", "unsupported"))
        self.assertIn("as a pickle only (pytorch_model.bin)", row["reason"])
        self.assertIn(f"--allow-pickle {self.root / FORBIDDEN}", row["reason"])
        self.assertEqual(self.status, 1)

    def test_a_model_that_is_not_in_the_run(self) -> None:
        done = support.runner("--model", MODEL, "--cpu-only", "--allow-pickle", "gpt3")
        self.assertEqual(done.returncode, 2)
        self.assertIn("--allow-pickle gpt3: no such model is in this run", done.stderr)

    def test_names_in_an_index_do_not_leave_the_folder(self) -> None:
        folder = support.temporary_folder(self)
        (folder / "inside").mkdir()
        torch.save({}, folder / "outside.bin")
        index = {"weight_map": {"a": "../outside.bin"}}
        path = folder / "inside" / f"{checkpoint_files.PICKLE}.index.json"
        path.write_text(json.dumps(index))
        self.assertEqual(checkpoint_files.pickle_files(folder / "inside"), ())
