"""A reversible escape that makes a file name of any model id, path or device name."""

from __future__ import annotations

import functools
import hashlib
from urllib.parse import quote, unquote

MAX_BYTES = 160  # most file systems allow 255; a job's name holds three parts and a suffix


@functools.lru_cache(maxsize=1024)
def escape(name: str) -> str:
    """One safe path component: letters, digits, ``_.-~`` stay, all else is %XX.

    A leading dot is escaped too, so that no result is hidden and none can be ``..``. A name that
    would be too long keeps its end and gets a digest of the whole; that one case is not reversible.
    """
    escaped = quote(name, safe="")
    if escaped.startswith("."):
        escaped = "%2E" + escaped[1:]
    if len(escaped) > MAX_BYTES:
        digest = hashlib.sha256(name.encode()).hexdigest()[:16]
        tail = escaped[-(MAX_BYTES - 20) :].lstrip("%.")
        escaped = f"{digest}...{tail}"
    return escaped


def unescape(component: str) -> str:
    """The name that `escape` was given."""
    return unquote(component)
