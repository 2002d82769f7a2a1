"""What the framework keeps of its own: tiny checkpoints, converted models, unpickled weights."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

from hf_tests import cache
from hf_tests.nightly.usage import UsageError

DAY_S = 24 * 3600.0


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "--clear",
        nargs="*",
        choices=tuple(cache.KINDS),
        metavar="KIND",
        help=f"remove what is kept, all or one of: {', '.join(cache.KINDS)}",
    )
    parser.add_argument("--json", action="store_true", help="as JSON")
    parser.add_argument("--cache-dir", metavar="DIR", default="", help="in place of the usual one")


def run(options: argparse.Namespace) -> int:
    """Show what is kept, or remove it; returns the exit status."""
    folder = Path(options.cache_dir or cache.default_folder()).expanduser().resolve()
    if options.cache_dir and not folder.is_dir():
        raise UsageError(f"{folder} is not a folder.")
    cleared = options.clear is not None
    kinds = tuple(dict.fromkeys(options.clear or cache.KINDS)) if cleared else tuple(cache.KINDS)
    find = cache.clear if cleared else cache.entries
    found = {kind: find(folder, kind) for kind in kinds}
    if options.json:
        document = {
            "folder": str(folder),
            "cleared": cleared,
            "kinds": {kind: _described(entries) for kind, entries in found.items()},
        }
        print(json.dumps(document, indent=2))
        return 0
    print(f"{folder}: {'removed' if cleared else 'kept'}")
    for kind, entries in found.items():
        size = sum(entry.size for entry in entries)
        used = max((entry.used for entry in entries), default=None)
        last = f"  last used {_ago(used)}" if used is not None else ""
        print(f"{kind:9} {len(entries):5}  {_size(size):>9}  {cache.KINDS[kind]}{last}")
    if cleared:
        left = [str(entry.path) for entries in found.values() for entry in entries]
        left = [path for path in left if Path(path).exists()]
        if left:
            raise UsageError(f"{left[0]} and {len(left) - 1} more cannot be removed.")
    return 0


def _described(entries: list[cache.Entry]) -> dict[str, object]:
    return {
        "count": len(entries),
        "size": sum(entry.size for entry in entries),
        "last_used": max((entry.used for entry in entries), default=None),
    }


def _size(count: int) -> str:
    if count >= cache.GB:
        return f"{count / cache.GB:.1f} GB"
    return f"{count / 10**6:.1f} MB"


def _ago(used: float) -> str:
    seconds = max(0.0, time.time() - used)
    if seconds < 120:
        return "just now"
    if seconds < 2 * 3600:
        return f"{seconds / 60:.0f} minutes ago"
    if seconds < 2 * DAY_S:
        return f"{seconds / 3600:.0f} hours ago"
    return f"{seconds / DAY_S:.0f} days ago"
