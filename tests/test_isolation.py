"""Processes that end in every way: real ones, with the real fault."""

from __future__ import annotations

import os
import signal
import sys
import time
import unittest
import unittest.mock
from collections.abc import Callable
from pathlib import Path

import psutil

from hf_tests import stream
from hf_tests.isolation import base, environment, launcher_of
from hf_tests.isolation.auto import AutoLauncher
from hf_tests.isolation.base import Launcher
from hf_tests.isolation.fork import ForkLauncher
from hf_tests.isolation.interruption import Interruption
from hf_tests.isolation.spawn import SpawnLauncher
from hf_tests.nightly import schedule
from hf_tests.nightly.schedule import JobOutcome
from tests import support

IMPORTS = """
import ctypes, os, signal, subprocess, sys, time
from pathlib import Path
import psutil

from hf_tests import stream
from hf_tests.job import Job, result_for
"""
FIRST_CHECK = """
writer.write("ready")
writer.write("check_started", method="pipeline")
writer.result(result_for(job, "pipeline", "passed"))
writer.write("check_started", method="from_pretrained")
"""
SPAWNED = (
    IMPORTS
    + """
job = Job.from_json(sys.stdin.read())
writer = stream.Writer(Path(sys.argv[1]))
"""
)
FORKED = (
    IMPORTS
    + """
from hf_tests.probe import server, worker
def work(job, writer):
    exec(CODE, {**globals(), "job": job, "writer": writer})
    return 0
worker.work, worker.preload = work, lambda *names, **wanted: None
sys.exit(server.main())
"""
)
"""The real server, whose children run a test's code instead of a family's TestCase."""

LOOKED_UP = (
    IMPORTS
    + """
from hf_tests import dependencies
from hf_tests.probe import server, worker
def work(job, writer):
    from transformers import conversion_mapping
    conversion_mapping._build_checkpoint_conversion_mapping = None  # whoever needs it would raise
    conversion_mapping.get_checkpoint_conversion_mapping("")
    before = dependencies.version.cache_info().misses
    for method in job.methods:
        dependencies.unmet_for(job.model.needs(job.weights, method), method)
    dependencies.versions()
    missed = dependencies.version.cache_info().misses - before
    for method in job.methods:
        writer.result(result_for(job, method, "passed", reason=f"{before} {missed}"))
    return 0
worker.work = work
sys.exit(server.main())
"""
)
"""A server that has imported, whose children ask what every job asks."""

PASSED = "writer.result(result_for(job, 'from_pretrained', 'passed'))"


