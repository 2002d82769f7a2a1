"""UsageError: what a person asked for cannot be, said in one sentence."""

from __future__ import annotations

from collections.abc import Iterable

from hf_tests.registry import nearest


class UsageError(Exception):
    """Wrong arguments or a wrong registry; the message is all that the person sees."""


def unknown(kind: str, name: str, known: Iterable[str], then: str = "") -> UsageError:
    """The error for a name that is not known, with the nearest ones that are."""
    near = nearest(name, known)
    suggestion = f"; did you mean {' or '.join(near)}?" if near else "."
    return UsageError(f"unknown {kind} {name!r}{suggestion}{' ' + then if then else ''}")


def check_text(name: str) -> str:
    """The name itself. Raises UsageError where it is no UTF-8, and so fits into no result file."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        raise UsageError(
            f"the name {name!r} is not UTF-8, so no file can tell of it: rename it."
        ) from None
    return name
