"""Environments that really lack a library: this one's packages, linked, without its files."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import subprocess
import sys
import sysconfig
from pathlib import Path


def bare(folder: Path, *distributions: str) -> str:
    """Make an environment with nothing but these distributions; returns its interpreter."""
    python, site = _environment(folder)
    for name in distributions:
        for entry in _files(name)[0]:
            _link(entry, site / entry.name)
    return python


def without(folder: Path, *distributions: str) -> str:
    """Make an environment with all that is installed here but these; returns its interpreter."""
    python, site = _environment(folder)
    found = [_files(name) for name in distributions]
    tops = {entry for entries, _ in found for entry in entries}
    files = {file for _, inside in found for file in inside}
    owners = importlib.metadata.packages_distributions()
    for packages in _sites():
        for entry in packages.iterdir():
            if entry not in tops:
                _link(entry, site / entry.name)
            elif not set(owners.get(entry.name, ())) <= set(distributions):
                _link_rest(entry, site / entry.name, files)  # a folder that others use too
    return python


def _environment(folder: Path) -> tuple[str, Path]:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    where = "import sysconfig; print(sysconfig.get_path('purelib'))"
    done = subprocess.run(
        [python, "-c", where], check=True, stdout=subprocess.PIPE, encoding="utf-8"
    )
    return str(python), Path(done.stdout.strip())


def _sites() -> set[Path]:
    return {Path(sysconfig.get_path(name)) for name in ("purelib", "platlib")}


def _files(distribution: str) -> tuple[set[Path], set[Path]]:
    """What a distribution has put directly into the folder of packages, and all its files there."""
    files = importlib.metadata.files(distribution)
    assert files, f"{distribution} is not installed here, or has no list of its files"
    inside = [file for file in files if file.parts[0] != ".."]
    root = Path(str(inside[0].locate())).parents[len(inside[0].parts) - 1]
    return {root / file.parts[0] for file in inside}, {root.joinpath(*f.parts) for f in inside}


def _link_rest(folder: Path, target: Path, left_out: set[Path]) -> None:
    target.mkdir()
    for entry in folder.iterdir():
        if entry in left_out or entry.name == "__pycache__":
            continue
        if entry.is_dir() and any(entry in file.parents for file in left_out):
            _link_rest(entry, target / entry.name, left_out)
            with contextlib.suppress(OSError):  # else it could be imported, and hold nothing
                (target / entry.name).rmdir()
        else:
            _link(entry, target / entry.name)


def _link(entry: Path, target: Path) -> None:
    if not target.exists():
        target.symlink_to(entry, target_is_directory=entry.is_dir())
