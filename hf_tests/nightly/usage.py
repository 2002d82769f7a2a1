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
