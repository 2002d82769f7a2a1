"""Code that a checkpoint brings along: run where entry and command agree, and nowhere else."""

from __future__ import annotations

import json
import os
import shutil
import unittest
import unittest.mock
from pathlib import Path
from typing import Any, ClassVar

from hf_tests import dependencies, own_code
from hf_tests.probe import checkpoints
from tests import support
from tests.hub import COMMIT, Hub
from tests.test_faults import run

MODEL, PUBLISHED = "gpt2", "someone/own"
MARK = "HF_TESTS_MARK"
"""Names the folder in which the code leaves a file when it is run."""

CODE = f"""
import os, pathlib
from transformers import GPT2Config, GPT2LMHeadModel

(pathlib.Path(os.environ["{MARK}"]) / pathlib.Path(__file__).parent.name).touch()

class OwnConfig(GPT2Config):
    model_type = "own"

class OwnLMHeadModel(GPT2LMHeadModel):
    config_class = OwnConfig
"""

ENTRY = (("model_type", "own"), ("class", "OwnLMHeadModel"))
OWN = (*ENTRY, ("own_code", True))


def make(folder: Path, elsewhere: str = "") -> None:
    """A checkpoint of a model type and a class that its own code defines."""
    shutil.copytree(checkpoints.folder_of(support.job(MODEL)), folder)
    (folder / "modeling_own.py").write_text(CODE)
    path = folder / "config.json"
    names = {"AutoConfig": "OwnConfig", "AutoModelForCausalLM": "OwnLMHeadModel"}
    changes = {
        "model_type": "own",
        "architectures": ["OwnLMHeadModel"],
        "auto_map": {auto: f"{elsewhere}modeling_own.{name}" for auto, name in names.items()},
    }
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


class TestFolders(unittest.TestCase):
    """One run of folders that all bring code, of which two are named on the command line."""

    root: ClassVar[Path]
    status: ClassVar[int]
    rows: ClassVar[dict[str, dict[str, Any]]]
    entries: ClassVar[dict[str, dict[str, Any]]]

    @classmethod
    def setUpClass(cls) -> None:
        cls.root = support.class_folder(cls)
        (cls.root / "marks").mkdir()
        for name in ("trusted", "unasked", "unlisted", "foreign"):
            make(cls.root / name, elsewhere="someone/else--" if name == "foreign" else "")
        models: dict[str, Any] = {f"./{name}": OWN for name in ("trusted", "unasked", "foreign")}
        models |= {"./unlisted": ENTRY, MODEL: ()}
        trusted = [str(cls.root / name) for name in ("trusted", "foreign")]
        devices = ["cpu"] + ([] if dependencies.unmet(dependencies.OPENVINO) else ["openvino"])
        environment = {MARK: str(cls.root / "marks"), "HF_MODULES_CACHE": str(cls.root / "code")}
        with unittest.mock.patch.dict(os.environ, environment):
            cls.status, cls.rows, cls.entries = run(
                cls.root,
                models,
                *("--all", "--device", *devices, "--trials", "1", "--no-report"),
                *("--cache-dir", str(cls.root / "cache"), "--trust-remote-code", *trusted),
            )

    def of(self, name: str) -> dict[str, dict[str, Any]]:
        return {key: row for key, row in self.rows.items() if key.startswith(f"{name} ")}

    def test_where_both_agree_it_is_tested_as_any_other(self) -> None:
        for key, row in self.of("trusted").items():
            self.assertEqual((row["status"], row["weights"]), ("passed", "local"), (key, row))
        self.assertEqual(self.entries["trusted from_pretrained_cpu"]["class"], "OwnLMHeadModel")

    def test_nothing_else_was_run(self) -> None:
        """Not even to see what it is."""
        self.assertEqual([path.name for path in (self.root / "marks").iterdir()], ["trusted"])

    def test_without_the_command(self) -> None:
        for row in self.of("unasked").values():
            self.assertEqual((row["status"], row["error_type"]), ("skipped", own_code.KIND))
            self.assertIn(f"only with --trust-remote-code {self.root / 'unasked'}", row["reason"])

    def test_without_the_entry(self) -> None:
        for key, row in self.of("unlisted").items():
            self.assertEqual((row["status"], row["error_type"]), ("error", own_code.KIND), key)
            self.assertIn('"own_code": true in its entry', row["hint"])

    def test_code_of_another_repository(self) -> None:
        for key, row in self.of("foreign").items():
            self.assertEqual((row["status"], row["error_type"]), ("error", own_code.KIND), key)
            self.assertIn("someone/else--modeling_own.OwnConfig", row["error"])
            self.assertIn("Copy that code into the folder", row["hint"])

    def test_the_others_are_unharmed(self) -> None:
        self.assertEqual(self.status, 2, "an entry has a class that is neither here nor there")
        for row in self.of(MODEL).values():
            self.assertEqual(row["status"], "passed", row)

    def test_a_model_whose_entry_does_not_say_so(self) -> None:
        done = support.runner("--model", MODEL, "--cpu-only", "--trust-remote-code", MODEL)
        self.assertEqual(done.returncode, 2)
        self.assertIn(f"--trust-remote-code {MODEL}: its entry in the registry", done.stderr)
        done = support.runner("--model", MODEL, "--cpu-only", "--trust-remote-code", "gpt3")
        self.assertIn("--trust-remote-code gpt3: no such model is in this run", done.stderr)


class TestHub(unittest.TestCase):
    """The same checkpoint from the Hub, where code may change overnight."""

    def setUp(self) -> None:
        self.root = support.temporary_folder(self)
        (self.root / "marks").mkdir()
        make(self.root / "published")
        self.hub = Hub()
        self.addCleanup(self.hub.close)
        self.hub.repositories[PUBLISHED] = self.root / "published"
        self.hub.revisions[PUBLISHED] = {COMMIT}

    def run_it(self, *arguments: str, **entry: Any) -> dict[str, Any]:
        environment = {
            MARK: str(self.root / "marks"),
            "HF_ENDPOINT": self.hub.url,
            "HF_HOME": str(self.root / "home"),
            "HF_HUB_DISABLE_XET": "1",
        }
        with unittest.mock.patch.dict(os.environ, environment):
            rows = run(
                self.root,
                {PUBLISHED: (*OWN, *entry.items())},
                *("--all", "--cpu-only", "--method", "from_pretrained", "--trials", "1"),
                *("--no-report", "--cache-dir", str(self.root / "cache"), *arguments),
            )[1]
        return rows["own from_pretrained_cpu"]

    def test_a_pinned_commit_alone(self) -> None:
        trust = ("--weights", "hub", "--trust-remote-code", PUBLISHED)
        row = self.run_it(*trust)
        self.assertEqual((row["status"], row["error_type"]), ("skipped", own_code.KIND))
        self.assertIn("pins no commit", row["reason"])
        row = self.run_it("--weights", "hub", revision=COMMIT)
        self.assertEqual((row["status"], row["error_type"]), ("skipped", own_code.KIND))
        self.assertEqual(self.hub.requests, [], "nothing of it was fetched")
        row = self.run_it(*trust, revision=COMMIT)
        self.assertEqual((row["status"], row["weights"]), ("passed", "hub"), row)
        self.assertEqual(len(list((self.root / "marks").iterdir())), 1)

    def test_no_tiny_one_is_built(self) -> None:
        row = self.run_it("--weights", "tiny", "--trust-remote-code", PUBLISHED, revision=COMMIT)
        self.assertEqual((row["status"], row["error_type"]), ("skipped", "unsupported"))
        self.assertIn("no tiny checkpoint is built", row["reason"])


if __name__ == "__main__":
    unittest.main()
