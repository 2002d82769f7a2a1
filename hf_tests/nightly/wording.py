"""How statuses and long texts are said in one line."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable

from hf_tests import outcome
from hf_tests.outcome import CheckResult

WIDTH = 80  # columns of a terminal


def status_words(status: str) -> str:
    """A status as it is read: ``expected failure``."""
    return status.replace("_", " ")


def count_statuses(results: Iterable[CheckResult]) -> str:
    """``2 passed, 1 skipped``, in the order of `outcome.STATUSES`."""
    found = Counter(result.status for result in results)
    return ", ".join(
        f"{found[status]} {status_words(status)}" for status in outcome.STATUSES if found[status]
    )


def one_line(text: str, width: int) -> str:
    """The text without line breaks or control characters, cut to ``width`` characters.

    Messages come out of models and libraries; what steers a terminal is left out.
    """
    start = len(text) - len(text.lstrip(" "))
    words = " ".join(text.split())
    plain = " " * start + "".join(item if item.isprintable() else "?" for item in words)
    return plain if len(plain) <= width else plain[: width - 3] + "..."


def wrapped(text: str, first: str = "  ", others: str = "    ") -> list[str]:
    """The text in lines of a terminal's width, each with its indent; long words stay whole."""
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=first,
        subsequent_indent=others,
        break_long_words=False,
        break_on_hyphens=False,
    )
