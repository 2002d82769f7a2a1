"""What the auto-classes of the installed transformers say: its model types, and their classes.

A process of its own imports the library, once for each version; the answer is kept.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hf_tests import dependencies
from hf_tests.nightly.store import write_bytes
from hf_tests.nightly.usage import UsageError

QUERY_TIMEOUT_S = 300.0
KEPT_AS = "model-types-{}.json"
ROOT = Path(__file__).resolve().parents[2]

Tables = Mapping[str, Mapping[str, Sequence[str]]]
"""Model type to its classes, and each class to the auto-classes' tables that it stands in."""


def of_installed(cache_dir: Path) -> Tables:
    """The tables of the installed transformers.

    Raises UsageError where it is not installed or cannot be imported.
    """
    version = dependencies.version("transformers")
    if version is None:
        raise UsageError(f"{dependencies.unmet(['transformers'])}")
    path = cache_dir / KEPT_AS.format(version)
    known = kept(path)
    if known is None:
        known = ask("hf_tests.probe.model_types")
        with contextlib.suppress(OSError):
            write_bytes(path, json.dumps(known).encode())
    return known


def kept(path: Path) -> dict[str, Any] | None:
    """The JSON object in a file; None where there is none that can be read."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def ask(module: str, *arguments: str) -> dict[str, Any]:
    """The JSON object that a module of `hf_tests.probe` prints, run in a process of its own.

    Raises UsageError where it fails, with the last line of what it said.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-m", module, *arguments],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=QUERY_TIMEOUT_S,
            check=True,
        )
        found = json.loads(done.stdout.splitlines()[-1])
    except subprocess.CalledProcessError as error:
        last = (error.stderr.strip().splitlines() or ["no message"])[-1]
        raise UsageError(f"transformers cannot be asked: {last}") from None
    except (OSError, subprocess.TimeoutExpired, ValueError, IndexError) as error:
        raise UsageError(f"transformers does not answer: {error}") from None
    assert isinstance(found, dict)
    return found
