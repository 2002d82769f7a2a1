"""Runs that are cut off: killed, out of room, with a clock that jumps; and what is left of them."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import unittest
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hf_tests import stream
from hf_tests.isolation.base import EXITED, Ending
from hf_tests.nightly import schedule, store
from tests import support

KILLED = (
    """
import dataclasses, sys
from pathlib import Path
from hf_tests import hardware, registry
from hf_tests.isolation.spawn import SpawnLauncher
from hf_tests.job import Job
from hf_tests.nightly import resume, run
from hf_tests.nightly.plan import Plan
from hf_tests.nightly.progress import QUIET, Lines
from hf_tests.nightly.store import RunFolder
CODE = """
    + repr(support.PRELUDE + "time.sleep(0.05)\ngive('passed')")
    + """
results, mode = Path(sys.argv[1]), sys.argv[2]
if mode == "start":
    model = registry.load().models[0]
    jobs = [
        Job(dataclasses.replace(model, id=f"model-{index}"), "cpu", ("pipeline", "from_pretrained"),
            "tiny", None, "", 60.0)
        for index in range(int(sys.argv[3]))
    ]
    folder, taken_up = RunFolder.create(results), None
    plan = Plan(tuple(jobs), "")
else:
    folder = resume.find(results, None)
    taken_up = resume.take_up(folder)
    plan = taken_up.plan
