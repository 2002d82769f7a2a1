"""history.sqlite: its schema, how it is opened, and what becomes of it when it is damaged."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

FILE = "history.sqlite"
LOCK = ".history.lock"
BUSY_TIMEOUT_S = 30.0  # how long a writer waits for another; a run's ingest takes well under 1 s
RETRY_S = 0.02
LOOKS = 10  # at a file that seems cut short while others may be writing it
APPLICATION_ID = 0x48465448  # "HFTH", in the file's header
HEADER_BYTES = 100

MIGRATIONS = (
    """
    CREATE TABLE environment (
        number INTEGER PRIMARY KEY,
        digest TEXT NOT NULL UNIQUE,
        document TEXT NOT NULL
    );
    CREATE TABLE run (
        number INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        started TEXT NOT NULL,
        machine TEXT NOT NULL,
        environment INTEGER NOT NULL REFERENCES environment,
        stamp TEXT NOT NULL,
        document TEXT NOT NULL
    );
    CREATE INDEX run_started ON run (started, id);
    CREATE TABLE subject (
        number INTEGER PRIMARY KEY,
        model TEXT NOT NULL,
        key TEXT NOT NULL,
        variant TEXT NOT NULL,
        family TEXT NOT NULL,
        device TEXT NOT NULL,
        method TEXT NOT NULL,
        UNIQUE (model, key, variant)
    );
    CREATE TABLE words (
        number INTEGER PRIMARY KEY,
        digest BLOB NOT NULL UNIQUE,
        text TEXT NOT NULL
    );
    CREATE TABLE result (
        run INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,
        subject INTEGER NOT NULL REFERENCES subject,
        status TEXT NOT NULL,
        condition INTEGER NOT NULL REFERENCES words,
        message INTEGER REFERENCES words,
        predictions INTEGER REFERENCES words,
        figures TEXT NOT NULL,
        rest TEXT NOT NULL,
        PRIMARY KEY (run, subject)
    ) WITHOUT ROWID;
    CREATE INDEX result_of_subject ON result (subject, run);
    """,
)
"""The steps to the newest schema; ``PRAGMA user_version`` counts those that were taken.

``subject`` is what is checked, whatever the run; ``words`` has every longer text once, since
nights repeat them; ``document``, ``condition``, ``figures`` and ``rest`` are JSON, so that a new
figure needs no new column.
"""

SCHEMA = len(MIGRATIONS)

DOCUMENTS = {"environment": (2,), "run": (6,), "subject": (), "words": (), "result": (6, 7)}
"""The places of JSON texts in each table's rows."""


class DamagedError(Exception):
    """The history cannot be used; the message says why, the files beside it are untouched."""


def connect(path: Path) -> sqlite3.Connection:
    """Open the database, made or brought to the newest schema where need be.

    Raises DamagedError where it is no history of this or an earlier schema, and sqlite3.Error or
    OSError where the system does not let it be opened.
    """
    with named_damage():
        _check_file(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None)
        try:
            _prepare(connection)
        except BaseException:
            connection.close()
            raise
    return connection


def set_aside(path: Path) -> Path | None:
    """Rename a damaged history and its journal, so that it is kept; its new name.

    None where another process has done so meanwhile.
    """
    with exclusive(path.parent):
        if _is_whole(path):
            return None
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        target = path.with_name(f"{path.stem}-damaged-{stamp}{path.suffix}")
        while target.exists():
            target = target.with_name(f"{target.stem}x{target.suffix}")
        os.replace(path, target)
        for suffix in ("-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                os.replace(f"{path}{suffix}", f"{target}{suffix}")
    return target


def _is_whole(path: Path) -> bool:
    """Whether every page and every text is as it should be, which takes seconds to find out."""
    try:
        with named_damage(), contextlib.closing(connect(path)) as connection:
            if connection.execute("PRAGMA quick_check").fetchone()[0] != "ok":
                return False
            for table, columns in DOCUMENTS.items():
                for row in connection.execute(f"SELECT * FROM {table}"):
                    for column in columns:
                        json.loads(row[column])
            return True
    except DamagedError:
        return False


@contextlib.contextmanager
def exclusive(results: Path) -> Iterator[None]:
    """Keep out others who would rename the history. A system without flock has no lock."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    with (results / LOCK).open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All of the block is written, or nothing; other writers wait meanwhile."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


@contextlib.contextmanager
def named_damage() -> Iterator[None]:
    """Raise DamagedError for what SQLite says of a file that is broken inside, or texts in it."""
    try:
        yield
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise DamagedError(f"a text in it is damaged: {error}") from error
    except sqlite3.OperationalError as error:
        # A table or a column that is missing is another program's schema; the rest of these
        # (locked, a full disk, no permission) is not the file's fault.
        if "no such" in str(error) or "has no column" in str(error):
            raise DamagedError(f"it is no history of this suite: {error}") from error
        if "Could not decode" in str(error):
            raise DamagedError(f"a text in it is damaged: {error}") from error
        raise
    except (sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.InterfaceError):
        raise
    except sqlite3.DatabaseError as error:
        raise DamagedError(f"it is damaged: {error}") from error


def _check_file(path: Path) -> None:
    """Raise DamagedError where the file is shorter than its header says.

    SQLite would find that out only once it came to a page that is missing. While a journal is being
    copied into the file, or is left of a process that was killed at it, the rest is there.
    """
    problem = None
    for _ in range(LOOKS):
        problem = _problem(path)
        if problem is None:
            return
        with contextlib.suppress(OSError):
            if path.with_name(f"{path.name}-wal").stat().st_size:
                return
        time.sleep(RETRY_S)
    raise DamagedError(f"it is damaged: {problem}")


def _problem(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            header = file.read(HEADER_BYTES)
            size = os.fstat(file.fileno()).st_size
    except FileNotFoundError:
        return None
    if not header:
        return None  # what SQLite makes of it is a new database
    if not header.startswith(b"SQLite format 3\0"):
        return "it is no SQLite database"
    if len(header) < HEADER_BYTES:
        return "it is cut short"
    page = int.from_bytes(header[16:18], "big")
    whole = int.from_bytes(header[28:32], "big") * (65536 if page == 1 else page)
    return f"{size} of {whole} bytes are left" if size < whole else None


def _prepare(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA synchronous = NORMAL")
    if _number(connection, "user_version") == SCHEMA:
        if _number(connection, "application_id") != APPLICATION_ID:
            raise DamagedError("it is no history of this suite")
        return
    _keep_a_journal(connection)
    with transaction(connection):
        version = _number(connection, "user_version")
        if version > SCHEMA:
            raise DamagedError(f"it has schema {version}, and this version knows up to {SCHEMA}")
        tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        ours = _number(connection, "application_id") == APPLICATION_ID
        if (tables or version) and not ours:
            raise DamagedError("it is no history of this suite")
        for step in MIGRATIONS[version:]:
            for statement in step.split(";"):
                if statement.strip():
                    connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {SCHEMA}")


def _keep_a_journal(connection: sqlite3.Connection) -> None:
    """Have the database write ahead. Raises sqlite3.OperationalError where others never let it.

    For this change SQLite does not wait while another process has the new file open, as it does for
    every other: it says at once that the database is locked.
    """
    until = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > until:
                raise
        time.sleep(RETRY_S)


def _number(connection: sqlite3.Connection, pragma: str) -> int:
    return int(connection.execute(f"PRAGMA {pragma}").fetchone()[0])
