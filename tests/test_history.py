"""The history: what is kept of runs, asked, damaged, rebuilt, written by several at a time."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
import unittest
from pathlib import Path
from typing import Any

from hf_tests.commands.history import sparkline
from hf_tests.history import database, ingest, metrics, query, record
from hf_tests.outcome import Row
from tests import nights, support

INGEST = "import sys; from pathlib import Path; from hf_tests.history import ingest; "

AT_ONCE = """
import os, sys, time, traceback
from pathlib import Path
from hf_tests.history import database, ingest

results, what, rounds = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
calls = {
    "open": [lambda results: database.connect(results / database.FILE).close()],
    "write": [ingest.update, ingest.rebuild],
}
failed = 0
for _ in range(rounds):
    for path in results.glob("history*"):
        path.unlink()
    begin = time.monotonic() + 0.01
    children = []
    for call in (calls[what] * 6)[:6]:
        child = os.fork()
        if child == 0:
            status = 1
            try:
                while time.monotonic() < begin:
                    pass
                call(results)
                status = 0
            except Exception:
                traceback.print_exc()
            finally:
                os._exit(status)
        children.append(child)
    failed += sum(os.waitpid(child, 0)[1] != 0 for child in children)
sys.exit(failed != 0)
"""
"""Again and again, six processes that make the same history at the same moment."""


def month(results: Path, days: int = 6) -> list[str]:
    """Nights of two models; the second one fails from the fourth night on, with another torch."""
    ids = []
    for day in range(1, days + 1):
        other = nights.timed(0.02, "gpt2")
        versions = dict(nights.VERSIONS)
        if day >= 4:
            versions["torch"] = "2.15.0"
            other = nights.changed(
                other, status="error", error_type="other", error="RuntimeError: no"
            )
        found = [nights.timed(0.01 + day / 1e4, predictions=({"token": "x", "score": 0.5},)), other]
        ids.append(nights.write(results, day, found, versions=versions))
    return ids


def everything(results: Path) -> list[record.Record | None]:
    """All that the history tells of the runs, without how new their files are."""
    with query.opened(results, _never) as history:
        return [history.record(run.id) for run in history.runs()]


def _never(text: str) -> None:
    raise AssertionError(f"unexpected: {text}")


class TestQueries(unittest.TestCase):
    def setUp(self) -> None:
        self.results = support.temporary_folder(self)
        self.ids = month(self.results)

    def test_what_is_kept_is_what_the_files_say(self) -> None:
        for found in everything(self.results):
            assert found is not None
            read = record.read_run(self.results / found.run.id)
            self.assertEqual(found.run, read.run)
            key = lambda check: check.name  # noqa: E731
            self.assertEqual(sorted(found.checks, key=key), sorted(read.checks, key=key))
            self.assertEqual(len(found.checks), 2)

    def test_trend_with_the_versions_that_changed(self) -> None:
        with query.opened(self.results) as history:
            (trend,) = history.trends("bert-base-uncased")
            self.assertEqual([point.run_id for point in trend.points], self.ids)
            values = trend.values(metrics.LATENCY)
            self.assertEqual([round(value or 0, 6) for value in values][:2], [0.0101, 0.0102])
            marked = [[str(change) for change in point.changes] for point in trend.points]
            self.assertEqual(marked, [[], [], [], ["torch 2.14.1 -> 2.15.0"], [], []])
            self.assertEqual(history.trends("bert-base-uncased", device="cuda"), ())
            self.assertEqual(len(history.trends()), 2)
            (short,) = history.trends("bert-base-uncased", until=self.ids[3], last=2)
            self.assertEqual([point.run_id for point in short.points], self.ids[2:4])

    def test_since_when_a_check_fails(self) -> None:
        with query.opened(self.results) as history:
            since = history.bad_since(self.ids[-1])
            self.assertEqual(
                {name: run.id for name, run in since.items()},
                {("gpt2", "pipeline_cpu"): self.ids[3]},
            )
            self.assertEqual(history.bad_since(self.ids[2]), {})
            (trend,) = history.trends("gpt2")
            assert trend.failing_since is not None
            self.assertEqual(trend.failing_since.run_id, self.ids[3])

    def test_variants_of_a_check(self) -> None:
        check = nights.timed(0.01)
        row = Row("bfloat16", dataclasses.replace(check.measurement, dtype="bfloat16"))
        run_id = nights.write(self.results, 9, [nights.changed(check, rows=(row,))])
        with query.opened(self.results) as history:
            found = history.checks(run_id)
        self.assertEqual([item.variant for item in found], ["", "bfloat16"])
        self.assertEqual([item.dtype for item in found], ["float32", "bfloat16"])

    def test_only_finished_runs_and_resumed_ones_replace_themselves(self) -> None:
        check = nights.timed(0.5)
        torn = nights.write(self.results, 7, [check], interrupted=True)
        with query.opened(self.results) as history:
            self.assertIsNone(history.run(torn))
        nights.write(self.results, 7, [check])
        with query.opened(self.results) as history:
            self.assertEqual(len(history.checks(torn)), 1)
        nights.write(self.results, 7, [check, nights.timed(0.5, method="from_pretrained")])
        with query.opened(self.results) as history:
            self.assertEqual(len(history.checks(torn)), 2)
            self.assertEqual(len(history.runs()), 7)

    def test_taking_in_twice_changes_nothing(self) -> None:
        self.assertEqual(ingest.update(self.results).runs, 6)
        before = everything(self.results)
        self.assertEqual(ingest.update(self.results).runs, 0)
        self.assertEqual(ingest.rebuild(self.results).runs, 6)
        self.assertEqual(everything(self.results), before)

    def test_files_of_another_version(self) -> None:
        """A model's file that is lost leaves the rows of run.json; a torn run.json is said."""
        lost, torn = self.results / self.ids[0], self.results / self.ids[1]
        shutil.rmtree(lost / "models")
        (torn / "run.json").write_text('{"version": 1, "metadata": {"finished": "x"}}')
        done = ingest.update(self.results)
        self.assertEqual(done.runs, 5)
        self.assertIn(f"{self.ids[1]}/run.json cannot be read", done.notes[0])
        with query.opened(self.results, lambda text: None) as history:
            check = history.checks(self.ids[0])[0]
            self.assertAlmostEqual(check.figures["avg_time"], 0.0101, delta=1e-4)

    def test_a_run_that_somebody_has_edited_costs_only_itself(self) -> None:
        """Whatever stands in its files: every later night reads them again."""
        folder = self.results / self.ids[0]
        whole = json.loads((folder / "run.json").read_text())
        (model, *_) = (folder / "models").rglob("*.json")
        edits: tuple[tuple[str, Any], ...] = (
            ("model", None),
            ("status", {}),
            ("task", {"a": 1}),
            ("error", ["x"]),
            ("duration", 10**400),
            ("jobs_beside", [[]]),
            ("file", "x" * 5000),
            ("task", "\ud83d"),
        )
        for key, value in edits:
            with self.subTest(key=key, value=str(value)[:20]):
                rows = [{**row, key: value} for row in whole["checks"]]
                (folder / "run.json").write_text(json.dumps({**whole, "checks": rows}))
                taken = ingest.rebuild(self.results)
                self.assertIn((taken.runs, len(taken.notes)), ((6, 0), (5, 1)), taken)
        for text in ("[" * 100_000, "[]", "{", '{"metadata": [], "checks": []}'):
            with self.subTest(text[:20]):
                (folder / "run.json").write_text(text)
                self.assertEqual(ingest.rebuild(self.results).runs, 5)
        (folder / "run.json").write_text(json.dumps(whole))
        for text in ("[" * 100_000, "[]", '{"results": [], "performance": 1}', "{}"):
            with self.subTest(text[:20]):
                model.write_text(text)
                taken = ingest.rebuild(self.results)
                self.assertIn((taken.runs, len(taken.notes)), ((6, 0), (5, 1)), taken)

    def test_archived_run_reads_as_its_folder_did(self) -> None:
        path = ingest.archive_path(self.results, self.ids[0])
        folder = self.results / self.ids[0]
        before = record.read_run(folder)
        record.write_archive(path, before)
        self.assertEqual(record.read_archive(path), before)
        ingest.update(self.results)
        shutil.rmtree(folder)
        ingest.rebuild(self.results)
        with query.opened(self.results) as history:
            self.assertEqual(len(history.runs()), 6)
        path.unlink()
        ingest.rebuild(self.results)
        with query.opened(self.results) as history:
            self.assertEqual(len(history.runs()), 5)


