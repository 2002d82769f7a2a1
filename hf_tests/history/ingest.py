"""What writes the history: one run at a time, those that are missing, or all of them anew.

The runs' folders are the truth, and the archive has what was pruned of them. Each run is taken in
by one short transaction that replaces what the history has of it, so several runners may write at
once, and one that is killed leaves the history without the run, never with a part of it.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hf_tests.history import database, record
from hf_tests.history.database import DamagedError
from hf_tests.history.record import Check, Record, RecordError, Run

ARCHIVE = "archive"
"""Folder under the results folder with a file for each pruned run."""

REST = ("error_type", "hint", "task", "class_name", "rerun_status", "duration", "again", "doubts",
        "file", "checkpoint")  # fmt: skip
"""Fields of a Check that stand together in one column."""

UNFIT = (sqlite3.ProgrammingError, sqlite3.InterfaceError, sqlite3.IntegrityError, TypeError,
         ValueError, KeyError, AttributeError, OverflowError)  # fmt: skip
"""What becomes of a record whose fields are of other types than a run writes."""

CONDITION = ("weights", "dtype", "batch_size", "isolation", "jobs_beside")
"""Fields of a Check that say under what it was measured."""


@dataclass(frozen=True)
class Source:
    """A finished run on the disk: its folder, or its file in the archive."""

    run_id: str
    path: Path
    archived: bool

    @property
    def stamp(self) -> str:
        """What changes when the run is written again. Raises OSError."""
        return record.stamp_of(self.path if self.archived else self.path / "run.json")

    def read(self) -> Record | None:
        """Its record, None where it is no finished run. Raises RecordError."""
        return record.read_archive(self.path) if self.archived else record.read_finished(self.path)


@dataclass(frozen=True)
class Taken:
    """What bringing the history up to date did: runs taken in, and sentences on what went wrong."""

    runs: int
    notes: tuple[str, ...] = ()


def archive_path(results: Path, run_id: str) -> Path:
    """Where a pruned run's record is kept."""
    return results / ARCHIVE / f"{run_id}.json.gz"


def sources(results: Path) -> Iterator[Source]:
    """The runs with a run.json or in the archive, in the order of their ids; a folder wins."""
    found = {
        path.name.removesuffix(".json.gz"): Source(path.name.removesuffix(".json.gz"), path, True)
        for path in (results / ARCHIVE).glob("[!.]*.json.gz")
    }
    found |= {
        path.parent.name: Source(path.parent.name, path.parent, False)
        for path in results.glob("[!.]*/run.json")
        if not path.parent.is_symlink()
    }
    for run_id in sorted(found):
        yield found[run_id]


def update(results: Path, say: Callable[[str], None] = print) -> Taken:
    """Take in what the history lacks or has of another time; the last step of every run.

    Damaged history is kept under another name and made anew from the runs' files; ``say`` is told.
    Raises sqlite3.Error or OSError where it cannot be written at all.
    """
    try:
        return _update(results, again=False)
    except DamagedError as error:
        say(put_aside(results, error))
        return _update(results, again=False)


def rebuild(results: Path, say: Callable[[str], None] = print) -> Taken:
    """Read every run again, and forget those of which neither folder nor archive is left."""
    try:
        return _update(results, again=True)
    except DamagedError as error:
        say(put_aside(results, error))
        return _update(results, again=True)


def put_aside(results: Path, error: DamagedError) -> str:
    """Rename the damaged history; the sentence that says so."""
    path = results / database.FILE
    kept = database.set_aside(path)
    where = f"kept as {kept.name}" if kept else "already put aside"
    return f"the history {path} cannot be used: {error}; {where}, rebuilt from the runs' files"


def note_of_run(results: Path) -> str | None:
    """`update` for the end of a run: what there is to say, and no error, whatever happens."""
    said: list[str] = []
    try:
        said += update(results, said.append).notes
    except (sqlite3.Error, OSError, DamagedError) as error:
        said.append(
            f"the history {results / database.FILE} cannot be written: {error}; the next run, or "
            "runner.py history --rebuild, makes up for it"
        )
    return "\n".join(said) or None


