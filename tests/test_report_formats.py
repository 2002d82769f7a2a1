"""What other tools read of a run, and what the history adds to its report."""

from __future__ import annotations

import importlib.util
import json
import random
import re
import shutil
import signal
import subprocess
import sys
import time
import unittest
from typing import Any
from xml.etree import ElementTree

from hf_tests.report import index, junit, markdown, reading
from tests import made, nights, support

HOSTILE = "a\x00b\u202e|`</td><script>alert(1)</script>]]>\ud800"


class TestFormats(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = support.temporary_folder(self)
        self.results = self.folder / "results"

    def test_the_files_of_the_command(self) -> None:
        made.write(self.results, made.every_status())
        names = {name: self.folder / f"out.{name}" for name in ("junit", "markdown", "json")}
        summary = self.folder / "summary.md"
        summary.write_text("before\n")
        done = support.runner(
            "report",
            *("--results-dir", str(self.results)),
            *(word for name, path in names.items() for word in (f"--{name}", str(path))),
            environment={"GITHUB_STEP_SUMMARY": str(summary)},
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        for path in names.values():
            self.assertIn(str(path), done.stdout)
        run = json.loads((self.results / made.RUN_ID / "run.json").read_text())
        self.assertEqual(json.loads(names["json"].read_text()), run)
        self.assertEqual(summary.read_text(), "before\n" + names["markdown"].read_text())
        cases = ElementTree.parse(names["junit"]).findall(".//testcase")
        self.assertEqual(
            {(case.get("classname"), case.get("name")) for case in cases},
            {(f"{row['family']}.{row['model']}", row["key"]) for row in run["checks"]},
        )
        self.assertEqual(len(cases), run["counts"]["total"])

    def test_a_file_that_cannot_be_written_is_said_before_the_run(self) -> None:
        for command in (("report",), ("--all",)):
            done = support.runner(
                *command,
                *("--junit", str(self.folder / "no/such/x.xml")),
                *("--results-dir", str(self.results)),
            )
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn("there is no folder", done.stderr)
            self.assertFalse(self.results.exists())

    def test_a_run_keeps_its_exit_status_without_a_report(self) -> None:
        """Of a copy whose templates are lost; what was tested was tested all the same."""
        copy = self.folder / "copy"
        shutil.copytree(support.ROOT / "hf_tests", copy / "hf_tests")
        for name in ("runner.py", "registry.json"):
            shutil.copy(support.ROOT / name, copy)
        shutil.rmtree(copy / "hf_tests/report/templates")
        for model, status in (("bert-base-uncased", 0), ("no_such_folder", 1)):
            checkpoint = self.folder / model
            if status:
                checkpoint.mkdir()
                (checkpoint / "config.json").write_text(
                    '{"model_type": "bert", "architectures": ["BertForMaskedLM"]}'
                )
            done = support.runner(
                *("--model", str(checkpoint) if status else model),
                *("--cpu-only", "--method", "from_pretrained", "--isolation", "spawn"),
                *("--results-dir", str(self.results)),
                cwd=copy,
            )
            self.assertEqual(done.returncode, status, done.stdout + done.stderr)
            self.assertIn("report could not be written", done.stderr)
            self.assertFalse(list(self.results.glob("*/report.html")))
            self.assertTrue((self.results / "latest/run.json").is_file())

    def test_junit_tells_each_status(self) -> None:
        run = reading.read(made.write(self.results, made.every_status()))
        junit.write(run, self.folder / "x.xml")
        root = ElementTree.parse(self.folder / "x.xml").getroot()
        totals = {name: int(root.get(name) or 0) for name in ("tests", "failures", "errors")}
        self.assertEqual(totals, {"tests": 13, "failures": 2, "errors": 3})
        crash = root.find(".//testcase[@name='openvino_cpu'][@classname='gpt.gpt2']")
        assert crash is not None
        self.assertIn("RuntimeError", crash.findtext("error") or "")
        self.assertIn("RuntimeError: it did not work", crash.findtext("system-out") or "")

    @unittest.skipUnless(
        importlib.util.find_spec("xmlschema"), "python -m pip install xmlschema (extra dev)"
    )
    def test_junit_is_valid(self) -> None:
        import xmlschema

        schema = xmlschema.XMLSchema(support.ROOT / "tests" / "junit.xsd")
        path = self.folder / "x.xml"
        says = {"error": HOSTILE[:-1], "traceback": HOSTILE[:-1], "log_tail": HOSTILE[:-1]}
        hostile = made.bad("x", "error", "other", **says)
        run = reading.read(made.write(self.results, [*made.every_status(), hostile]))
        junit.write(run, path)
        schema.validate(path)
        text = path.read_text(encoding="utf-8")
        for good, broken in (("<failure", "<fault"), (' time="', ' t="'), ("tests=", "test=")):
            path.write_text(text.replace(good, broken, 1), encoding="utf-8")
            self.assertFalse(_is_valid(schema, path), f"{broken} is found")

    def test_markdown_escapes(self) -> None:
        hostile = made.bad("x|y`z", "error", "other", error=HOSTILE[:-1])
        text = markdown.text(reading.read(made.write(self.results, [hostile])))
        row = next(line for line in text.splitlines() if line.startswith("| `x"))
        self.assertEqual(row.count("|"), 5)
        self.assertEqual(row.count("`") % 2, 0)
        self.assertRegex(row, r"`[^`]*<script>[^`]*`")
        self.assertNotIn("\u202e", text)
        self.assertIn("no published checkpoint was tested", text)


class TestPast(unittest.TestCase):
    """Twelve nights: one check slower from the ninth on, with a version; another fails since."""

    def test_changes_since_when_and_trend(self) -> None:
        results = support.temporary_folder(self)
        for day in range(1, 13):
            wobble = 1 + day % 3 / 100
            newer = {"torch": "2.14.1", "transformers": "5.6.0" if day >= 9 else "5.5.4"}
            slower = nights.timed(0.01 * wobble * (1.5 if day >= 9 else 1))
            other: Any = nights.timed(0.02 * wobble, method="from_pretrained")
            if day >= 11:
                other = nights.changed(
                    other, status="failed", error_type="wrong_output", error="it is wrong"
                )
            nights.write(results, day, [slower, other], versions=newer)
        done = support.runner("report", "--results-dir", str(results))
        self.assertEqual(done.returncode, 0, done.stderr)
        page = (results / "latest" / "report.html").read_text(encoding="utf-8")
        self.assertIn("Failing since 2026-01-11.", page)
        self.assertIn("Over 12 nights", page)
        self.assertIn("2026-01-09: transformers 5.5.4 -&gt; 5.6.0", page)
        self.assertIn("against <a href=", page)
        self.assertIn("Still failing", page)
        self.assertEqual(page.count('<path class="b"') % 2, 0, "two nights of each line")
        self.assertGreaterEqual(page.count('<path class="v"'), 2)
        first = support.runner("report", "20260101T023000Z-night01", "--results-dir", str(results))
        self.assertEqual(first.returncode, 0, first.stderr)
        page = (results / "20260101T023000Z-night01/report.html").read_text(encoding="utf-8")
        self.assertIn("Nothing to compare with", page)
        self.assertNotIn("<svg", page)


class TestIndex(unittest.TestCase):
    def test_nights_models_totals_and_links(self) -> None:
        results = support.temporary_folder(self)
        for day in range(1, 4):
            checks = [nights.timed(0.01), nights.timed(0.01, "gpt2")]
            if day == 3:
                checks[1] = nights.changed(
                    checks[1], status="failed", error_type="wrong_output", error="it is wrong"
                )
            nights.write(results, day, checks)
        for command in (("report",), ("report", "--index")):
            done = support.runner(*command, "--results-dir", str(results))
            self.assertEqual(done.returncode, 0, done.stderr)
        text = (results / "index.html").read_text(encoding="utf-8")
        self.assertIn("3 nights; the newest has 1 of 2 checks passed, 1 went wrong", text)
        links = set(re.findall(r'href="([^"#]+)', text))
        self.assertEqual(links, {"20260103T023000Z-night03/report.html"}, "of those that are there")
        row = re.search(r"<bdi>gpt2</bdi>.*?</tr>", text, flags=re.DOTALL)
        assert row is not None
        self.assertEqual(re.findall(r"chip s-(\w+)", row[0]), ["passed", "passed", "failed"])
        self.assertIn("<td>1</td><td>1</td><td>2</td><td>50.0 %</td>", text)

    def test_ids_are_escaped(self) -> None:
        results = support.temporary_folder(self)
        made.write(results, [made.passed("<script>alert(1)</script>\u202e'\"")])
        done = support.runner("report", "--index", "--results-dir", str(results))
        self.assertEqual(done.returncode, 0, done.stderr)
        text = (results / "index.html").read_text(encoding="utf-8")
        self.assertNotIn("<script", text)
        self.assertNotIn("\u202e", text)
        self.assertIn("&lt;script&gt;", text)

    def test_killed_at_any_moment_leaves_a_whole_index(self) -> None:
        """A process that writes it again and again is killed; the next one writes the same."""
        results = support.temporary_folder(self)
        made.write(results, made.every_status())
        whole = index.write(results).read_bytes()
        code = (
            "import sys; from pathlib import Path; from hf_tests.report import index\n"
            "index.write(Path(sys.argv[1])); print('go', flush=True)\n"
            "while True: index.write(Path(sys.argv[1]))"
        )
        chance = random.Random(5)
        for _ in range(8):
            process = subprocess.Popen(
                [sys.executable, "-c", code, str(results)],
                cwd=support.ROOT,
                stdout=subprocess.PIPE,
            )
            assert process.stdout is not None
            self.assertEqual(process.stdout.readline(), b"go\n")
            time.sleep(chance.uniform(0, 0.02))
            process.kill()
            self.assertEqual(process.wait(60), -signal.SIGKILL)
            process.stdout.close()
            self.assertEqual((results / "index.html").read_bytes(), whole)
        self.assertEqual(index.write(results).read_bytes(), whole)

    def test_without_runs_and_with_words_that_do_not_go_together(self) -> None:
        results = support.temporary_folder(self)
        for words, says in (
            ((), "no finished run yet"),
            (("latest2",), "about all runs"),
            (("--json", "x"), "about all runs"),
        ):
            done = support.runner("report", "--index", *words, "--results-dir", str(results))
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn(says, done.stderr)


def _is_valid(schema: Any, path: Any) -> bool:
    try:
        return bool(schema.is_valid(path))
    except Exception:  # noqa: BLE001 - so broken that it cannot even be parsed
        return False


if __name__ == "__main__":
    unittest.main()
