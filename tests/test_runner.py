"""``python runner.py`` as a person runs it: what it lists, runs and leaves."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import random
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time
import unittest
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hf_tests import registry, stream
from hf_tests.probe import checkpoints
from tests import support

HEAVY = ("torch", "transformers", "openvino", "numpy", "huggingface_hub")


class TestLists(unittest.TestCase):
    def test_models_and_families(self) -> None:
        models = support.runner("--list-models")
        self.assertEqual(models.returncode, 0, models.stderr)
        for model in support.shipped().models:
            self.assertIn(model.id, models.stdout)
        families = support.runner("--list-families")
        for family in support.shipped().families:
            self.assertIn(family.name, families.stdout)
        narrowed = support.runner("--list-models", "--family", "sam").stdout
        self.assertIn("facebook/sam-vit-large", narrowed)
        self.assertNotIn("gpt2", narrowed)

    def test_every_line_fits_eighty_columns(self) -> None:
        for option in ("--list-models", "--list-families", "--list-devices", "--help"):
            environment = {"COLUMNS": "80"}
            text = support.runner(option, environment=environment).stdout
            self.assertEqual([line for line in text.splitlines() if len(line) > 80], [], option)

    def test_listing_imports_nothing_heavy(self) -> None:
        done = support.run("-X", "importtime", "runner.py", "--list-models")
        imported = {
            line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()
        }
        self.assertIn("hf_tests", imported)
        self.assertEqual(imported & set(HEAVY), set())

    def test_planning_imports_no_model_library(self) -> None:
        done = support.run(
            "-X", "importtime", "runner.py", "--all", "--dry-run", "--weights", "auto"
        )
        self.assertEqual(done.returncode, 0, done.stderr[-2000:])
        imported = {
            line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()
        }
        self.assertEqual(imported & {"torch", "transformers", "openvino", "numpy"}, set())

    def test_dry_run_shows_every_job(self) -> None:
        done = support.runner(
            "--all", "--dry-run", "--weights", "tiny", "--device", "cpu", "openvino"
        )
        lines = done.stdout.splitlines()
        self.assertRegex(
            lines[0],
            r"^(\d+) models: \1 tiny \(random weights\); "
            r"--weights hub would download at least \d+ GB$",
        )
        self.assertEqual(len(lines) - 1, 2 * len(support.shipped().models))

    def test_some_of_each_family(self) -> None:
        done = support.runner("--list-models", "--each-family", "2", "--family", "llama", "sam")
        listed = [line.split()[0] for line in done.stdout.splitlines() if re.match("  \\S", line)]
        self.assertEqual(
            listed,
            [
                "TinyLlama/TinyLlama-1.1B-Chat-v1.0",
                "meta-llama/Llama-2-7b-hf",
                "facebook/sam-vit-base",
                "facebook/sam-vit-large",
            ],
        )

    def test_list_devices(self) -> None:
        done = support.runner("--list-devices")
        self.assertEqual(done.returncode, 0)
        self.assertRegex(done.stdout, r"(?m)^cpu +\d+\.\d GB")
        self.assertRegex(done.stdout, r"(?m)^openvino")


class TestRuns(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = support.temporary_folder(self)
        self.results = self.folder / "results"

    def run_tests(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        return support.runner(*arguments, "--results-dir", str(self.results), **options)

    def documents(self) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        """run.json and the models' files of the latest run, all valid."""
        latest = self.results / "latest"
        run = json.loads((latest / "run.json").read_text(), parse_constant=self.fail)
        support.validate("run", run)
        models = {}
        for row in run["checks"]:
            text = (latest / row["file"]).read_text()
            models[row["model"]] = json.loads(text, parse_constant=self.fail)
            support.validate("model", models[row["model"]])
            self.assertIn(row["key"], models[row["model"]]["results"])
        return run, models

    def test_one_model_on_all_devices(self) -> None:
        devices = ("--device", "cpu", "openvino")
        done = self.run_tests("--model", "bert-base-uncased", "--weights", "tiny", *devices)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("1 model: 1 tiny (random weights)", done.stdout)
        self.assertIn("no published checkpoint was", done.stdout)
        run, models = self.documents()
        self.assertEqual(run["counts"]["passed"], 3)
        self.assertEqual(run["weights"], {"tiny": 1})
        self.assertEqual(run["metadata"]["exit_status"], 0)
        self.assertTrue(run["metadata"]["versions"]["torch"])
        document = models["bert-base-uncased"]
        self.assertEqual(
            set(document["results"]), {"pipeline_cpu", "from_pretrained_cpu", "openvino_cpu"}
        )
        for key, entry in document["results"].items():
            method = key.rpartition("_")[0]
            self.assertIs(entry[f"{method}_success"], True)
            self.assertEqual(entry["weights"], "tiny")
            self.assertEqual(entry[f"{method}_num_runs"], 5)
            self.assertGreater(entry["model_size_mb"], 0.05)
            self.assertGreater(entry["peak_memory_mb"], 50)
            self.assertEqual(len(entry["predictions"]), 5)
            figures = document["performance"][key]
            self.assertLessEqual(figures["min_time"], figures["avg_time"])
            self.assertLessEqual(figures["avg_time"], figures["max_time"])
        self.assertEqual(len(document["examples"]), 3)
        direct = document["results"]["from_pretrained_cpu"]
        self.assertGreater(direct["tokenizer_load_time"], 0)
        self.assertGreater(direct["model_load_time"], 0)
        streams = list((self.results / "latest" / "jobs").iterdir())
        self.assertEqual(len(streams), 2)
        events = [event["event"] for event in stream.read(streams[0])]
        self.assertEqual((events[0], events[1], events[-1]), ("start", "ready", "ended"))
        for job in run["jobs"]:
            self.assertTrue(0 < job["startup_time"] < job["wall_time"])

    def test_own_checkpoint_in_a_folder(self) -> None:
        """Quiet, by a relative path, with a space in its name."""
        own = self.folder / "my checkpoint"
        shutil.copytree(checkpoints.folder_of(support.job("distilgpt2")), own)
        relative = os.path.relpath(own, support.ROOT)
        done = self.run_tests(
            "--model", relative, "--cpu-only", "--method", "from_pretrained", "--quiet"
        )
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        run, _ = self.documents()
        (row,) = run["checks"]
        self.assertEqual((row["family"], row["weights"]), ("gpt", "local"))
        self.assertEqual(row["model"], str(own.resolve()))
        self.assertIn("1 model on local checkpoints", done.stdout)
        self.assertNotIn("[1/1]", done.stdout)

    def test_broken_checkpoint_fails_the_run_and_costs_only_itself(self) -> None:
        own = self.folder / "broken"
        shutil.copytree(checkpoints.folder_of(support.job("gpt2")), own)
        weights = own / "model.safetensors"
        weights.write_bytes(weights.read_bytes()[:-64])
        arguments = ("--cpu-only", "--method", "from_pretrained")
        done = self.run_tests("--model", str(own), "distilgpt2", *arguments)
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        run, _ = self.documents()
        self.assertEqual([row["status"] for row in run["checks"]], ["error", "passed"])
        self.assertIn("(corrupt_checkpoint)", done.stdout)
        self.assertIn("then: python runner.py --model", " ".join(done.stdout.split()))

    def test_labels_that_no_file_can_hold(self) -> None:
        """Half of a surrogate pair in one checkpoint's config, and the whole run must be told."""
        own = self.folder / "labels"
        shutil.copytree(checkpoints.folder_of(support.job("google/vit-base-patch16-224")), own)
        config = json.loads((own / "config.json").read_text())
        names = {key: f"cat \ud83d {key}" for key in config["id2label"]}
        config |= {"id2label": names, "label2id": {name: int(key) for key, name in names.items()}}
        (own / "config.json").write_text(json.dumps(config))
        done = self.run_tests(
            *("--model", str(own), "gpt2", "--cpu-only", "--verbose", "--trials", "1"),
            *("--junit", str(self.folder / "junit.xml"), "--json", str(self.folder / "run.json")),
        )
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        _, models = self.documents()
        answers = models[str(own.resolve())]["results"]["pipeline_cpu"]["predictions"]
        self.assertRegex(answers[0]["label"], r"^cat \? \d$")
        self.assertTrue((self.results / "latest" / "report.html").is_file())
        self.assertNotIn("cannot be", done.stderr)

    def test_timeout(self) -> None:
        arguments = ("--cpu-only", "--weights", "tiny", "--isolation", "spawn", "--timeout", "1")
        done = self.run_tests("--model", "gpt2", *arguments)
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        run, _ = self.documents()
        self.assertEqual({row["error_type"] for row in run["checks"]}, {"timeout"})
        self.assertIn("--timeout 2", run["checks"][0]["hint"])

    def test_device_that_is_not_here(self) -> None:
        done = self.run_tests("--model", "gpt2", "--device", "cuda:7", "--weights", "tiny")
        self.assertEqual(done.returncode, 3, done.stdout + done.stderr)
        run, _ = self.documents()
        self.assertEqual({row["status"] for row in run["checks"]}, {"skipped"})
        self.assertRegex(run["checks"][0]["reason"], "CUDA")

    def test_wrong_class_beside_right_ones(self) -> None:
        """The others are tested all the same; the exit status says that the registry is wrong."""
        data = json.loads(Path(registry.DEFAULT_PATH).read_text())
        data["families"] = {"gpt": data["families"]["gpt"]}
        models = data["families"]["gpt"]["models"]
        data["families"]["gpt"]["models"] = {
            "gpt2": models["gpt2"],
            "distilgpt2": {**models["distilgpt2"], "class": "GPT9LMHeadModel"},
        }
        path = self.folder / "registry.json"
        path.write_text(json.dumps(data))
        arguments = ("--all", "--registry", str(path), "--weights", "tiny", "--cpu-only")
        done = self.run_tests(*arguments, "--method", "from_pretrained")
        self.assertEqual(done.returncode, 2, done.stdout + done.stderr)
        self.assertIn("has no class 'GPT9LMHeadModel'", done.stderr)
        run, _ = self.documents()
        self.assertEqual([row["status"] for row in run["checks"]], ["passed", "error"])
        self.assertEqual(run["checks"][1]["error_type"], "unsupported")

    def interrupt(self, *numbers: int, after: str, arguments: Sequence[str] = ()) -> int:
        """Begin a run of seven jobs and send its runner signals once a line appears."""
        command = [
            sys.executable,
            "runner.py",
            "--model",
            *support.SEVEN,
            "--cpu-only",
            "--weights",
            "tiny",
        ]
        process = subprocess.Popen(
            [*command, *arguments, "--results-dir", str(self.results)],
            cwd=support.ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith(after):
                break
        for number in numbers:
            process.send_signal(number)
            time.sleep(0.1)
        process.communicate(timeout=60)
        return process.returncode

    def test_two_jobs_at_a_time(self) -> None:
        """Interrupted, left at once, and resumed: as many at a time as the run was begun with."""
        for numbers in ((signal.SIGTERM,), (signal.SIGINT, signal.SIGINT)):
            with self.subTest(signals=numbers):
                shutil.rmtree(self.results, ignore_errors=True)
                arguments = ("--jobs", "2", "--rerun-failed")
                status = self.interrupt(*numbers, after="[2/7]", arguments=arguments)
                self.assertEqual(status, 130)
                self.assertEqual(_processes_of(self.results), [])
                done = self.run_tests("--resume")
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
                self.assertRegex(done.stdout, r"resuming \S+: [2-5] of 7 jobs are done")
                run, _ = self.documents()
                self.assertEqual(run["counts"]["passed"], 14)
                self.assertEqual(run["metadata"]["jobs_at_once"], 2)
                self.assertGreater(max(row["jobs_beside"] for row in run["checks"]), 0)

    def test_resumed_after_an_interruption(self) -> None:
        self.assertEqual(self.interrupt(signal.SIGINT, after="[2/7]"), 130)
        done = self.run_tests("--resume")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertRegex(done.stdout, r"resuming \S+: [23] of 7 jobs are done")
        run, _ = self.documents()
        self.assertEqual(run["counts"]["passed"], 14)
        self.assertFalse(run["metadata"]["interrupted"])
        again = self.run_tests("--resume")
        self.assertEqual(again.returncode, 2)
        self.assertIn("has no interrupted run", again.stderr)

    def test_resumed_after_the_runner_was_killed(self) -> None:
        """At random moments, again and again: every check is accounted for exactly once."""
        seconds = random.Random(7)
        command = [sys.executable, "runner.py", "--results-dir", str(self.results)]
        start = ["--model", "bert-base-uncased", "gpt2", "distilgpt2", "t5-small", "--cpu-only"]
        for attempt in range(2):
            arguments = ["--resume"] if attempt else [*start, "--weights", "tiny"]
            process = subprocess.Popen([*command, *arguments], cwd=support.ROOT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(seconds.uniform(3.0, 10.0))
            process.kill()
            process.wait()
        run = next(self.results.glob("*/plan.json")).parent.name
        done = self.run_tests("--resume", run)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        document, _ = self.documents()
        keys = [(row["model"], row["key"]) for row in document["checks"]]
        self.assertEqual(len(keys), 8)
        self.assertEqual(len(set(keys)), 8)
        self.assertEqual(document["counts"]["passed"], 7)
        self.assertEqual(document["counts"]["skipped"], 1)

    def test_resume_what_cannot_be(self) -> None:
        self.results.mkdir()
        for arguments, says in (
            (["--resume"], "has no interrupted run"),
            (["--resume", "20260101"], "has no run '20260101' that could be resumed"),
            (["--resume", "../.."], "has no run '../..'"),
            (["--resume", "--all"], "takes up a run's own plan"),
        ):
            done = self.run_tests(*arguments)
            self.assertEqual(done.returncode, 2, done.stdout)
            self.assertIn(says, done.stderr)
        folder = self.results / "20260101T000000Z-x"
        folder.mkdir()
        (folder / "plan.json").write_text('{"version": 1, "jobs": 3')
        self.assertIn("cannot be resumed from", self.run_tests("--resume").stderr)

    def test_fail_fast(self) -> None:
        own = self.folder / "broken"
        shutil.copytree(checkpoints.folder_of(support.job("gpt2")), own)
        (own / "model.safetensors").write_bytes(b"nothing")
        arguments = ("--cpu-only", "--method", "from_pretrained", "--fail-fast")
        done = self.run_tests("--model", str(own), "gpt2", *arguments)
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        run, _ = self.documents()
        self.assertEqual([row["status"] for row in run["checks"]], ["error", "skipped"])
        self.assertIn("--fail-fast after", run["checks"][1]["reason"])

    def test_shuffle_is_repeatable(self) -> None:
        plain, first, again, other = (
            support.runner("--all", "--dry-run", "--weights", "tiny", *arguments).stdout
            for arguments in ([], ["--shuffle", "1"], ["--shuffle", "1"], ["--shuffle", "2"])
        )
        self.assertEqual(first, again)
        self.assertNotEqual(first, other)
        self.assertEqual(sorted(first.splitlines()[2:]), sorted(plain.splitlines()[1:]))

    def test_progress_bar_on_a_terminal(self) -> None:
        leader, follower = pty.openpty()
        fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        arguments = ["--model", "gpt2", "--cpu-only", "--weights", "tiny", "--method", "pipeline"]
        process = subprocess.Popen(
            [sys.executable, "runner.py", *arguments, "--results-dir", str(self.results)],
            cwd=support.ROOT,
            stdin=subprocess.DEVNULL,
            stdout=follower,
            stderr=follower,
            env={**os.environ, "COLUMNS": "80", "TERM": "xterm"},
        )
        os.close(follower)
        shown = _read_all(leader)
        self.assertEqual(process.wait(60), 0, shown)
        self.assertIn("gpt2 on cpu:", shown)
        self.assertIn("0/1 [", shown)
        self.assertIn("1 passed in", shown)


def _processes_of(results: Path) -> list[str]:
    """Command lines of jobs that still run for a results folder: their streams are open."""
    found = []
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        with contextlib.suppress(OSError):
            if str(results) in str(link.readlink()):
                found.append(str(link))
    return found


def _read_all(descriptor: int) -> str:
    """All that a terminal shows until its program ends."""
    data = b""
    deadline = time.monotonic() + support.TIMEOUT_S
    while time.monotonic() < deadline:
        if not select.select([descriptor], [], [], 1.0)[0]:
            continue
        try:
            part = os.read(descriptor, 65536)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        data += part
    os.close(descriptor)
    return data.decode(errors="replace")
