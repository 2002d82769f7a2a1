"""The stream of a job: JSON Lines that its process appends and that outlive it.

Every line is one event, an object with ``event``: ``start``, ``ready`` (libraries are imported),
``check_started``, ``check`` (with its CheckResult), ``end``; and from the parent, once the process
has ended, ``ended``. A process that dies leaves at most one torn line, which is passed over when
reading.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from hf_tests import plain
from hf_tests.outcome import CheckResult

VERSION = 1


DISK_FULL = 74
"""Exit status of a process whose stream could not be written (sysexits.h, EX_IOERR)."""

FULL_ERRORS = (errno.ENOSPC, errno.EDQUOT)
"""What a system says of a disk without room, and of a quota that is used up."""

ROOM_BYTES = 64 << 10  # a disk with less than this left is full: a job's log and stream need more


class Writer:
    """Appends events to a job's stream, each written through before the next step begins.

    ``fault`` is the error of a write that failed: what was to be written is lost or torn.
    """

    def __init__(self, path: Path) -> None:
        # A predecessor may have left a torn line: begin on a new one.
        torn = path.exists() and path.read_bytes()[-1:] not in (b"", b"\n")
        self.fault: OSError | None = None
        self._path = path
        self._file = path.open("a", encoding="utf-8")
        if torn:
            self._file.write("\n")

    def write(self, event: str, **fields: Any) -> None:
        """Append one event with the time on the machine's monotonic clock.

        Raises OSError, then and ever after, when the disk is full.
        """
        if self.fault is not None:
            raise self.fault
        line = {"event": event, "version": VERSION, "clock": time.monotonic(), **fields}
        try:
            self._file.write(json.dumps(line) + "\n")
            self._file.flush()
        except OSError as error:
            self.fault = error
            raise

    def result(self, result: CheckResult) -> None:
        """Append a check's result.

        Raises OSError, as `write` does, also where the check failed for want of room on the disk
        that the stream is on: that is no outcome of the model, and the job is to be run again.
        """
        if result.error_type == "disk_full" and self.fault is None and is_full(self._path):
            self.fault = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._path))
        self.write("check", result=result.to_json())

    def close(self) -> None:
        """Close the file; what was written stays."""
        try:
            self._file.close()
        except OSError as error:  # what a failed write has left in the buffer
            self.fault = self.fault or error


def is_full(path: Path) -> bool:
    """Whether the disk that a stream is on has no room for another job's."""
    return shutil.disk_usage(path.parent).free < ROOM_BYTES


def read(path: Path) -> Iterator[dict[str, Any]]:
    """The whole events of a stream in order; torn or foreign lines are passed over.

    What the process wrote that JSON files cannot hold is made fit (`plain`): NaN and infinity are
    None, half a character is ``?``.
    """
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return
    for line in lines:
        try:
            event = plain.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict) and event.get("version") == VERSION and "event" in event:
            yield event


def results(events: Iterable[Mapping[str, Any]]) -> list[CheckResult]:
    """The check results among events; one that has another form is passed over."""
    found = []
    for event in events:
        if event["event"] == "check":
            try:
                found.append(CheckResult.from_json(event["result"]))
            except (KeyError, TypeError, ValueError):
                continue
    return found
