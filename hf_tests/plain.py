"""What models and libraries write, made fit to show and to keep.

Messages are bounded and without control characters. JSON is such as any program reads: a half of a
surrogate pair is no character of UTF-8, and NaN and infinity are no numbers of JSON.
"""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

MESSAGE_CHARACTERS = 1000
TAIL_LINES = 50
TAIL_BYTES = 16 * 1024

_DECODER = json.JSONDecoder(parse_constant=lambda name: None)

_TERMINAL = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)?|.)")
"""What steers a terminal (ECMA-48): control sequences, titles, and single characters."""

_STACK = re.compile(r"^(Fatal Python error: |Timeout \(\d)", re.MULTILINE)
"""How a stack begins that the standard library's faulthandler writes."""


def message(text: str) -> str:
    """The text in one line of at most `MESSAGE_CHARACTERS`."""
    line = _printable(" ".join(text.split()))
    return line if len(line) <= MESSAGE_CHARACTERS else f"{line[: MESSAGE_CHARACTERS - 3]}..."


def loads(text: str) -> Any:
    """The value of a JSON text, with None for NaN and infinity, and ``?`` for half a character.

    Raises ValueError where it is no JSON, or nested too deep to be read.
    """
    try:
        value = _DECODER.decode(text)
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    if "\\u" not in text:  # halves of pairs come as escapes only, and are looked for in few texts
        return value
    return json.loads(encoded(json.dumps(value, ensure_ascii=False)))


def encoded(text: str) -> bytes:
    """The text in UTF-8, with ``?`` for half a character."""
    return text.encode("utf-8", "replace")


def finite(value: Any) -> Any:
    """A JSON value with None in the place of NaN and infinity."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in value]
    return value


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
