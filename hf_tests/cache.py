"""What the framework keeps of its own between runs: tiny checkpoints, converted models and weights.

Each entry is a folder ``<cache>/<kind>/<name>``. It is made under a temporary name and renamed, so
that it is whole whenever it is seen; its own time of change says when it was last used.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

KINDS: dict[str, str] = {
    "tiny": "tiny checkpoints",
    "openvino": "models converted for OpenVINO",
    "unpickled": "weights taken out of pickles",
}
"""The kinds of entries: their folder, and what they are."""

MAKING = ".making-"
ABANDONED_S = 24 * 3600.0  # what is being made for longer was given up
DEFAULT_LIMIT_GB = 20.0
GB = 10**9


@dataclass(frozen=True)
class Entry:
    """One entry: its folder, its size in bytes, and when it was last used (seconds, Unix time)."""

    path: Path
    size: int
    used: float


def default_folder(environment: Mapping[str, str] = os.environ) -> str:
    """Where the cache is: HF_TESTS_CACHE, or in the user's cache folder."""
    if environment.get("HF_TESTS_CACHE"):
        return str(Path(environment["HF_TESTS_CACHE"]).expanduser().resolve())
    if sys.platform == "win32":
        base = Path(environment.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(environment.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return str(base / "hf-tests")


def limit_gb(environment: Mapping[str, str] = os.environ) -> float:
    """The most that converted models may take: HF_TESTS_CACHE_GB, or 20 GB. Raises ValueError."""
    text = environment.get("HF_TESTS_CACHE_GB")
    if not text:
        return DEFAULT_LIMIT_GB
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1e9:
        raise ValueError(f"HF_TESTS_CACHE_GB is {text!r}, and no number of GB")
    return value


def entries(cache: Path, kind: str) -> list[Entry]:
    """The entries of a kind, the least recently used first; those being made are not among them."""
    found = []
    for path in _folders(cache, kind):
        if not path.name.startswith("."):
            with contextlib.suppress(OSError):  # another process removes it meanwhile
                found.append(Entry(path, size_of(path), path.stat().st_mtime))
    return sorted(found, key=lambda entry: (entry.used, entry.path.name))


def size_of(folder: Path) -> int:
    """Bytes of all files under a folder."""
    size = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):
            size += path.lstat().st_size if not path.is_dir() else 0
    return size


def use(entry: Path) -> None:
    """Note that an entry is used now."""
    with contextlib.suppress(OSError):  # a cache that can only be read serves as well
        os.utime(entry)


@contextlib.contextmanager
def making(target: Path) -> Iterator[Path]:
    """A temporary folder that becomes the entry ``target`` when the block ends well.

    Of several processes that make the same entry, the first to finish wins.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=MAKING, dir=target.parent))
    try:
        yield temporary
        temporary.chmod(0o755)
        try:
            os.rename(temporary, target)
        except OSError:
            if not target.is_dir():
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def remove(entry: Path) -> None:
    """Remove an entry; it is gone at once, whoever looks, and its files soon after."""
    doomed = entry.with_name(f"{MAKING}{os.getpid()}-{time.monotonic_ns()}")
    with contextlib.suppress(OSError):
        os.rename(entry, doomed)
        shutil.rmtree(doomed, ignore_errors=True)


def trim(cache: Path, kind: str, limit: float, keep: Path | None = None) -> list[Entry]:
    """Remove the least recently used entries until the rest is within ``limit`` bytes.

    ``keep`` is an entry in use, which stays even where it alone is larger. What was begun long ago
    and never finished goes too. Returns the entries that were removed.
    """
    for path in _folders(cache, kind):
        with contextlib.suppress(OSError):
            if path.name.startswith(".") and time.time() - path.stat().st_mtime > ABANDONED_S:
                shutil.rmtree(path, ignore_errors=True)
    kept = entries(cache, kind)
    total, removed = sum(entry.size for entry in kept), []
    for entry in kept:
        if total <= limit:
            break
        if entry.path == keep:
            continue
        remove(entry.path)
        removed.append(entry)
        total -= entry.size
    return removed


def clear(cache: Path, kind: str) -> list[Entry]:
    """Remove all entries of a kind, and what was begun; returns the entries."""
    removed = entries(cache, kind)
    for path in _folders(cache, kind):
        shutil.rmtree(path, ignore_errors=True)
    return removed


def _folders(cache: Path, kind: str) -> list[Path]:
    try:
        return [path for path in (cache / kind).iterdir() if path.is_dir()]
    except OSError:
        return []