folder.lock()
finished = run.execute(
    plan, hardware.Hardware("", "", "", "", 1, None, ()),
    SpawnLauncher((sys.executable, "-c", CODE)), folder, {}, Lines(len(plan.jobs), QUIET),
    taken_up, run.Conduct(2),
)
sys.exit(finished.exit_status)
"""
)
"""A runner in small: the real schedule, streams, files and resumption, around quick processes."""


class TestCutOff(unittest.TestCase):
    def setUp(self) -> None:
        self.results = support.temporary_folder(self) / "results"

    def start(self, *arguments: str, **options: Any) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-c", KILLED, str(self.results), *arguments],
            cwd=support.ROOT,
            **options,
        )

    def readable(self) -> Iterator[Path]:
        """All result files, each of which is whole."""
        for path in self.results.rglob("*.json"):
            if not path.name.startswith("."):
                json.loads(path.read_text())
                yield path

    def check_whole(self, count: int) -> None:
        """Every check of the run is accounted for, once, in run.json and in the models' files."""
        (folder,) = [
            path.parent for path in self.results.glob("*/plan.json") if not path.parent.is_symlink()
        ]
        document = json.loads((folder / "run.json").read_text())
        support.validate("run", document)
        keys = Counter((row["model"], row["key"]) for row in document["checks"])
        self.assertEqual(len(keys), 2 * count)
        self.assertEqual(set(keys.values()), {1})
        self.assertEqual(document["counts"]["passed"], 2 * count)
        self.assertEqual(len(list(self.readable())), count + 2)
        for path in folder.glob("jobs/*.jsonl"):
            events = Counter(event["event"] for event in stream.read(path))
            self.assertEqual((events["check"], events["ended"]), (2, 1))

    def test_killed_at_twenty_random_moments(self) -> None:
        moments = random.Random(11)
        count, kills = 150, 0
        while kills < 20:
            process = self.start(*(["resume"] if kills else ["start", str(count)]))
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(moments.uniform(0.25, 0.6))
            self.assertIsNone(process.returncode, "it has finished too early to be killed")
            process.kill()
            process.wait()
            if not list(self.results.glob("*/plan.json")):
                shutil.rmtree(self.results, ignore_errors=True)  # before there was anything
                continue
            kills += 1
            self.assertGreater(len(list(self.readable())), 0)
        self.assertEqual(self.start("resume").wait(120), 0)
        self.check_whole(count)

    def test_clock_that_jumps_backwards(self) -> None:
        """The C library's clock loses an hour every quarter of a second; no job notices."""
        compiler = shutil.which("cc")
        if compiler is None:
            self.skipTest("no C compiler to build another clock with")
        library = support.temporary_folder(self) / "clock.so"
        source = Path(__file__).with_name("backward_clock.c")
        subprocess.run([compiler, "-shared", "-fPIC", "-o", str(library), str(source)], check=True)
        environment = {**os.environ, "LD_PRELOAD": str(library)}
        shown = subprocess.run(
            [
                sys.executable,
                "-c",
                "import time; a = time.time(); time.sleep(1); print(time.time() - a)",
            ],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        self.assertLess(float(shown.stdout), -3600)
        count = 10
        begun = time.monotonic()
        process = self.start("start", str(count), env=environment)
        self.assertEqual(process.wait(120), 0)
        took = time.monotonic() - begun
        self.check_whole(count)
        run_json = next(self.results.glob("*/run.json"))
        document = json.loads(run_json.read_text())
        for job in document["jobs"]:
            self.assertTrue(0 < job["startup_time"] < job["wall_time"] < took, job)
        self.assertTrue(0 < document["metadata"]["wall_time"] < took)

    def test_full_disk(self) -> None:
        """A small file system fills up; the run says so, and goes on once there is room."""
        disk = support.small_disk(self, "size=100k")
        self.results = disk / "results"
        arguments = ("--results-dir", str(self.results), "--isolation", "fork")
        bert = ("--model", *support.SEVEN, "--cpu-only", "--weights", "tiny", "--jobs", "2")
        done = support.runner(*bert, *arguments)
        self.assertEqual(done.returncode, 4, done.stdout + done.stderr)
        self.assertIn("is full. What was written is whole", done.stderr)
        self.assertNotIn("Traceback", done.stderr)
        self.assertGreater(len(list(self.readable())), 1)
        subprocess.run(["mount", "-o", "remount,size=16m", "none", str(disk)], check=True)
        done = support.runner("--resume", *arguments)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertRegex(done.stdout, r"[1-6] of 7 jobs are done")
        self.check_whole(7)

    @unittest.skipUnless(Path("/dev/full").exists(), "needs a device that is always full")
    def test_log_without_room(self) -> None:
        """A process that cannot print says that the disk is full, not that the model failed."""
        path = support.temporary_folder(self) / "stream"
        with Path("/dev/full").open("w", encoding="utf-8") as log:
            done = subprocess.run(
                [sys.executable, "-m", "hf_tests.probe.worker", str(path)],
                input=support.job("gpt2", methods=("pipeline",)).to_json(),
                stdout=log,
                stderr=log,
                text=True,
                cwd=support.ROOT,
                # What is still in a buffer at the end must not change the exit status either.
                env={**os.environ, "PYTHONUNBUFFERED": ""},
                check=False,
            )
        self.assertEqual(done.returncode, stream.DISK_FULL)

    def test_death_for_want_of_room(self) -> None:
        """Of a process, and of a check: no outcome where the disk is full, one where it is not."""
        disk = support.small_disk(self, "size=128k")
        job = support.job("gpt2", methods=("pipeline",))
        died = Ending(EXITED, 1, 0.0, 1.0, "fork")
        full = support.result("error", method="pipeline", error_type="disk_full")
        crashed = schedule.complete(job, disk / "first", disk / "log", died).results
        self.assertEqual([result.status for result in crashed], ["crashed"])
        stream.Writer(disk / "second").result(full)
        (disk / "filler").write_bytes(b"x" * (80 << 10))
        with self.assertRaises(OSError) as raised:
            schedule.complete(job, disk / "third", disk / "log", died)
        self.assertEqual(raised.exception.errno, errno.ENOSPC)
        writer = stream.Writer(disk / "fourth")
        with self.assertRaises(OSError):
            writer.result(full)
        self.assertIsNotNone(writer.fault)
        self.assertEqual(list(stream.read(disk / "fourth")), [])


class TestRunnerGone(unittest.TestCase):
    def test_forked_job_ends_with_its_runner(self) -> None:
        folder = support.temporary_folder(self)
        note = folder / "pid"
        code = (
            "from pathlib import Path; import os, time\n"
            f"Path({str(note)!r}).write_text(str(os.getpid()))\n"
            "while True: time.sleep(1)"
        )
        program = f"""
import sys, tests.test_isolation as t
from hf_tests.isolation.fork import ForkLauncher
from tests import support
from pathlib import Path
code = "CODE = " + repr({code!r}) + t.FORKED
launcher = ForkLauncher(command=(sys.executable, "-c", code))
folder = Path({str(folder)!r})
launcher.run(support.job("gpt2"), folder / "stream", folder / "log", lambda: True)
"""
        runner = subprocess.Popen([sys.executable, "-c", program], cwd=support.ROOT)
        deadline = time.monotonic() + 60
        while not (note.exists() and note.read_text()) and time.monotonic() < deadline:
            time.sleep(0.05)
        pid = int(note.read_text())
        runner.send_signal(signal.SIGKILL)
        runner.wait()
        while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        self.assertFalse(Path(f"/proc/{pid}").exists())


class TestLogs(unittest.TestCase):
    def test_a_flooded_log_keeps_its_beginning_and_its_end(self) -> None:
        log = support.temporary_folder(self) / "log"
        log.write_bytes(b"first\n" + b"x" * (20 << 20) + b"\nlast")
        store.shorten(log)
        text = log.read_bytes()
        self.assertLess(len(text), 9 << 20)
        self.assertTrue(text.startswith(b"first\n") and text.endswith(b"\nlast"))
        self.assertIn(b"bytes were cut out here]", text)
        store.shorten(log)
        store.shorten(log.with_name("none"))
