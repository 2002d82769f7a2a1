"""The Hub client's cache on this machine, looked at without importing the client."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path

from hf_tests import checkpoint_files


def folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Where the client keeps repositories: HF_HUB_CACHE, or below HF_HOME or the user's cache."""
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if environment.get(name):
            return Path(environment[name]).expanduser()
    home = environment.get("HF_HOME")
    if not home:
        home = f"{environment.get('XDG_CACHE_HOME') or '~/.cache'}/huggingface"
    return Path(home).expanduser() / "hub"


def snapshot(cache: Path, model_id: str, revision: str | None = None) -> Path | None:
    """A model's snapshot where its weights are all there as safetensors; else None."""
    parts = model_id.split("/")
    if len(parts) > 2 or any(part in ("", ".", "..") for part in parts):
        return None  # no name of the Hub's
    repository = cache / f"models--{'--'.join(parts)}"
    commit = revision or "main"
    with contextlib.suppress(OSError):  # a commit is its own name
        commit = (repository / "refs" / commit).read_text(encoding="utf-8").strip()
    found = repository / "snapshots" / Path(commit).name
    if not (found / "config.json").is_file() or not checkpoint_files.weight_files(found):
        return None
    return found