class TestEndings(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = support.temporary_folder(self)
        self.stream = self.folder / "job.jsonl"
        self.log = self.folder / "job.log"

    def launcher(self, code: str) -> Launcher:
        """What runs jobs whose process passes one check and does ``code`` in the second."""
        return SpawnLauncher((sys.executable, "-c", SPAWNED + FIRST_CHECK + code))

    def run_code(
        self, code: str, tick: Callable[[], bool] = lambda: True, **changes: float
    ) -> JobOutcome:
        """Run such a job."""
        job = support.job("bert-base-uncased").replace(**{"timeout_s": 60.0, **changes})
        launcher = self.launcher(code)
        self.addCleanup(launcher.close)
        ending = launcher.run(job, self.stream, self.log, tick)
        self.assertEqual(ending.launcher, launcher.name)
        return schedule.complete(job, self.stream, self.log, ending)

    def assert_gone(self, pid: int) -> None:
        """The process has ended, or does so in a moment."""
        deadline = time.monotonic() + 10
        while _alive(pid) and time.monotonic() < deadline:
            time.sleep(0.05)
        self.assertFalse(_alive(pid))

    def assert_second(self, done: JobOutcome, status: str, kind: str, words: str) -> None:
        """The first check's result is kept, the second's is as expected, in the stream too."""
        first, second = done.results
        self.assertEqual(first.status, "passed")
        self.assertEqual((second.status, second.error_type), (status, kind))
        self.assertRegex(second.error or "", words)
        written = {result.method: result for result in stream.results(stream.read(self.stream))}
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

    def test_hang_in_native_code_that_takes_no_signal(self) -> None:
        """No Python runs in it any more, so no handler would; only the kernel can end it."""
        code = (
            "signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())\n"
            "library = ctypes.PyDLL(None)\n"  # which keeps the interpreter's lock
            "while True: library.pause()"
        )
        done = self.run_code(code, timeout_s=2.0)
        self.assert_second(done, "timeout", "timeout", "was stopped")

    def test_stacks_are_told_out_of_native_code(self) -> None:
        """A hang that keeps the interpreter's lock, and one in Python; nobody dies of the dump."""
        for hang in ("ctypes.PyDLL(None).sleep(1)", "\nwhile not done.is_set(): pass"):
            code = (
                "import ctypes, threading; from hf_tests.probe import worker\n"
                "done = threading.Event(); threading.Timer(1.0, done.set).start()\n"
                f"worker._dump_stacks_after(0.3); {hang}\n"
                "worker._dump_no_stacks()"
            )
            with self.subTest(hang=hang):
                done = support.run("-c", code)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertRegex(done.stderr, r"Current thread .*\(most recent call first\)")

    def test_children_left_behind_are_ended(self) -> None:
        note = self.folder / "pid"
        code = (
            "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
            f"Path({str(note)!r}).write_text(str(child.pid))\n"
            "writer.result(result_for(job, 'from_pretrained', 'passed')); writer.write('end')"
        )
        done = self.run_code(code)
        self.assertEqual([result.status for result in done.results], ["passed", "passed"])
        self.assert_gone(int(note.read_text()))

    def test_grandchild_in_a_session_of_its_own_is_ended(self) -> None:
        """It holds the output open and no signal to the job's group reaches it."""
        note = self.folder / "pid"
        code = (
            "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'],"
            f" start_new_session=True)\nPath({str(note)!r}).write_text(str(child.pid))\n{PASSED}"
        )
        done = self.run_code(code)
        self.assertEqual(done.results[1].status, "passed")
        self.assert_gone(int(note.read_text()))

    def test_memory_blow_up(self) -> None:
        """Stopped at its limit, whoever notices first: the allocator or the parent."""
        code = "blocks = []\nwhile True: blocks.append(bytearray(16 << 20)); time.sleep(0.01)"
        done = self.run_code(code, memory_limit_mb=300.0)
        self.assert_second(done, "error", "out_of_memory", "used more memory than it may")

    def test_flood_of_output(self) -> None:
        code = f"line = b'x' * (1 << 20)\nfor _ in range(200): os.write(1, line)\n{PASSED}"
        self.assertEqual(self.run_code(code).results[1].status, "passed")

    def test_garbage_in_the_stream(self) -> None:
        code = (
            "writer._file.write('{garbage' + chr(0) * 100 + '\\n[1, 2]\\n{\"event\": 1}\\n')\n"
            'writer._file.write(\'{"event": "check", "version": 1, "clock": 0}\\n\')\n'
            "writer._file.flush(); os._exit(0)"
        )
        self.assert_second(self.run_code(code), "crashed", "crash", "exited with status 0")

    def test_no_core_file_and_first_to_be_killed(self) -> None:
        code = (
            "import resource; from hf_tests.probe import limits; limits.apply(job)\n"
            "said = f'{resource.getrlimit(resource.RLIMIT_CORE)}'\n"
            "said += Path('/proc/self/oom_score_adj').read_text()\n"
            "writer.result(result_for(job, 'from_pretrained', 'passed', reason=said))"
        )
        self.assertEqual(self.run_code(code).results[1].reason, "(0, 0)1000\n")

    def test_allocation_beyond_the_limit_raises_where_it_is_asked_for(self) -> None:
        code = (
            "from hf_tests.probe import limits; limits.apply(job)\n"
            "try: bytearray(400 << 20); said = 'nothing'\n"
            "except MemoryError: said = 'MemoryError'\n"
            "writer.result(result_for(job, 'from_pretrained', 'passed', reason=said))"
        )
        done = self.run_code(code, memory_limit_mb=300.0)
        self.assertEqual(done.results[1].reason, "MemoryError")

    def test_output_goes_to_the_log_alone(self) -> None:
        done = self.run_code("print('to stdout'); os.system('echo from a shell'); os._exit(3)")
        self.assertIn("exited with status 3", done.results[1].error or "")
        self.assertIn("to stdout", self.log.read_text())
        self.assertIn("from a shell", self.log.read_text())

    def test_closed_standard_output(self) -> None:
        code = "os.close(1)\nwriter.result(result_for(job, 'from_pretrained', 'passed'))"
        self.assertEqual(self.run_code(code).results[1].status, "passed")

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
        done = self.run_code(code, tick=lambda: not note.exists())
        self.assertFalse(_alive(int(note.read_text())))
        self.assert_second(done, "error", "interrupted", "run was interrupted")

    def test_waiting_costs_next_to_nothing(self) -> None:
        """The parent blocks; a busy wait of this second would show as a second of its own time."""
        before = time.process_time()
        self.run_code("time.sleep(3); os._exit(0)")
        self.assertLess(time.process_time() - before, 0.3)


class TestForkedEndings(TestEndings):
    """The same faults in children of a fork server."""

    def launcher(self, code: str) -> Launcher:
        program = f"CODE = {FIRST_CHECK + code!r}\n{FORKED}"
        return ForkLauncher(command=(sys.executable, "-c", program))

    def run_twice(self, launcher: Launcher, between: Callable[[], None]) -> list[JobOutcome]:
        """Two jobs of one launcher, with something done between them."""
        self.addCleanup(launcher.close)
        outcomes = []
        for index in range(2):
            job = support.job("bert-base-uncased")
            path = self.folder / f"{index}.jsonl"
            ending = launcher.run(job, path, self.log, lambda: True)
            outcomes.append(schedule.complete(job, path, self.log, ending))
            if index == 0:
                between()
        return outcomes

    def test_copy_killed_between_jobs_is_replaced(self) -> None:
        note = self.folder / "server"
        code = f"Path({str(note)!r}).write_text(str(os.getppid()))\n{PASSED}"
        servers: list[str] = []

        def kill() -> None:
            servers.append(note.read_text())
            os.kill(int(servers[0]), signal.SIGKILL)

        for done in self.run_twice(self.launcher(code), kill):
            self.assertEqual([result.status for result in done.results], ["passed", "passed"])
        self.assertNotEqual(note.read_text(), servers[0])

    def test_base_server_killed_between_jobs_is_replaced(self) -> None:
        """It and the copies of it; they are a process group of their own."""
        note = self.folder / "server"
        code = f"Path({str(note)!r}).write_text(str(os.getpgid(os.getppid())))\n{PASSED}"
        groups: list[str] = []

        def kill() -> None:
            groups.append(note.read_text())
            os.killpg(int(groups[0]), signal.SIGKILL)

        for done in self.run_twice(self.launcher(code), kill):
            self.assertEqual([result.status for result in done.results], ["passed", "passed"])
        self.assertNotEqual(note.read_text(), groups[0])

    def test_server_killed_during_a_job_costs_nothing(self) -> None:
        code = f"os.kill(os.getppid(), signal.SIGKILL); time.sleep(0.5)\n{PASSED}"
        for done in self.run_twice(self.launcher(code), lambda: None):
            self.assertEqual([result.status for result in done.results], ["passed", "passed"])
            assert done.ending is not None
            self.assertIsNone(done.ending.exit_status, "nobody could ask for it")

    def test_the_next_job_s_process_waits_already(self) -> None:
        """It outlives what a job leaves behind, is replaced when killed, and leaves at the end."""
        note = self.folder / "pids"
        code = (
            "subprocess.Popen(['sleep', '60'])\n"
            f"with open({str(note)!r}, 'a') as file: print(os.getppid(), os.getpid(), file=file)\n"
            f"{PASSED}"
        )
        waiting: list[int] = []

        def look() -> None:
            (copy, _), *_ = pids()
            (spare,) = psutil.Process(copy).children()
            waiting.append(spare.pid)
            spare.kill()
            self.assert_ends(spare)

        def pids() -> list[list[int]]:
            return [[int(word) for word in line.split()] for line in note.read_text().splitlines()]

        launcher = self.launcher(code)
        for done in self.run_twice(launcher, look):
            self.assertEqual([result.status for result in done.results], ["passed", "passed"])
        (copy, first), (same, second) = pids()
        self.assertEqual(copy, same, "the copy itself lives")
        self.assertNotIn(second, [first, *waiting])
        (spare,) = psutil.Process(copy).children()
        job, path = support.job("bert-base-uncased"), self.folder / "third"
        launcher.run(job, path, self.log, lambda: True)
        self.assertEqual(pids()[2][1], spare.pid, "the third job had the one that waited")
        (spare,) = psutil.Process(copy).children()
        launcher.close()
        self.assert_ends(spare)

    def test_the_next_job_s_process_is_there_while_one_runs(self) -> None:
        """So it need not be forked between two jobs, and knows by then what they write to."""
        note = self.folder / "note"
        code = (
            "import gc, psutil; time.sleep(1)\n"
            "from hf_tests.probe import pages\n"
            "(written,) = (item for item in gc.get_objects() if isinstance(item, pages.Written))\n"
            "seen = len(psutil.Process(os.getppid()).children()), len(written._likely)\n"
            f"with open({str(note)!r}, 'a') as file: print(*seen, file=file)\n"
            f"{PASSED}"
        )
        launcher = self.launcher(code)
        self.run_twice(launcher, lambda: None)
        launcher.run(support.job("bert-base-uncased"), self.stream, self.log, lambda: True)
        (children, first), _, (_, third) = (line.split() for line in note.read_text().splitlines())
        self.assertEqual((children, first), ("2", "0"), "there was nothing to learn from yet")
        self.assertGreater(int(third), 0)

    def assert_ends(self, process: psutil.Process) -> None:
        """It is gone within seconds, or waits for its parent to notice."""
        deadline = time.monotonic() + 10
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.01)

    def test_a_job_cannot_change_the_next(self) -> None:
        code = (
            "seen = os.environ.get('LEFT', 'nothing') + getattr(sys, 'LEFT', '')\n"
            "os.environ['LEFT'] = sys.LEFT = 'something'\n"
            "writer.result(result_for(job, 'from_pretrained', 'passed', reason=seen))"
        )
        for done in self.run_twice(self.launcher(code), lambda: None):
            self.assertEqual(done.results[1].reason, "nothing")


