"""A night: one at a time, silent when nothing changed, pruned without losing anything."""

from __future__ import annotations

import fcntl
import json
import random
import shlex
import signal
import subprocess
import sys
import time
import unittest

from hf_tests import registry
from hf_tests.history import ingest, query, record
from hf_tests.history.metrics import JUDGED
from hf_tests.nightly import night, prune
from hf_tests.nightly.run import Finished
from hf_tests.nightly.schedule import JobOutcome
from hf_tests.nightly.store import RunFolder
from hf_tests.outcome import CheckResult
from tests import nights, support
from tests.test_history import everything, month


class TestPrune(unittest.TestCase):
    def setUp(self) -> None:
        self.results = support.temporary_folder(self)
        self.ids = month(self.results, 12)

    def folders(self) -> list[str]:
        return sorted(path.parent.name for path in self.results.glob("[!.l]*/run.json"))

    def test_history_stays(self) -> None:
        before = everything(self.results)
        nights.write(self.results, 1, [nights.timed(0.1)], month=2, interrupted=True)
        self.assertEqual(prune.prune(self.results, 3), ())
        self.assertEqual(self.folders(), [*self.ids[-3:], "20260201T023000Z-night01"])
        self.assertEqual(everything(self.results), before)
        ingest.rebuild(self.results)
        (self.results / "history.sqlite").unlink()
        again = everything(self.results)
        self.assertEqual([item and item.checks for item in again], [i and i.checks for i in before])

    def test_a_run_that_goes_on_stays(self) -> None:
        with (self.results / self.ids[0] / ".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            notes = prune.prune(self.results, 3)
        self.assertIn("still going on", notes[0])
        self.assertIn(self.ids[0], self.folders())

    def test_killed_at_any_moment(self) -> None:
        code = (
            "import sys; from pathlib import Path; from hf_tests.nightly import prune\n"
            "print('go', flush=True); prune.prune(Path(sys.argv[1]), 1)"
        )
        before = everything(self.results)
        chance = random.Random(3)
        for _ in range(8):
            process = subprocess.Popen(
                [sys.executable, "-c", code, str(self.results)],
                cwd=support.ROOT,
                stdout=subprocess.PIPE,
            )
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(chance.uniform(0, 0.01))
            process.send_signal(signal.SIGKILL)
            process.wait(60)
            process.stdout.close()
            there = {source.run_id: source.read() for source in ingest.sources(self.results)}
            self.assertEqual(sorted(there), self.ids)
        prune.prune(self.results, 1)
        self.assertEqual(self.folders(), self.ids[-1:])
        self.assertEqual(list(self.results.glob(f"{prune.DOOMED}*")), [])
        (self.results / "history.sqlite").unlink()
        again = everything(self.results)
        self.assertEqual([item and item.checks for item in again], [i and i.checks for i in before])


class TestMorning(unittest.TestCase):
    def setUp(self) -> None:
        self.results = support.temporary_folder(self)

    def night(self, day: int, *checks: CheckResult, interrupted: bool = False) -> night.Morning:
        """What the morning after a day's night is told."""
        run_id = nights.write(self.results, day, checks)
        outcomes = tuple(JobOutcome(support.job(check.model), (check,), None) for check in checks)
        note = ingest.note_of_run(self.results)
        finished = Finished(
            RunFolder(self.results, run_id), outcomes, interrupted, 1.0, history_note=note
        )
        return night.conclude(finished, {}, keep=5)

    def test_silent_when_nothing_changed(self) -> None:
        quiet = nights.timed(0.01)
        first = self.night(1, quiet)
        self.assertIn("nothing to compare it with", first.text)
        self.assertEqual((self.night(2, quiet).text, self.night(3, quiet).exit_status), ("", 0))
        broken = nights.changed(quiet, status="error", error="no", error_type="other")
        morning = self.night(4, broken)
        self.assertIn("New failures (1)", morning.text)
        self.assertEqual(morning.exit_status, 1)
        self.assertEqual(self.night(5, broken).text, "", "still failing is no news")
        self.assertIn("Fixed (1)", self.night(6, quiet).text)
        skipped = support.result("skipped", reason="no")
        self.assertIn("ALARM: nothing was tested", self.night(7, skipped).text)
        self.assertIn(
            "ALARM: the night was interrupted", self.night(8, quiet, interrupted=True).text
        )
        with query.opened(self.results) as history:
            self.assertEqual(len(history.runs()), 8)
        self.assertEqual(len(list(self.results.glob("2026*/run.json"))), 5)

    def test_notify(self) -> None:
        morning = self.night(1, nights.timed(0.01))
        target = self.results / "a file.json"
        night.notify(
            f"{sys.executable} -c 'import sys; open(sys.argv[1], \"w\").write(sys.stdin.read())' "
            f"{shlex.quote(str(target))}",
            morning,
        )
        found = json.loads(target.read_text())
        self.assertEqual((found["exit_status"], found["changed"]), (0, True))
        night.notify("/no/such/command; touch x", morning)  # said on stderr, no shell, no error

    def test_suspects_of_a_run(self) -> None:
        for day in range(1, 8):
            nights.write(self.results, day, [nights.timed(0.01), nights.timed(0.2, "gpt2")])
        run_id = nights.write(self.results, 9, [nights.timed(0.02), nights.timed(0.2, "gpt2")])
        found = night.suspects(RunFolder(self.results, run_id), {})
        self.assertEqual(found, (("bert-base-uncased", "cpu", "pipeline"),))
        limits = {"bert-base-uncased": {"latency": 2.0}}
        self.assertEqual(night.suspects(RunFolder(self.results, run_id), limits), ())


class TestCommand(unittest.TestCase):
    """Two real nights of one small model."""

    def test_two_nights(self) -> None:
        folder = support.temporary_folder(self)
        results, own = folder / "results", folder / "registry.json"
        document = json.loads(registry.CHECKOUT_PATH.read_text(encoding="utf-8"))
        # What a busy machine makes of a model of two milliseconds is no question here.
        loose = dict.fromkeys((metric.name for metric in JUDGED), 50.0)
        document["families"]["bert"]["models"]["bert-base-uncased"]["thresholds"] = loose
        own.write_text(json.dumps(document), encoding="utf-8")
        words = [*shlex.split("--model bert-base-uncased --weights tiny --cpu-only --nightly")]
        words += ["--results-dir", str(results), "--registry", str(own)]
        first = support.runner(*words)
        self.assertEqual(first.returncode, 0, first.stderr)
        self.assertIn("2 passed", first.stdout)
        with (results / night.LOCK).open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            refused = support.runner(*words)
        self.assertEqual(refused.returncode, 2)
        self.assertIn("another night is still going on", refused.stderr)
        second = support.runner(*words, "--keep", "1")
        self.assertEqual(second.returncode, 0, second.stdout + second.stderr)
        for text in ("New failures", "Slower", "Beyond"):
            self.assertNotIn(text, second.stdout)
        self.assertEqual(len(list(results.glob("2*/run.json"))), 1)
        self.assertEqual(len(list((results / ingest.ARCHIVE).iterdir())), 1)
        with query.opened(results) as history:
            found = history.checks(history.runs()[-1].id)
        self.assertEqual([check.status for check in found], ["passed", "passed"])
        self.assertTrue(all(record.is_finished(p.parent) for p in results.glob("2*/run.json")))

    def test_what_goes_with_it(self) -> None:
        done = support.runner("--all", "--keep", "3")
        self.assertEqual(done.returncode, 2)
        self.assertIn("go with --nightly", done.stderr)


if __name__ == "__main__":
    unittest.main()
