"""What ``python runner.py`` refuses: one clear sentence, exit status 2, no traceback."""

from __future__ import annotations

import dataclasses
import json
import os
import unittest
from pathlib import Path
from typing import Any

from hf_tests import registry
from hf_tests.nightly import plan
from tests import support


class TestBadInput(unittest.TestCase):
    """One clear sentence, exit status 2, no traceback."""

    def setUp(self) -> None:
        self.folder = support.temporary_folder(self)

    def refuse(self, *arguments: str, says: str) -> None:
        done = support.runner(*arguments)
        self.assertEqual(done.returncode, 2, done.stdout + done.stderr)
        self.assertRegex(done.stderr, says)
        self.assertNotIn("Traceback", done.stderr)
        self.assertFalse((self.folder / "results").exists())

    def registry(self, change: Any) -> str:
        """Path of a changed copy of the shipped registry."""
        data = json.loads(Path(registry.DEFAULT_PATH).read_text())
        change(data)
        path = self.folder / "registry.json"
        path.write_text(json.dumps(data))
        return str(path)

    def test_names(self) -> None:
        self.refuse("--family", "berd", says="unknown family 'berd'; did you mean bert")
        self.refuse("--category", "x", "--dry-run", says="unknown family 'x'. Families: bert, gpt")
        self.refuse(
            "--model", "bert-bas", says="unknown model 'bert-bas'; did you mean bert-base-uncased"
        )
        self.refuse(
            "--model", "zz/zz", says="not in the registry, not a folder and not in the Hub's cache"
        )
        self.refuse("--all", "--device", "tpu", says="unknown device 'tpu'")
        self.refuse(
            "--all", "--device", "cuda:x", says="unknown device 'cuda:x'; did you mean cuda"
        )
        self.refuse(
            "--all", "--method", "pipelin", says="unknown method 'pipelin'; did you mean pipeline"
        )

    def test_nothing_to_do(self) -> None:
        self.refuse(says="say what to test: --all, --each-family N, --family NAME or")
        self.refuse("--all", "--family", "bert", says="--all does not go with")
        self.refuse("--all", "--each-family", "2", says="--each-family does not go with")
        self.refuse(
            "--all",
            "--method",
            "openvino",
            "--device",
            "cpu",
            says="nothing to run: no chosen device",
        )
        self.refuse("--all", "--timeout", "soon", says="'soon' is no positive number")
        self.refuse("--all", "--jobs", "0", says="'0' is no positive whole number")
        self.refuse("--all", "--jobs", "9999", says="--jobs 9999 needs a core for each, and there")
        self.refuse("--all", "--jobs", "2", "--isolation", "none", says="--jobs needs processes")

    def test_model_folders(self) -> None:
        self.refuse("--model", str(self.folder), says="holds no config.json")
        self.refuse("--model", str(self.folder / "none"), says="is not a folder")
        self.refuse("--model", os.fsdecode(b"./a\xff"), says="is not UTF-8, so no file can tell")
        config = self.folder / "config.json"
        config.write_text("[" * 100_000)
        self.refuse("--model", str(self.folder), says="cannot be read as JSON")
        config.write_text("{")
        self.refuse("--model", str(self.folder), says="cannot be read as JSON")
        config.write_text("[]")
        self.refuse("--model", str(self.folder), says="names no model_type")
        config.write_text(json.dumps({"model_type": "a\x1b[2J"}))
        self.refuse("--model", str(self.folder), says="names no model_type")
        config.write_text('{"model_type": "abacus"}')
        self.refuse("--model", str(self.folder), says="is a abacus model, and transformers")
        config.write_text('{"model_type": "bert", "architectures": ["BertForAbacus"]}')
        self.refuse("--model", str(self.folder), says="is of BertForAbacus; of bert models")
        config.write_text('{"model_type": "bert"}')
        self.refuse(
            "--model", str(self.folder), "--weights", "tiny", says="--weights tiny does not go"
        )

    def test_registries(self) -> None:
        path = self.folder / "registry.json"
        self.refuse(
            "--all", "--registry", str(path), says="registry.json: cannot be read: No such file"
        )
        path.write_text('{"version": 1,\n "families": }')
        self.refuse("--list-models", "--registry", str(path), says="line 2, column 14: not JSON")
        wrong = self.registry(lambda data: data["families"]["bert"].update(task="dance"))
        self.refuse("--all", "--registry", wrong, says="/families/bert/task: must be one of")
        alien = self.registry(
            lambda data: data["families"].update(alien=data["families"].pop("sam"))
        )
        self.refuse(
            "--all", "--registry", alien, says="/families/alien: it has no hf_tests/test_alien.py"
        )

    def test_class_that_this_transformers_does_not_have(self) -> None:
        def misspell(data: Any) -> None:
            families = data["families"]
            data["families"] = {"bert": families["bert"]}
            models = families["bert"]["models"]
            entry = {**models["bert-base-uncased"], "class": "BertForMaskdLM"}
            families["bert"]["models"] = {"bert-base-uncased": entry}

        path = self.registry(misspell)
        says = "has no class 'BertForMaskdLM'; did you mean BertForMaskedLM"
        self.refuse("--all", "--registry", path, "--weights", "tiny", says=says)

    def test_near_names_are_looked_for_up_to_a_few_slips(self) -> None:
        """Each takes a fraction of a second, and a registry of another version has hundreds."""
        wrong = [
            dataclasses.replace(support.model("gpt2"), id=f"x/{i}", class_name="GPT9LMHeadModel")
            for i in range(plan.SLIPS + 3)
        ]
        problems = plan.class_problems(wrong)
        self.assertEqual(len(problems), plan.SLIPS + 3)
        self.assertEqual(
            ["did you mean GPT2LMHeadModel" in problem for problem in problems],
            [True] * plan.SLIPS + [False] * 3,
        )

    def test_results_folder_that_cannot_be_written(self) -> None:
        path = self.folder / "file"
        path.write_text("x")
        arguments = ("--model", "gpt2", "--weights", "tiny", "--results-dir", str(path / "results"))
        self.refuse(*arguments, says="the results folder .* cannot be written")


if __name__ == "__main__":
    unittest.main()