class TestDamage(unittest.TestCase):
    def setUp(self) -> None:
        self.results = support.temporary_folder(self)
        month(self.results)
        self.path = self.results / database.FILE
        ingest.update(self.results)
        self.before = everything(self.results)

    def mended(self, says: str) -> None:
        """The next use says what was wrong, keeps the file, and tells the same again."""
        said: list[str] = []
        found = query.asked(
            self.results,
            lambda history: [history.record(run.id) for run in history.runs()],
            said.append,
        )
        self.assertEqual(found, self.before)
        self.assertRegex(" ".join(said), says)
        kept = list(self.results.glob("history-damaged-*.sqlite"))
        self.assertEqual(len(kept), 1)
        self.assertIn(kept[0].name, said[0])

    def test_garbage(self) -> None:
        self.path.write_bytes(b"this is no database, " * 1000)
        self.mended("no SQLite database")

    def test_truncated(self) -> None:
        os.truncate(self.path, self.path.stat().st_size // 2)
        self.mended("bytes are left")

    def test_cut_in_the_header(self) -> None:
        os.truncate(self.path, 50)
        self.mended("cut short")

    def test_broken_inside(self) -> None:
        with self.path.open("r+b") as file:
            file.seek(4096)
            file.write(os.urandom(self.path.stat().st_size - 4096))
        self.mended("damaged")

    def test_a_text_broken_inside(self) -> None:
        """Every page is as SQLite wants it; what stands there is not what was written."""
        for spoilt in ("{", b"{\xff}"):
            with self.subTest(spoilt):
                with contextlib.closing(sqlite3.connect(self.path)) as connection:
                    connection.execute("UPDATE result SET rest = CAST(? AS TEXT)", (spoilt,))
                    connection.commit()
                self.mended("a text in it is damaged")
                for path in self.results.glob("history-damaged-*"):
                    path.unlink()

    def test_newer_schema(self) -> None:
        with contextlib.closing(sqlite3.connect(self.path)) as connection:
            connection.execute("PRAGMA user_version = 99")
        self.mended("it has schema 99")

    def test_another_programs_database(self) -> None:
        self.path.unlink()
        with contextlib.closing(sqlite3.connect(self.path)) as connection:
            connection.execute("CREATE TABLE run (x)")
        self.mended("no history of this suite")

    def test_empty_file(self) -> None:
        self.path.write_bytes(b"")
        self.assertEqual(everything(self.results), self.before)

    def test_older_schema_is_migrated(self) -> None:
        steps = (*database.MIGRATIONS, "ALTER TABLE run ADD COLUMN note TEXT")
        old = database.SCHEMA
        self.addCleanup(setattr, database, "MIGRATIONS", database.MIGRATIONS)
        self.addCleanup(setattr, database, "SCHEMA", old)
        database.MIGRATIONS, database.SCHEMA = steps, old + 1  # type: ignore[assignment]
        with contextlib.closing(database.connect(self.path)) as connection:
            self.assertEqual(connection.execute("SELECT count(note) FROM run").fetchone(), (0,))
            self.assertEqual(
                connection.execute("PRAGMA user_version").fetchone(), (database.SCHEMA,)
            )
        self.assertEqual(list(self.results.glob("history-damaged-*")), [])

    @unittest.skipIf(os.name == "nt" or os.geteuid() == 0, "nothing is read-only to root")
    def test_read_only_folder_fails_nothing(self) -> None:
        self.results.chmod(0o555)
        self.addCleanup(self.results.chmod, 0o755)
        self.path.unlink()
        self.assertIn("cannot be written", ingest.note_of_run(self.results) or "")

    def test_what_cannot_be_written_is_said(self) -> None:
        self.path.unlink()
        self.path.mkdir()
        self.assertIn("makes up for it", ingest.note_of_run(self.results) or "")
        self.path.rmdir()
        self.assertIsNone(ingest.note_of_run(self.results))
        self.assertEqual(everything(self.results), self.before)


class TestWriters(unittest.TestCase):
    def setUp(self) -> None:
        self.results = support.temporary_folder(self)
        month(self.results, 20)
        self.path = self.results / database.FILE

    def start(self, call: str = "update") -> subprocess.Popen[bytes]:
        code = f"{INGEST} ingest.{call}(Path(sys.argv[1]))"
        return subprocess.Popen([sys.executable, "-c", code, str(self.results)], cwd=support.ROOT)

    @unittest.skipUnless(hasattr(os, "fork"), "needs processes that begin at the same moment")
    def test_several_at_a_time(self) -> None:
        for what, rounds in (("open", 80), ("write", 20)):
            done = subprocess.run(
                [sys.executable, "-c", AT_ONCE, str(self.results), what, str(rounds)],
                cwd=support.ROOT,
                capture_output=True,
                check=False,
                text=True,
            )
            self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
        found = everything(self.results)
        self.assertEqual(len(found), 20)
        self.assertTrue(all(item is not None and len(item.checks) == 2 for item in found))

    @unittest.skipUnless(hasattr(signal, "SIGKILL"), "needs signals")
    def test_killed_at_any_moment(self) -> None:
        start = time.monotonic()
        self.assertEqual(self.start("rebuild").wait(60), 0)
        whole = time.monotonic() - start
        before = everything(self.results)
        chance = random.Random(0)
        for _ in range(12):
            process = self.start("rebuild")
            time.sleep(chance.uniform(0.3, 1.0) * whole)
            process.send_signal(signal.SIGKILL)
            process.wait(60)
            with contextlib.closing(database.connect(self.path)) as connection:
                self.assertEqual(connection.execute("PRAGMA integrity_check").fetchone(), ("ok",))
            if chance.random() < 0.5:
                self.path.unlink()  # so that the next one is killed while it makes all anew
        self.assertEqual(everything(self.results), before)


class TestCommand(unittest.TestCase):
    def setUp(self) -> None:
        self.results = support.temporary_folder(self)

    def history(self, *arguments: str, status: int = 0) -> str:
        done = support.runner("history", *arguments, "--results-dir", str(self.results))
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        self.assertNotIn("Traceback", done.stderr)
        self.assertEqual([t for t in done.stdout.splitlines() if len(t) > 80 and " " in t], [])
        return done.stdout + done.stderr

    def test_a_model_and_the_runs(self) -> None:
        ids = month(self.results, 20)
        text = self.history("gpt2")
        self.assertRegex(text, r"pipeline_cpu +\S*x{17} +20\.0 ms +20\.0 ms +error since 01-04")
        self.assertIn("2026-01-04 02:30 torch 2.14.1 -> 2.15.0", text)
        runs = self.history()
        self.assertIn(ids[-1], runs)
        self.assertIn("20 runs, 2026-01-01 to 2026-01-20", runs)
        (trend,) = json.loads(self.history("gpt2", "--json", "--last", "3"))
        self.assertEqual([point["run_id"] for point in trend["points"]], ids[-3:])
        self.assertIn("did you mean gpt2?", self.history("gpt", status=2))
        self.assertIn("unknown metric", self.history("gpt2", "--metric", "speed", status=2))

    def test_a_night_without_a_run_is_an_alarm(self) -> None:
        self.assertIn("no finished run", self.history())
        self.assertIn("ALARM: no finished run", self.history("--check", status=1))
        nights.write(self.results, 1, [nights.timed(0.1)])
        self.assertRegex(self.history("--check", status=1), "ALARM: the newest run, .* days ago")
        self.assertIn("1 checks tested", self.history("--check", "--max-age", "36500d"))
        nights.write(self.results, 2, [support.result("skipped", reason="no")])
        said = self.history("--check", "--max-age", "36500d", status=1)
        self.assertIn("tested none", said)

    def test_damage_is_said_and_mended(self) -> None:
        month(self.results)
        self.history()
        path = self.results / database.FILE
        path.write_bytes(b"garbage" * 999)
        text = self.history("gpt2")
        self.assertIn("kept as history-damaged-", text)
        self.assertIn("error since 01-04", text)
        self.assertIn("6 runs read again", self.history("--rebuild"))


class TestSparkline(unittest.TestCase):
    def test_each_value_has_its_height(self) -> None:
        self.assertEqual(sparkline([1, 2, 3, 4, 5, 6, 7, 8], [False] * 8), "▁▂▃▄▅▆▇█")
        self.assertEqual(sparkline([100, 101, None, 100], [False, False, False, True]), "▁▁ x")
        self.assertEqual(sparkline([None, None], [False, True]), " x")
        self.assertEqual(sparkline([], []), "")


if __name__ == "__main__":
    unittest.main()