class TestAuto(unittest.TestCase):
    """Fork where it is sound, spawn everywhere else."""

    def setUp(self) -> None:
        self.folder = support.temporary_folder(self)
        self.spawn = SpawnLauncher((sys.executable, "-c", SPAWNED + FIRST_CHECK + PASSED))

    def run_job(self, launcher: Launcher, **changes: str) -> base.Ending:
        self.addCleanup(launcher.close)
        job = support.job("bert-base-uncased").replace(**changes)
        return launcher.run(job, self.folder / "stream", self.folder / "log", lambda: True)

    def test_unfit_server_is_not_used(self) -> None:
        """A second thread, a canary that crashes, a server that cannot start: spawned instead."""
        faults = {
            "has 2 threads": "import threading; "
            "threading.Thread(target=time.sleep, args=(60,), daemon=True).start()",
            "canary ended with status -11": "server._canary = lambda device: ctypes.string_at(0)",
            "ended before it was ready": "os._exit(1)",
            "dies when it is asked to fork": "server._Child = lambda *given: os._exit(1)",
            "dies when it is asked for a copy": "server._reply = lambda channel, event, **_: "
            "channel.send(b'{\"event\": \"ready\"}') if event == 'ready' else os._exit(1)",
        }
        for words, fault in faults.items():
            with self.subTest(fault=fault):
                program = "CODE = ''\n" + FORKED.replace("sys.exit(", f"{fault}\nsys.exit(")
                fork = ForkLauncher(command=(sys.executable, "-c", program))
                launcher = AutoLauncher(fork, self.spawn)
                for _ in range(2):
                    ending = self.run_job(launcher)
                    self.assertEqual((ending.launcher, ending.exit_status), ("spawn", 0))
                (note,) = launcher.notes
                self.assertIn(words, note)

    def test_devices_and_downloads_that_are_never_forked(self) -> None:
        launcher = AutoLauncher(ForkLauncher(command=("false",)), self.spawn)
        for changes in ({"device": "cuda"}, {"device": "mps"}, {"weights": "hub"}):
            self.assertEqual(self.run_job(launcher, **changes).launcher, "spawn")
        self.assertEqual(launcher.notes, ())

    @unittest.mock.patch.dict(os.environ)  # without isolation, this process takes on variables
    def test_predictions_agree_under_every_method(self) -> None:
        model_ids = ("gpt2",)
        predictions: dict[str, list[object]] = {}
        for method in ("spawn", "fork", "none"):
            launcher = launcher_of(method, [support.job(model_id) for model_id in model_ids])
            self.addCleanup(launcher.close)
            for model_id in model_ids:
                path, log = self.folder / f"{method}-{model_id}.jsonl", self.folder / "log"
                job = support.job(model_id)
                ending = launcher.run(job, path, log, lambda: True)
                for result in schedule.complete(job, path, log, ending).results:
                    self.assertEqual((result.status, result.isolation), ("passed", method))
                    predictions.setdefault(method, []).append(result.predictions)
        self.assertEqual(predictions["fork"], predictions["spawn"])
        self.assertEqual(predictions["none"], predictions["spawn"])


