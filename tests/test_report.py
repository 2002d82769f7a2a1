"""The report: what it reads of a run's files, what it shows, and that it escapes all of it."""

from __future__ import annotations

import base64
import json
import math
import os
import re
import signal
import subprocess
import sys
import time
import unittest
import zlib
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from hf_tests.nightly.usage import UsageError
from hf_tests.outcome import CheckResult, Example
from hf_tests.report import page, reading, wording
from hf_tests.report.forms import Run
from tests import made, support

VOID = frozenset({"meta", "input", "br", "link", "img"})


def whole(html: str) -> str:
    """The page with its packed parts unpacked, as its script does it."""

    def unpacked(match: re.Match[str]) -> str:
        return zlib.decompress(base64.b64decode(match[1])).decode() if match[1] else ""

    return re.sub(r'<template id="pack\d+">([^<]*)</template>', unpacked, html)


class Page(HTMLParser):
    """The elements of a page, unpacked, and what is wrong with their nesting."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.faults: list[str] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(whole(text))
        self.faults += self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open.pop() != tag:
            self.faults.append(f"</{tag}> at {self.getpos()}")

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] not in ("script", "style"):
            self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


class TestReading(unittest.TestCase):
    def setUp(self) -> None:
        self.results = support.temporary_folder(self)

    def test_whole_run(self) -> None:
        checks = made.every_status()
        run = reading.read(made.write(self.results, checks))
        self.assertTrue(run.whole)
        self.assertEqual(run.devices, ("cpu", "cuda:0", "openvino"))
        self.assertEqual(
            sorted((check.model, check.key, check.status) for check in run.checks),
            sorted((check.model, check.key, check.status) for check in checks),
        )
        found = {(check.model, check.key): check for check in run.checks}
        for check in checks:
            read = found[check.model, check.key]
            for name in ("error", "reason", "hint", "traceback", "stage", "log_tail", "weights"):
                self.assertEqual(getattr(read, name), getattr(check, name), name)
            self.assertEqual(read.predictions, tuple(check.predictions))
            if check.measurement.trial_times:
                self.assertEqual(read.figures[0].trial_times, check.measurement.trial_times)
                self.assertEqual(read.figures[0].peak_memory_mb, check.measurement.peak_memory_mb)
        self.assertEqual(run.models[0].jobs[0].wall_time, 2.5)

    def test_killed_run_is_read_from_its_models(self) -> None:
        folder = made.write(self.results, made.every_status())
        (folder.path / "run.json").unlink()
        run = reading.read(folder)
        self.assertFalse(run.whole)
        self.assertEqual(len(run.checks), len(made.every_status()))
        self.assertIn("Not finished", page.render(run))

    def test_a_model_file_that_is_lost_or_torn(self) -> None:
        folder = made.write(self.results, made.every_status())
        (folder.path / "models/bert/bert-base-uncased.json").unlink()
        torn = folder.path / "models/gpt/gpt2.json"
        torn.write_text(torn.read_text()[:100])
        run = reading.read(folder)
        self.assertEqual(len(run.checks), len(made.every_status()))
        problems = [model.id for model in run.models if model.problem]
        self.assertEqual(problems, ["bert-base-uncased", "gpt2"])
        self.assertEqual(run.models[0].checks[0].status, "passed")
        self.assertIn("is missing or cannot be read", page.render(run))

    def test_files_of_any_form(self) -> None:
        """Whatever stands in a key, the run is read and shown without it."""
        folder = made.write(self.results, made.every_status()[:3])
        path = folder.path / "models/bert/bert-base-uncased.json"
        whole = json.loads(path.read_text())
        run_file = folder.path / "run.json"
        run = json.loads(run_file.read_text())
        odds: list[Any] = [None, 7, [], [None], {"a": {}}, True, 1e308, math.nan, 10**400, "\ud800"]
        for odd in odds:
            with self.subTest(repr(odd)):
                entry = dict.fromkeys(whole["results"]["pipeline_cpu"], odd)
                figures = dict.fromkeys(whole["performance"]["pipeline_cpu"], odd)
                document = {**whole, "results": {"pipeline_cpu": entry}}
                document |= {"performance": {"pipeline_cpu": figures}, "examples": odd}
                path.write_text(json.dumps(document))
                Page(page.render(reading.read(folder)))
                path.write_text(json.dumps(odd))
                Page(page.render(reading.read(folder)))
                for key in ("metadata", "hardware", "counts", "jobs"):
                    run_file.write_text(json.dumps({**run, key: odd}))
                    Page(page.render(reading.read(folder)))
                row = dict.fromkeys(run["checks"][0], odd)
                run_file.write_text(json.dumps({**run, "checks": [row, odd]}))
                Page(page.render(reading.read(folder)))
                run_file.write_text(json.dumps(run))
                path.write_text(json.dumps(whole))

    def test_a_file_outside_of_the_run_is_not_read(self) -> None:
        folder = made.write(self.results, made.every_status()[:1])
        (self.results / "secret.json").write_text('{"results": {"pipeline_cpu": {"hint": "!!"}}}')
        run_file = folder.path / "run.json"
        run = json.loads(run_file.read_text())
        for name in ("../secret.json", str(self.results / "secret.json")):
            run["checks"][0]["file"] = name
            run_file.write_text(json.dumps(run))
            self.assertIsNone(reading.read(folder).checks[0].hint)

    def test_find(self) -> None:
        made.write(self.results, made.every_status()[:1])
        by_id = reading.find(self.results, made.RUN_ID)
        folder = self.results / made.RUN_ID
        for name in ("latest", str(folder), str(folder / "run.json")):
            self.assertEqual(reading.find(self.results, name).path, by_id.path)
        (self.results / "latest").unlink()
        (self.results / "latest").write_text(made.RUN_ID + "\n")  # where there are no links
        self.assertEqual(reading.find(self.results).path, by_id.path)
        with self.assertRaisesRegex(UsageError, "has no run 'nothing'"):
            reading.find(self.results, "nothing")
        with self.assertRaisesRegex(UsageError, "no finished run yet"):
            reading.find(self.results / "empty")


class TestPage(unittest.TestCase):
    run_read: Run
    html: str
    page: Page

    @classmethod
    def setUpClass(cls) -> None:
        cls.run_read = reading.read(made.write(support.class_folder(cls), made.every_status()))
        cls.html = page.render(cls.run_read)
        cls.page = Page(cls.html)

    def test_is_well_formed_and_self_contained(self) -> None:
        self.assertEqual(self.page.faults, [])
        for tag, attributes in self.page.tags:
            self.assertNotIn(tag, ("link", "img", "iframe", "object", "base"))
            self.assertNotIn("src", attributes)
            self.assertFalse([name for name in attributes if name.startswith("on")], tag)
            href = attributes.get("href") or ""
            self.assertNotRegex(href, r"^([a-z]+:|//)", "only within the run's folder")
        ids = [attributes["id"] for _, attributes in self.page.tags if "id" in attributes]
        self.assertEqual(len(ids), len(set(ids)))
        labels = [item.get("aria-labelledby") for _, item in self.page.tags]
        self.assertLessEqual({label for label in labels if label}, set(ids))
        anchors = {(item.get("href") or "")[1:] for item in self.page.all("a")}
        models = {anchor for anchor in anchors if anchor.startswith("model=")}
        self.assertEqual(models, {page.model_anchor(model.id) for model in self.run_read.models})
        self.assertLessEqual(models, set(ids), "each opens a page")

    def test_says_what_happened(self) -> None:
        text = " ".join(self.page.text.split())
        self.assertIn("5 of 13 checks went wrong of 4 models", text)
        for words in ("unexpected success", "expected failure", "out of memory", "it is known"):
            self.assertIn(words, text)
        self.assertIn("109,514,298", text)
        self.assertIn("other processes used 0.4 cores meanwhile", text)
        self.assertIn("driver 570.1", text)

    def test_links_are_to_files_that_are_there(self) -> None:
        links = [item.get("href") or "" for item in self.page.all("a")]
        files = [link for link in links if not link.startswith("#")]
        self.assertGreater(len(files), 10)
        from urllib.parse import unquote

        for link in files:
            self.assertTrue((self.run_read.path / unquote(link)).is_file(), link)

    def test_every_model_on_random_weights_says_so(self) -> None:
        tiny = [model for model in self.run_read.models if model.weights == "tiny"]
        self.assertEqual(self.page.text.count("Tiny checkpoint of random weights."), len(tiny))
        lines = re.findall(r'<tr class="line".*?</tr>', self.html, flags=re.DOTALL)
        for model, line in zip(self.run_read.models, lines, strict=True):
            self.assertEqual('class="kind k-tiny"' in line, model.weights == "tiny", model.id)

    def test_what_went_wrong_can_be_read_without_a_script(self) -> None:
        """The page of a model is packed only where all is well, and all pages are there."""
        articles = r'<article class="model" id="([^"]*)"'
        plain = set(re.findall(articles, self.html))
        models = {page.model_anchor(model.id): model for model in self.run_read.models}
        bad = {name for name, model in models.items() if any(c.is_bad for c in model.checks)}
        self.assertEqual(plain, bad)
        self.assertLess(len(plain), len(models))
        self.assertEqual(sorted(re.findall(articles, whole(self.html))), sorted(models))


HOSTILE = (
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "\"'><svg onload=alert(1)>",
    "{{ 7 * 7 }}{% for x in y %}",
    "a\u202egnirts\u202c\u2066b\u2069\u200b",
    "nul\x00 bell\x07 \x1b[31mred\x1b[0m\x9b",
    "javascript:alert(1)",
    "]]>--><!-- x",
    "../../etc/passwd",
    "مرحبا 你好 🤗",
)


class TestHostile(unittest.TestCase):
    """Ids, messages, predictions and logs are whatever somebody put into a checkpoint."""

    def test_nothing_of_it_is_markup(self) -> None:
        checks = []
        for place, text in enumerate(HOSTILE):
            model = f"{text}{place}"
            checks.append(
                made.passed(
                    model,
                    predictions=[{text: text, "deep": [text]}, {text: 1, "deep": None}],
                    examples=(Example(text, {text: [text]}),),
                    task=text,
                    class_name=text,
                    checkpoint=text,
                    isolation=text,
                    family=text if place % 2 else "bert",
                )
            )
            says = {"error": text, "hint": text, "traceback": text, "log_tail": text}
            checks.append(
                made.bad(model, "error", "other", method="from_pretrained", **says, reason=text)
            )
        plain = [
            made.bad("a", "error", "other", error="x", hint="x", traceback="x", log_tail="x"),
            made.passed("a", method="from_pretrained"),
        ]
        expected = {tag for tag, _ in Page(self.html(plain)).tags}
        html = whole(self.html(checks))
        found = Page(html)
        self.assertEqual(found.faults, [])
        self.assertLessEqual({tag for tag, _ in found.tags}, expected | {"em", "ul", "li"})
        self.assertEqual(len(found.all("script")), 1)
        for tag, attributes in found.tags:
            self.assertFalse([name for name in attributes if name.startswith("on")], tag)
            self.assertNotRegex(attributes.get("href") or "", r"^[a-z]+:")
        self.assertIsNone(
            re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u202a-\u202e\u2066-\u2069\ud800]", html)
        )
        html.encode("utf-8")
        for text in ("gnirts", "alert(1)", "{{ 7 * 7 }}", "مرحبا 你好 🤗", "U+202E", "␀"):
            self.assertIn(text, found.text, "it is shown all the same")

    def html(self, checks: list[CheckResult]) -> str:
        folder = support.temporary_folder(self)
        written = made.write(folder, checks)
        return page.render(reading.read(written))

    def test_visible(self) -> None:
        self.assertEqual(wording.visible("a\x1b[1;31mb\x1b]0;title\x07c\r\nd\te"), "abc\nd\te")
        self.assertEqual(wording.visible("\u202e\x00\x7f\x85\ud800"), "⟨U+202E⟩␀␡⟨U+0085⟩⟨U+D800⟩")


class TestWording(unittest.TestCase):
    def test_quantities(self) -> None:
        for value, text in (
            (None, ""),
            (3.6e-5, "36.0 µs"),
            (0.00168, "1.68 ms"),
            (0.0999, "99.9 ms"),
            (0.9999, "1,000 ms"),
            (1.0, "1.00 s"),
            (59.96, "60.0 s"),
            (200, "3 min 20 s"),
            (5000, "1 h 23 min"),
        ):
            self.assertEqual(wording.seconds(value), text)
        self.assertEqual(wording.mebibytes(0.19), "0.19 MiB")
        self.assertEqual(wording.mebibytes(13400), "13.1 GiB")
        self.assertEqual(wording.share(0.9999), "> 99.9 %")
        self.assertEqual(wording.share(1.0), "100 %")
        self.assertEqual(wording.count(1224.43), "1,224")


class TestCommand(unittest.TestCase):
    def setUp(self) -> None:
        self.results = support.temporary_folder(self)

    def test_writes_and_says_where(self) -> None:
        folder = made.write(self.results, made.every_status())
        for arguments in ((), (made.RUN_ID,), (str(folder.path / "run.json"),)):
            done = support.runner("report", *arguments, "--results-dir", str(self.results))
            self.assertEqual(done.returncode, 0, done.stderr)
            path = Path(done.stdout.strip())
            self.assertEqual(path.resolve(), (folder.path / "report.html").resolve())
            self.assertIn("</html>", path.read_text(encoding="utf-8"))
            path.unlink()

    def test_says_what_is_missing(self) -> None:
        for arguments, says in (((), "no finished run yet"), (("x",), "has no run 'x'")):
            done = support.runner("report", *arguments, "--results-dir", str(self.results))
            self.assertEqual(done.returncode, 2)
            self.assertIn(says, done.stderr)
            self.assertNotIn("Traceback", done.stderr)

    def test_killed_at_any_moment_leaves_the_old_report_or_the_new_one(self) -> None:
        folder = made.write(self.results, made.every_status())
        report = folder.path / "report.html"
        old = "the old report"
        kills, seen = 0, set()
        for _ in range(2):  # the first one reads from the disk what the others find in memory
            start = time.perf_counter()
            subprocess.run(self.command(), check=True, stdout=subprocess.DEVNULL)
            took = time.perf_counter() - start
        whole = report.read_text(encoding="utf-8")
        for moment in range(10):
            report.write_text(old)
            process = subprocess.Popen(
                self.command(), stdout=subprocess.DEVNULL, cwd=support.ROOT, start_new_session=True
            )
            time.sleep(took * (0.3 + 0.07 * moment))
            kills += process.poll() is None
            os.killpg(process.pid, signal.SIGKILL) if process.poll() is None else None
            process.wait()
            seen.add(report.read_text(encoding="utf-8"))
            self.assertLessEqual(seen, {old, whole})
        self.assertGreater(kills, 3)
        subprocess.run(self.command(), check=True, stdout=subprocess.DEVNULL)
        self.assertEqual(report.read_text(encoding="utf-8"), whole)

    def command(self) -> list[str]:
        return [
            sys.executable,
            str(support.ROOT / "runner.py"),
            *("report", "--results-dir", str(self.results)),
        ]


class TestEndOfARun(unittest.TestCase):
    def test_has_the_run_s_own_numbers(self) -> None:
        results = support.temporary_folder(self)
        options = ("--model", "gpt2", "--cpu-only", "--weights", "tiny", "--method", "pipeline")
        done = support.runner(*options, "--results-dir", str(results))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue(done.stdout.rstrip().endswith("report.html"))
        run = reading.read(reading.find(results))
        html = whole((run.path / "report.html").read_text(encoding="utf-8"))
        figures = run.checks[0].figures[0]
        self.assertIn(f"<td>{wording.seconds(figures.median_time)}</td>", html)
        self.assertIn(f"<td>{wording.mebibytes(figures.peak_memory_mb)}</td>", html)
        self.without_a_report(run.path)

    def without_a_report(self, folder: Path) -> None:
        """A report that cannot be written is said, and the run ends as it would have."""
        (folder / "report.html").unlink()
        (folder / "report.html" / "in the way").mkdir(parents=True)
        stream = next((folder / "jobs").glob("*.jsonl"))
        text = stream.read_text(encoding="utf-8")
        for status, exit_status in (("passed", 0), ("failed", 1)):
            stream.write_text(re.sub('"status": ?"passed"', f'"status": "{status}"', text))
            done = support.runner("--resume", folder.name, "--results-dir", str(folder.parent))
            self.assertEqual(done.returncode, exit_status, done.stderr)
            self.assertIn("the report could not be written (", done.stderr)
            self.assertIn(f"runner.py report {folder.name} tries again", done.stderr)
            self.assertNotIn("Traceback", done.stderr)
            self.assertEqual(reading.read(reading.find(folder.parent)).exit_status, exit_status)


if __name__ == "__main__":
    unittest.main()
