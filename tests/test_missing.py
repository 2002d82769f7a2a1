"""Environments that really lack libraries: a bare interpreter with what each test puts into it."""

from __future__ import annotations

import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from typing import ClassVar

from tests import support


class TestBareEnvironment(unittest.TestCase):
    """Nothing but the schema validator: no torch, transformers, openvino, psutil or tqdm."""

    folder: ClassVar[Path]
    python: ClassVar[str]

    @classmethod
    def setUpClass(cls) -> None:
        folder = tempfile.TemporaryDirectory(prefix="hf-tests-test-", ignore_cleanup_errors=True)
        cls.addClassCleanup(folder.cleanup)
        cls.folder = Path(folder.name)
        subprocess.run(
            [sys.executable, "-m", "venv", "--without-pip", cls.folder / "venv"], check=True
        )
        binaries = cls.folder / "venv" / ("Scripts" if os.name == "nt" else "bin")
        cls.python = str(binaries / "python")
        site = subprocess.run(
            [cls.python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()
        for file in importlib.metadata.files("fastjsonschema") or ():
            target = Path(site) / file
            if ".." not in file.parts:
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(str(file.locate()), target)

    def test_listing_and_planning_work(self) -> None:
        for arguments in (["--list-models"], ["--list-devices"], ["--all", "--dry-run"]):
            done = support.runner(*arguments, python=self.python)
            self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("openvino", done.stdout)

    def test_checks_are_skipped_with_the_install_command(self) -> None:
        results = self.folder / "results"
        arguments = ("--model", "t5-small", "--results-dir", str(results))
        done = support.runner(*arguments, python=self.python)
        self.assertEqual(done.returncode, 3, done.stdout + done.stderr)
        run = json.loads((results / "latest" / "run.json").read_text())
        support.validate("run", run)
        self.assertEqual(len(run["checks"]), 3)
        for row in run["checks"]:
            self.assertEqual((row["status"], row["error_type"]), ("skipped", "missing_dependency"))
            self.assertIn(
                "pip install 'transformers>=4.57' 'torch>=2.2' sentencepiece", row["reason"]
            )
        self.assertIsNone(run["metadata"]["versions"]["torch"])

    def test_plain_unittest_skips_too(self) -> None:
        done = support.run("-m", "unittest", "hf_tests.test_gpt", python=self.python)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("skipped=", done.stderr)