class TestPreloaded(unittest.TestCase):
    def test_a_fork_has_nothing_left_to_look_up(self) -> None:
        """Versions of libraries, and transformers' table of renamed weights: 60 ms a job."""
        folder = support.temporary_folder(self)
        job = support.job("bert-base-uncased")
        launcher = ForkLauncher([job], command=(sys.executable, "-c", LOOKED_UP))
        self.addCleanup(launcher.close)
        path, log = folder / "stream", folder / "log"
        done = schedule.complete(job, path, log, launcher.run(job, path, log, lambda: True))
        for result in done.results:
            self.assertEqual(result.status, "passed", log.read_text())
            before, missed = map(int, (result.reason or "").split())
            self.assertGreater(before, 0)
            self.assertEqual(missed, 0)


class TestOther(unittest.TestCase):
    def test_process_that_never_begins(self) -> None:
        folder = support.temporary_folder(self)
        job = support.job("bert-base-uncased")
        launcher = SpawnLauncher((sys.executable, "-c", "raise SystemExit(9)"))
        ending = launcher.run(job, folder / "stream", folder / "log", lambda: True)
        done = schedule.complete(job, folder / "stream", folder / "log", ending)
        self.assertEqual([result.status for result in done.results], ["crashed", "crashed"])
        self.assertRegex(done.results[0].error or "", "status 9 before this check")
        self.assertIsNone(done.startup_s)

    def test_first_signal_is_noted_and_the_second_raises(self) -> None:
        with Interruption() as interruption:
            for number in (signal.SIGINT, signal.SIGTERM):
                interruption.requested = False
                signal.raise_signal(number)
                self.assertTrue(interruption.requested)
            with self.assertRaises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)
        self.assertIs(signal.getsignal(signal.SIGTERM), signal.SIG_DFL)

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
            base.Ending(base.SIGNALLED, -11, 0.0, 1.0, "spawn").describe(), "was killed by SIGSEGV"
        )
        self.assertEqual(
            base.Ending(base.EXITED, 3, 0.0, 1.0, "spawn").describe(), "exited with status 3"
        )


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
