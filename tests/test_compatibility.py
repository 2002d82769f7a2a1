"""``runner.py compatibility``: models by devices, from the newest result of each check."""

from __future__ import annotations

import json
import unittest
from typing import Any

from tests import support


class TestCompatibility(unittest.TestCase):
    def setUp(self) -> None:
        self.results = support.temporary_folder(self)

    def write(self, run: str, *rows: tuple[str, ...], **fields: Any) -> None:
        """A run with rows of model, device, method, weights and status."""
        names = ("model", "device", "method", "weights", "status")
        given = {"family": "gpt", "key": "", **fields}
        checks = [{**given, **dict(zip(names, row, strict=True))} for row in rows]
        (self.results / run).mkdir()
        (self.results / run / "run.json").write_text(json.dumps({"metadata": {}, "checks": checks}))

    def command(self, *arguments: str) -> str:
        done = support.runner("compatibility", "--results-dir", str(self.results), *arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def test_newest_counts_and_tiny_is_never_mixed(self) -> None:
        self.write("1", ("a", "cpu", "pipeline", "hub", "error"), error="old")
        self.write(
            "2",
            ("a", "cpu", "pipeline", "hub", "passed"),
            ("a", "cuda", "pipeline", "tiny", "passed"),
            ("b", "cpu", "pipeline", "tiny", "passed"),
        )
        self.write(
            "3",
            ("a", "cpu", "from_pretrained", "tiny", "error"),
            ("b", "cpu", "from_pretrained", "tiny", "failed"),
            ("c", "cpu", "pipeline", "local", "skipped"),
            error="a <b> | c",
        )
        (self.results / "4").mkdir()
        (self.results / "4" / "run.json").write_text("torn")
        text = self.command()
        lines = [line.split("  ") for line in text.splitlines()[:4]]
        table = {line[0]: [word.strip() for word in line[1:] if word.strip()] for line in lines}
        self.assertEqual(
            table,
            {
                "model": ["cpu", "cuda"],
                "a": ["works", "works (tiny)"],
                "b": ["partly (tiny)"],
                "c": ["not tested"],
            },
        )
        self.assertIn("b on cpu, c on cpu: a <b> | c", text)
        self.assertNotIn("old", text)
        found = json.loads(self.command("--json"))
        self.assertEqual([cell["run"] for cell in found], ["2", "2", "3", "3"])
        markdown = self.command("--markdown")
        self.assertIn("| b | partly (tiny) |  |", markdown)
        self.assertIn(r"a \<b\> \| c", markdown)

    def test_without_any_run(self) -> None:
        done = support.runner("compatibility", "--results-dir", str(self.results / "none"))
        self.assertEqual(done.returncode, 2)
        self.assertIn("has no run; python runner.py --all makes one", done.stderr)
