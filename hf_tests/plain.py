"""Texts that models and libraries write, made fit to show: bounded, without control characters."""

from __future__ import annotations

import re
from pathlib import Path

MESSAGE_CHARACTERS = 1000
TAIL_LINES = 50
TAIL_BYTES = 16 * 1024

_TERMINAL = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)?|.)")
"""What steers a terminal (ECMA-48): control sequences, titles, and single characters."""

_STACK = re.compile(r"^(Fatal Python error: |Timeout \(\d)", re.MULTILINE)
"""How a stack begins that the standard library's faulthandler writes."""


def message(text: str) -> str:
    """The text in one line of at most `MESSAGE_CHARACTERS`."""
    line = _printable(" ".join(text.split()))
    return line if len(line) <= MESSAGE_CHARACTERS else f"{line[: MESSAGE_CHARACTERS - 3]}..."


def log_tail(log: Path) -> str | None:
    """The last `TAIL_LINES` lines of a log, within `TAIL_BYTES`; None where it says nothing.

    Of a line that a progress bar has written over and over, its last state is left.
    """
    try:
        with log.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - TAIL_BYTES))
            text = file.read().decode("utf-8", errors="replace")
    except OSError:
        return None
    lines = text.rstrip().split("\n")
    if size > TAIL_BYTES and len(lines) > 1:
        del lines[0]  # most likely its end only
    lines = [_printable(line.rstrip("\r").rpartition("\r")[2]) for line in lines[-TAIL_LINES:]]
    return "\n".join(lines).strip("\n") or None


def stack(tail: str | None) -> str | None:
    """The stack that a process which died or hung has left at the end of its log, if any."""
    starts = [match.start() for match in _STACK.finditer(tail or "")]
    return tail[starts[-1] :] if tail and starts else None


def _printable(line: str) -> str:
    line = _TERMINAL.sub("", line).replace("\t", "    ")
    return "".join(item if item.isprintable() else "?" for item in line)
