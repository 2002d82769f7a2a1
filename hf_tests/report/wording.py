"""How figures and foreign texts are shown: units that read well, and nothing that is not seen."""

from __future__ import annotations

import json
import re
from typing import Any

# Terminal colours, cursor movements, window titles: a log has them, a page has no use for them.
_TERMINAL = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]{0,200}(\x07|\x1b\\)|[@-Z\\^_])")
_UNSEEN = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    r"\ufff9-\ufffb\ufffe\uffff\ud800-\udfff\U000e0000-\U000e007f]"
)


def visible(text: str) -> str:
    """The text with what would not be seen, or would turn the rest round, written out.

    Control characters have symbols of their own; those that set the direction of writing, join or
    have no width are written by number. XML allows none of the former, and a page whose text runs
    backwards from some character on can be made to say something else than its file.
    """
    if text.isascii() and text.isprintable():
        return text
    return _UNSEEN.sub(_named, _TERMINAL.sub("", text.replace("\r\n", "\n")))


def _named(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code < 0x20:
        return chr(0x2400 + code)
    return "\u2421" if code == 0x7F else f"\u27e8U+{code:04X}\u27e9"


def seconds(value: float | None) -> str:
    """``0.36 ms``, ``12.3 ms``, ``1.20 s``, ``3 min 20 s``: three digits, in the unit that fits."""
    if value is None:
        return ""
    if value >= 100:
        minutes, rest = divmod(round(value), 60)
        hours, minutes = divmod(minutes, 60)
        return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
    if value >= 1:
        return f"{_three(value)} s"
    return f"{_three(value * 1e3)} ms" if value >= 1e-4 else f"{_three(value * 1e6)} µs"


def mebibytes(value: float | None) -> str:
    """``0.19 MiB``, ``521 MiB``, ``13.1 GiB``."""
    if value is None:
        return ""
    return f"{_three(value)} MiB" if value < 10_000 else f"{_three(value / 1024)} GiB"


def count(value: float | None) -> str:
    """``47,887``; fractions only of small numbers."""
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 1000 or float(value).is_integer() else _three(value)


def scientific(value: float | None) -> str:
    """``0``, ``4.47e-07``, ``0.0123``: for errors, whose order is what matters."""
    return "" if value is None else f"{value:.3g}"


def share(value: float | None) -> str:
    """``100 %``, ``99.7 %``, and never 100 for what is less."""
    if value is None:
        return ""
    percent = value * 100
    if percent >= 99.95 and value < 1:
        return "> 99.9 %"
    return f"{percent:.1f}".removesuffix(".0") + " %"


def value(item: Any, limit: int = 300) -> str:
    """A value out of a model's file in one short text."""
    if isinstance(item, float):
        return f"{item:.4g}"
    text = item if isinstance(item, str) else json.dumps(item, ensure_ascii=False)
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def _three(number: float) -> str:
    """Three digits, and all of those before the point."""
    if number == 0:
        return "0"
    size = abs(number)
    digits = 0 if size >= 99.95 else 1 if size >= 9.995 else 2
    return f"{number:,.{digits}f}" if size >= 0.0995 else f"{number:.2g}"
