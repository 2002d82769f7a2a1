"""The command in environments that really lack libraries: no import is patched."""

from __future__ import annotations

import json
import unittest
from pathlib import Path
from typing import Any, ClassVar

from hf_tests import dependencies
from tests import environments, support

ENCODER, WITH_VOCABULARY = "gpt2", "t5-small"


class TestBareEnvironment(unittest.TestCase):
    """Nothing but the schema validator: no torch, transformers, openvino, psutil or tqdm."""

    folder: ClassVar[Path]
    python: ClassVar[str]

    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = support.class_folder(cls)
        cls.python = environments.bare(cls.folder / "venv", "fastjsonschema")

    def test_listing_and_planning_work(self) -> None:
        for arguments in (["--list-models"], ["--list-devices"], ["--all", "--dry-run"]):
            done = support.runner(*arguments, python=self.python)
            self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("openvino", done.stdout)

    def test_checks_are_skipped_with_the_install_command(self) -> None:
        results = self.folder / "results"
        arguments = ("--model", WITH_VOCABULARY, "--results-dir", str(results))
        done = support.runner(*arguments, python=self.python)
        self.assertEqual(done.returncode, 3, done.stdout + done.stderr)
        run = json.loads((results / "latest" / "run.json").read_text())
        support.validate("run", run)
        self.assertEqual(len(run["checks"]), 3)
        for row in run["checks"]:
            self.assertEqual((row["status"], row["error_type"]), ("skipped", "missing_dependency"))
            self.assertIn(
                "pip install 'transformers>=4.57,<6' 'torch>=2.2' 'sentencepiece>=0.2'",
                row["reason"],
            )
        self.assertEqual({job["ending"] for job in run["jobs"]}, {None}, "no process was started")
        self.assertIsNone(run["metadata"]["versions"]["torch"])

    def test_plain_unittest_skips_too(self) -> None:
        done = support.run("-m", "unittest", "hf_tests.test_gpt", python=self.python)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("skipped=", done.stderr)


class TestEnvironmentsThatLackOne(unittest.TestCase):
    """All that is installed here but one library."""

    def checks(
        self, lacking: str, *arguments: str, status: int
    ) -> dict[tuple[str, str], dict[str, Any]]:
        """Run the command in such an environment; its checks by model and key."""
        folder = support.temporary_folder(self)
        python = environments.without(folder / "venv", lacking)
        done = support.runner(
            *arguments, *("--weights", "tiny", "--results-dir", str(folder)), python=python
        )
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        run = json.loads((folder / "latest" / "run.json").read_text())
        self.assertIsNone(run["metadata"]["versions"][lacking])
        return {(row["model"], row["key"]): row for row in run["checks"]}

    def assert_lacks(self, row: dict[str, Any], *names: str) -> None:
        """The check is skipped for want of exactly these, with the command that installs them."""
        self.assertEqual((row["status"], row["error_type"]), ("skipped", "missing_dependency"))
        words, _, command = row["reason"].partition(": ")
        verb = "is" if len(names) == 1 else "are"
        self.assertEqual(words, f"{' and '.join(names)} {verb} not installed")
        wanted = [name + dependencies.RANGES[name] for name in names]
        self.assertEqual(command, dependencies.install_command(wanted))

    def test_what_every_check_needs(self) -> None:
        for lacking in ("torch", "transformers"):
            with self.subTest(lacking):
                found = self.checks(lacking, "--model", ENCODER, "--cpu-only", status=3)
                self.assertEqual(len(found), 2)
                for row in found.values():
                    self.assert_lacks(row, lacking)

    @unittest.skipIf(dependencies.unmet(dependencies.OPENVINO), "OpenVINO is not installed")
    def test_what_one_method_needs(self) -> None:
        for lacking in dependencies.OPENVINO:
            with self.subTest(lacking):
                arguments = ("--model", ENCODER, "--device", "openvino")
                row = self.checks(lacking, *arguments, status=3)[ENCODER, "openvino_cpu"]
                self.assert_lacks(row, lacking)

    def test_what_one_model_needs(self) -> None:
        """The other model is tested as ever."""
        arguments = ("--model", ENCODER, WITH_VOCABULARY, "--cpu-only")
        found = self.checks("sentencepiece", *arguments, "--method", "from_pretrained", status=0)
        self.assertEqual(found[ENCODER, "from_pretrained_cpu"]["status"], "passed")
        self.assert_lacks(found[WITH_VOCABULARY, "from_pretrained_cpu"], "sentencepiece")

    def test_what_a_library_needs_itself(self) -> None:
        """transformers cannot be imported without tqdm; the command itself can do without."""
        found = self.checks("tqdm", "--model", ENCODER, "--cpu-only", status=3)
        row = found[ENCODER, "from_pretrained_cpu"]
        self.assertEqual((row["status"], row["error_type"]), ("skipped", "missing_dependency"))
        self.assertRegex(row["reason"], "tqdm is not installed: python -m pip install 'tqdm>=")

    def test_what_the_command_can_do_without(self) -> None:
        arguments = ("--model", ENCODER, "--cpu-only", "--method", "from_pretrained")
        found = self.checks("psutil", *arguments, status=0)
        self.assertEqual(found[ENCODER, "from_pretrained_cpu"]["status"], "passed")
