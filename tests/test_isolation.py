"""Processes that end in every way: real ones, with the real fault."""

from __future__ import annotations

import os
import signal
import sys
import time
import unittest
from pathlib import Path

from hf_tests import stream
from hf_tests.isolation import base, environment
from hf_tests.isolation.interruption import Interruption
from hf_tests.isolation.spawn import SpawnLauncher
from hf_tests.nightly import schedule
from hf_tests.nightly.schedule import JobOutcome
from tests import support

PREAMBLE = """
import ctypes, os, signal, subprocess, sys, time
from pathlib import Path
from hf_tests import stream
from hf_tests.job import Job, result_for
job = Job.from_json(sys.stdin.read())
writer = stream.Writer(Path(sys.argv[1]))
writer.write("start"); writer.write("ready")
writer.write("check_started", method="pipeline")
writer.result(result_for(job, "pipeline", "passed"))
writer.write("check_started", method="from_pretrained")
"""


class TestEndings(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = support.temporary_folder(self)
        self.stream = self.folder / "job.jsonl"
        self.log = self.folder / "job.log"

    def run_code(self, code: str, timeout_s: float = 60.0) -> JobOutcome:
        """Run a job whose process passes one check and does ``code`` in the second."""
        job = support.job("bert-base-uncased", timeout_s=timeout_s)
        launcher = SpawnLauncher((sys.executable, "-c", PREAMBLE + code))
        ending = launcher.run(job, self.stream, self.log, lambda: True)
        return schedule.complete(job, self.stream, self.log, ending)

    def assert_second(self, done: JobOutcome, status: str, kind: str, words: str) -> None:
        """The first check's result is kept, the second's is as expected, in the stream too."""
        first, second = done.results
        self.assertEqual(first.status, "passed")
        self.assertEqual((second.status, second.error_type), (status, kind))
        self.assertRegex(second.error or "", words)
        written = {result.method: result for result in stream.results(self.stream)}
        self.assertEqual(written["from_pretrained"], second)

    def test_segmentation_fault(self) -> None:
        done = self.run_code("import faulthandler; faulthandler.enable(); ctypes.string_at(0)")
        self.assert_second(done, "crashed", "crash", "killed by SIGSEGV in this check")
        self.assertIn("Segmentation fault", done.results[1].traceback or "")

    def test_killed_from_outside(self) -> None:
        done = self.run_code("os.kill(os.getpid(), signal.SIGKILL)")
        self.assert_second(done, "crashed", "crash", "killed by SIGKILL")
        self.assertIn("memory", done.results[1].hint or "")

    def test_silent_exit(self) -> None:
        done = self.run_code("os._exit(0)")
        self.assert_second(done, "crashed", "crash", "exited with status 0 in this check")

    def test_endless_loop(self) -> None:
        start = time.monotonic()
        done = self.run_code("while True: pass", timeout_s=3.0)
        self.assert_second(done, "timeout", "timeout", "still running after 3 s")
        self.assertLess(time.monotonic() - start, 30)

    def test_process_that_ignores_sigterm(self) -> None:
        code = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nwhile True: time.sleep(1)"
        done = self.run_code(code, timeout_s=2.0)
        self.assert_second(done, "timeout", "timeout", "was stopped")

    def test_children_left_behind_are_ended(self) -> None:
        note = self.folder / "pid"
        code = (
            "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
            f"Path({str(note)!r}).write_text(str(child.pid))\n"
            "writer.result(result_for(job, 'from_pretrained', 'passed')); writer.write('end')"
        )
        done = self.run_code(code)
        self.assertEqual([result.status for result in done.results], ["passed", "passed"])
        pid = int(note.read_text())
        deadline = time.monotonic() + 10
        while _alive(pid) and time.monotonic() < deadline:
            time.sleep(0.05)
        self.assertFalse(_alive(pid))

    def test_output_goes_to_the_log_alone(self) -> None:
        done = self.run_code("print('to stdout'); os.system('echo from a shell'); os._exit(3)")
        self.assertIn("exited with status 3", done.results[1].error or "")
        self.assertIn("to stdout", self.log.read_text())
        self.assertIn("from a shell", self.log.read_text())

    def test_closed_standard_output(self) -> None:
        code = "os.close(1)\nwriter.result(result_for(job, 'from_pretrained', 'passed'))"
        self.assertEqual(self.run_code(code).results[1].status, "passed")

    def test_process_that_never_begins(self) -> None:
        job = support.job("bert-base-uncased")
        launcher = SpawnLauncher((sys.executable, "-c", "raise SystemExit(9)"))
        ending = launcher.run(job, self.stream, self.log, lambda: True)
        done = schedule.complete(job, self.stream, self.log, ending)
        self.assertEqual([result.status for result in done.results], ["crashed", "crashed"])
        self.assertRegex(done.results[0].error or "", "status 9 before this check")
        self.assertIsNone(done.startup_s)

    def test_temporary_folder_is_its_own_and_removed(self) -> None:
        note = self.folder / "where"
        code = f"""
import tempfile
Path({str(note)!r}).write_text(os.getcwd() + chr(10) + tempfile.gettempdir())
Path('left-behind').write_text('x'); os._exit(0)
"""
        self.run_code(code)
        cwd, temporary = note.read_text().split("\n")
        self.assertEqual(Path(cwd).resolve(), Path(temporary).resolve())
        self.assertFalse(Path(cwd).exists())

    def test_interruption_ends_the_process(self) -> None:
        note = self.folder / "pid"
        code = f"Path({str(note)!r}).write_text(str(os.getpid()))\nwhile True: time.sleep(1)"
        job = support.job("bert-base-uncased")
        launcher = SpawnLauncher((sys.executable, "-c", PREAMBLE + code))
        ending = launcher.run(job, self.stream, self.log, lambda: not note.exists())
        self.assertEqual(ending.reason, base.INTERRUPTED)
        self.assertFalse(_alive(int(note.read_text())))
        done = schedule.complete(job, self.stream, self.log, ending)
        self.assert_second(done, "error", "interrupted", "run was interrupted")

    def test_first_signal_is_noted_and_the_second_raises(self) -> None:
        with Interruption() as interruption:
            for number in (signal.SIGINT, signal.SIGTERM):
                interruption.requested = False
                signal.raise_signal(number)
                self.assertTrue(interruption.requested)
            with self.assertRaises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)
        self.assertIs(signal.getsignal(signal.SIGTERM), signal.SIG_DFL)

    def test_waiting_costs_next_to_nothing(self) -> None:
        """The parent blocks; a busy wait of this second would show as a second of its own time."""
        before = time.process_time()
        self.run_code("time.sleep(3); os._exit(0)")
        self.assertLess(time.process_time() - before, 0.3)


class TestEnvironment(unittest.TestCase):
    def test_only_downloads_may_reach_the_hub(self) -> None:
        tiny, cached, fetch = (
            environment.of_job(support.job("gpt2", **changes), Path("/x"), {})
            for changes in ({}, {"weights": "hub", "checkpoint": "/y"}, {"weights": "hub"})
        )
        self.assertEqual(tiny["HF_HUB_OFFLINE"], "1")
        self.assertEqual(cached["HF_HUB_OFFLINE"], "1")
        self.assertNotIn("HF_HUB_OFFLINE", fetch)

    def test_endings_are_told_in_words(self) -> None:
        self.assertEqual(
            base.Ending(base.SIGNALLED, -11, 0.0, 1.0).describe(), "was killed by SIGSEGV"
        )
        self.assertEqual(base.Ending(base.EXITED, 3, 0.0, 1.0).describe(), "exited with status 3")


def _alive(pid: int) -> bool:
    """Whether a process still runs; one that only waits to be reaped does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
