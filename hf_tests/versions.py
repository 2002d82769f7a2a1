"""Versions and ranges of versions, as far as dependencies state them (PEP 440 without epochs).

Our own, since it must also work where nothing but Python is installed.
"""

from __future__ import annotations

import re

_CLAUSE = re.compile(r"(===|~=|==|!=|<=|>=|<|>)\s*([^\s,]+)")
_REQUIREMENT = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^]]*\])?\s*\(?([^;)]*)\)?")
_PRE_RELEASE = re.compile(r"\d(a|b|c|rc|alpha|beta|\.?dev|-?pre)\d*")

TOO_OLD, TOO_NEW, EXCLUDED = "is too old", "is too new", "does not fit"


def requirement(text: str) -> tuple[str, str]:
    """Name and range of ``sentencepiece>=0.2``; the range may be empty."""
    match = _REQUIREMENT.match(text.strip())
    if match is None:
        raise ValueError(f"{text!r} names no distribution")
    return match[1], match[2].strip()


def matches(installed: str, specifier: str) -> bool:
    """Whether a version lies in a range such as ``>=4.51,<5.6``; an empty one has all."""
    return misfit(installed, specifier) is None


def misfit(installed: str, specifier: str) -> str | None:
    """How a version misses a range, in words that follow its name; None where it is in it."""
    release, is_final = _release(installed), not _PRE_RELEASE.search(_public(installed))
    for operator, text in _CLAUSE.findall(specifier):
        wanted = _release(text)
        prefix = release[: len(wanted)] + (0,) * (len(wanted) - len(release))
        one, other = _padded(release, wanted)
        older = one < other or (one == other and not is_final and not _PRE_RELEASE.search(text))
        if operator in (">=", "~=") and older:
            return TOO_OLD
        if operator == ">" and one <= other:
            return TOO_OLD
        if operator == "~=" and prefix[:-1] != wanted[:-1]:
            return TOO_NEW
        if operator == "<=" and one > other:
            return TOO_NEW
        if operator == "<" and one >= other:  # a pre-release of the bound is not below it
            return TOO_NEW
        if operator in ("==", "!=", "==="):
            equal = prefix == wanted if text.endswith(".*") else one == other
            if equal is (operator == "!="):
                return EXCLUDED
    return None


def joined(*specifiers: str) -> str:
    """One range of what lies in all of these; of bounds of one kind the narrowest is left."""
    clauses: dict[str, list[str]] = {}
    for operator, text in _CLAUSE.findall(",".join(specifiers)):
        clauses.setdefault(operator, []).append(text)
    for operator, narrowest in ((">=", max), ("<", min)):
        if operator in clauses:
            clauses[operator] = [narrowest(clauses[operator], key=_release)]
    return ",".join(
        operator + text for operator, texts in clauses.items() for text in dict.fromkeys(texts)
    )


def _public(version: str) -> str:
    return version.partition("+")[0].lower()


def _release(version: str) -> tuple[int, ...]:
    """The numbers of the release: (2, 13, 0) of ``2.13.0rc1+cpu``."""
    found = re.match(r"v?(\d+(?:\.\d+)*)", _public(version))
    return tuple(int(part) for part in found[1].split(".")) if found else (0,)


def _padded(one: tuple[int, ...], other: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
    length = max(len(one), len(other))
    return tuple(item + (0,) * (length - len(item)) for item in (one, other))
