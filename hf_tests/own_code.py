"""Code that a checkpoint brings along: whether it may be run, and whose it may be.

It is run where two agree: the model's entry in the registry (``own_code``), whose revision pins
what was read once, and whoever starts the run (``--trust-remote-code``).
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hf_tests import plain
from hf_tests.job import Job

KIND = "remote_code_required"
FILES = "*.py"
COMMIT = re.compile(r"[0-9a-f]{40}")
ELSEWHERE = "--"
"""Between a repository and a module, where a checkpoint names another repository's code."""


class UnaskedCode(Exception):
    """The checkpoint wants its own code to be run, and nobody else does."""


class ForeignCode(Exception):
    """The checkpoint wants code that is not its own."""


def barred(job: Job) -> dict[str, str] | None:
    """The fields of a result that say why a job may not run its model; None where it may."""
    if not job.model.own_code:
        return None
    needs = f"{job.model.id} needs code of its own"
    kind = KIND
    if job.weights == "tiny":
        reason = f"{needs}, of which no tiny checkpoint is built: test a folder, or --weights hub"
        kind = "unsupported"
    elif not job.trusted:
        reason = f"{needs}, which is run only with --trust-remote-code {shlex.quote(job.model.id)}"
    elif job.weights == "hub" and not COMMIT.fullmatch(job.model.revision or ""):
        reason = (
            f"{needs}, and its entry in the registry pins no commit: it would be other code "
            'tomorrow. Give its "revision" as 40 digits'
        )
    else:
        return None
    return {"reason": reason, "error_type": kind, "stage": "import"}


def check(folder: Path) -> None:
    """Raise ForeignCode where a checkpoint names code of another repository than its own."""
    for path in sorted(folder.glob("*.json")):
        try:
            settings = plain.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue  # whoever needs it will say so
        for reference in _references(settings):
            if ELSEWHERE in reference:
                raise ForeignCode(
                    f"{path.name} names code of another repository, which is never run: {reference}"
                )


def class_reference(folder: Path, name: str) -> str | None:
    """How a checkpoint's config.json names its own class, as in ``modeling_own.OwnModel``."""
    settings = plain.loads((folder / "config.json").read_text(encoding="utf-8"))
    for reference in _references(settings):
        if reference.rpartition(".")[2] == name:
            return reference
    return None


def _references(settings: Any) -> Iterator[str]:
    """All that an ``auto_map`` names: a class, or a slow and a fast one of tokenizers."""
    found = settings.get("auto_map") if isinstance(settings, dict) else None
    for value in found.values() if isinstance(found, dict) else ():
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, str):
                yield item
