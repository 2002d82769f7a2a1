"""One night: what is beyond its history measured again, and what the morning has to be told."""

from __future__ import annotations

import contextlib
import json
import shlex
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hf_tests.history import query, record
from hf_tests.history.database import DamagedError
from hf_tests.history.query import History
from hf_tests.nightly import choice, compare, morning, prune, summary
from hf_tests.nightly.compare import Comparison
from hf_tests.nightly.figures import Thresholds
from hf_tests.nightly.run import BAD, NOTHING_TESTED, OK, Finished
from hf_tests.nightly.store import RunFolder
from hf_tests.nightly.usage import UsageError

LOCK = ".nightly.lock"
NOTIFY_TIMEOUT_S = 120.0


@dataclass(frozen=True)
class Morning:
    """What a night came to. ``text`` is empty when nothing changed."""

    text: str
    exit_status: int
    comparison: Comparison | None
    finished: Finished

    def to_json(self) -> dict[str, Any]:
        """The summary that is handed to a command."""
        found = self.comparison
        return {
            "version": 1,
            "run": self.finished.folder.run_id,
            "folder": str(self.finished.folder.path.resolve()),
            "exit_status": self.exit_status,
            "changed": bool(self.text),
            "text": self.text,
            "comparison": None if found is None else found.to_json(),
        }


@contextlib.contextmanager
def alone(results: Path) -> Iterator[None]:
    """One night at a time in a results folder. Raises UsageError where another one goes on."""
    results.mkdir(parents=True, exist_ok=True)
    try:
        import fcntl
    except ImportError:
        yield
        return
    with (results / LOCK).open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UsageError(f"another night is still going on in {results}.") from None
        yield


def suspects(folder: RunFolder, limits: Thresholds) -> tuple[tuple[str, str, str], ...]:
    """The checks of a run whose figures are beyond their history, by model, device and method.

    None where the history cannot be used: a night is worth more than its comparison.
    """

    def asked(history: History) -> tuple[tuple[str, str, str], ...]:
        return compare.suspects(
            record.read_run(folder.path), history.trends(last=compare.NIGHTS), limits
        )

    try:
        found: tuple[tuple[str, str, str], ...] = query.asked(folder.results, asked, _say)
        return found
    except (sqlite3.Error, OSError, DamagedError, record.RecordError) as error:
        _say(f"nothing was measured again, for the history cannot be read: {error}")
        return ()


def conclude(finished: Finished, limits: Thresholds, keep: int | None) -> Morning:
    """Compare the run that has just ended with the one before, and prune."""
    notes = [finished.history_note] if finished.history_note else []
    found: Comparison | None = None
    reason = ""
    try:
        found = query.asked(
            finished.folder.results, lambda history: _compared(history, finished, limits), _say
        )
    except UsageError as error:
        reason = f"nothing to compare it with: {error}"
    except (sqlite3.Error, OSError, DamagedError) as error:
        reason = f"it could not be compared: {error}"
    if keep is not None:
        notes += prune.prune(finished.folder.results, keep)
    status = finished.exit_status
    if status == OK and found is not None and found.is_regression:
        status = BAD
    return Morning(_text(finished, found, reason, notes), status, found, finished)


def notify(command: str, morning_: Morning) -> None:
    """Hand the summary to a command, which gets no shell; what goes wrong with it is only said."""
    try:
        done = subprocess.run(
            shlex.split(command),
            input=json.dumps(morning_.to_json(), ensure_ascii=False),
            capture_output=True,
            encoding="utf-8",
            timeout=NOTIFY_TIMEOUT_S,
            check=False,
        )
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        _say(f"--notify {command}: {error}")
        return
    if done.returncode:
        _say(f"--notify {command}: exit status {done.returncode}\n{done.stderr.strip()}")


def _compared(history: History, finished: Finished, limits: Thresholds) -> Comparison:
    base, new = choice.pair(history, None, finished.folder.run_id)
    return compare.compare(base, new, history.trends(last=compare.NIGHTS), limits)


def _text(finished: Finished, found: Comparison | None, reason: str, notes: list[str]) -> str:
    alarms = []
    if finished.interrupted:
        alarms.append("ALARM: the night was interrupted; python runner.py --resume finishes it")
    if finished.exit_status == NOTHING_TESTED:
        alarms.append("ALARM: nothing was tested, every check was skipped")
    alarms += [f"wrong registry: {problem}" for problem in finished.problems]
    if found is None:
        told = f"{summary.text(finished)}\n{reason}"
    elif alarms or found.has_changed:
        told = morning.text(found)
    elif notes:
        told = ""
    else:
        return ""
    where = finished.folder.path / "report.html"
    place = where if where.is_file() else finished.folder.path / "run.json"
    return "\n\n".join(part for part in (*alarms, told, *notes, str(place)) if part)


def _say(text: str) -> None:
    print(f"runner.py: {text}", file=sys.stderr)