def _update(results: Path, again: bool) -> Taken:
    path = results / database.FILE
    notes: list[str] = []
    count = 0
    with database.named_damage():
        connection = database.connect(path)
        try:
            stamps = dict(connection.execute("SELECT id, stamp FROM run").fetchall())
            there = set()
            for source in sources(results):
                there.add(source.run_id)
                try:
                    stamp = source.stamp
                    if stamps.get(source.run_id) == stamp and not again:
                        continue
                    if source.archived and source.run_id in stamps and not again:
                        continue  # taken in when its folder was there
                    found = source.read()
                    if found is None:
                        continue
                    with database.transaction(connection):
                        write(connection, found, stamp)
                except (RecordError, OSError) as error:
                    notes.append(f"not taken into the history: {error}")
                except UNFIT as error:
                    notes.append(f"not taken into the history: {source.path}: {error!r}")
                else:
                    count += 1
            if again:
                with database.transaction(connection):
                    for run_id in set(stamps) - there:
                        connection.execute("DELETE FROM run WHERE id = ?", (run_id,))
            # By itself it reads and then writes, and then SQLite does not wait for other writers.
            with database.transaction(connection):
                connection.execute("PRAGMA optimize")
        finally:
            connection.close()
    return Taken(count, tuple(notes))


def write(connection: sqlite3.Connection, found: Record, stamp: str) -> None:
    """Put a run in, in place of what is there of it, inside the caller's transaction."""
    run = found.run
    environment = _dump({"versions": run.versions, "hardware": run.hardware})
    digest = hashlib.sha256(environment.encode()).hexdigest()
    connection.execute(
        "INSERT OR IGNORE INTO environment (digest, document) VALUES (?, ?)", (digest, environment)
    )
    connection.execute("DELETE FROM run WHERE id = ?", (run.id,))
    number = connection.execute(
        "INSERT INTO run (id, started, machine, environment, stamp, document) "
        "SELECT ?, ?, ?, number, ?, ? FROM environment WHERE digest = ?",
        (run.id, run.started, run.machine, stamp, _dump(_document(run)), digest),
    ).lastrowid
    subjects = _subjects(connection, found)
    words = _words(connection, found)

    def word(text: str | None) -> int | None:
        return None if text is None else words[text]

    connection.executemany(
        "INSERT OR REPLACE INTO result VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            (
                number,
                subjects[check.name],
                check.status,
                word(condition_text(check)),
                word(check.message),
                word(check.predictions),
                _dump(dict(check.figures)),
                _dump(rest_of(check)),
            )
            for check in found.checks
        ),
    )


def rest_of(check: Check) -> dict[str, Any]:
    """The fields of `REST` that say anything."""
    found = {name: getattr(check, name) for name in REST}
    return {name: value for name, value in found.items() if value not in (None, (), {})}


def condition_text(check: Check) -> str:
    """The columns under which a check was measured, as JSON."""
    return _dump({name: getattr(check, name) for name in CONDITION})


def _document(run: Run) -> dict[str, Any]:
    kept = ("finished", "wall_time", "exit_status", "jobs_at_once", "counts", "weights", "options")
    return {name: getattr(run, name) for name in kept}


def _subjects(connection: sqlite3.Connection, found: Record) -> dict[tuple[str, str, str], int]:
    connection.executemany(
        "INSERT OR IGNORE INTO subject (model, key, variant, family, device, method) "
        "VALUES (?, ?, ?, ?, ?, ?)",
        ((*check.name, check.family, check.device, check.method) for check in found.checks),
    )
    rows = connection.execute("SELECT model, key, variant, number FROM subject")
    return {(model, key, variant): number for model, key, variant, number in rows}


def _words(connection: sqlite3.Connection, found: Record) -> dict[str, int]:
    """The numbers of all longer texts of a run, which are put in where they are new."""
    texts = {condition_text(check) for check in found.checks}
    texts |= {text for check in found.checks for text in (check.message, check.predictions) if text}
    digests = {hashlib.sha256(text.encode("utf-8", "replace")).digest(): text for text in texts}
    connection.executemany(
        "INSERT OR IGNORE INTO words (digest, text) VALUES (?, ?)", digests.items()
    )
    numbers = {}
    for digest, text in digests.items():
        row = connection.execute("SELECT number FROM words WHERE digest = ?", (digest,)).fetchone()
        numbers[text] = row[0]
    return numbers


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
