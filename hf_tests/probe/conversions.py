"""Models converted for OpenVINO, kept from run to run."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hf_tests import cache, checkpoint_files, dependencies, filenames
from hf_tests.job import Job

FACTS = "conversion.json"
VERSION = 3
"""Part of each name: raised when something other than the versions changes what is made."""

LIBRARIES = ("openvino", "optimum-intel", "optimum", "nncf", "transformers", "torch")

STREAM_ERROR = "iostream error"
FULL_BYTES = 1 << 20  # a disk with less than this left is full: what was cut short took the rest

Convert = Callable[[Path], Mapping[str, Any]]
"""Converts into a folder; returns what must be known to load it again, in JSON types."""


@dataclass(frozen=True)
class Conversion:
    """A converted model: its folder, the seconds that converting took, and if that was earlier.

    ``facts`` are what the converting function returned; ``keeper`` keeps a folder that is not in
    the cache for as long as this object.
    """

    folder: Path
    seconds: float
    cached: bool
    facts: Mapping[str, Any]
    keeper: Any = None


def obtain(job: Job, checkpoint: Path, options: Mapping[str, Any], convert: Convert) -> Conversion:
    """The checkpoint's conversion, from the cache where it has one, else made now.

    ``options`` are all that ``convert`` depends on beside checkpoint and versions. An entry whose
    files are not those that were written is made anew. Raises what ``convert`` raises.
    """
    if job.convert_anew:
        keeper = tempfile.TemporaryDirectory(prefix="conversion-", ignore_cleanup_errors=True)
        return _make(Path(keeper.name), convert, keeper)
    target = place(job, checkpoint, options)
    found = _read(target)
    if found is not None:
        cache.use(target)
        return found
    cache.remove(target)
    with cache.making(target) as temporary:
        made = _make(temporary, convert)
    cache.trim(Path(job.cache_dir), "openvino", job.cache_limit_gb * cache.GB, keep=target)
    return Conversion(target, made.seconds, False, made.facts)


def place(job: Job, checkpoint: Path, options: Mapping[str, Any]) -> Path:
    """Where the cache keeps a conversion.

    The job's dtype is no part of its name: weights are converted as the checkpoint has them, and
    OpenVINO computes in the dtype that it is told when it compiles.
    """
    # A tiny checkpoint's folder is named by a digest of all that its bytes depend on.
    tiny = job.weights == "tiny"
    data = {
        "version": VERSION,
        "checkpoint": checkpoint.name if tiny else checkpoint_files.digest(checkpoint),
        "options": dict(options),
        **dependencies.versions(LIBRARIES),
    }
    key = hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:16]
    return Path(job.cache_dir) / "openvino" / f"{filenames.escape(job.model.id)}-{key}"


def _make(folder: Path, convert: Convert, keeper: Any = None) -> Conversion:
    start = time.perf_counter()
    with _looking_at_the_disk(folder):
        facts = dict(convert(folder))
    seconds = time.perf_counter() - start
    files = {
        path.relative_to(folder).as_posix(): checkpoint_files.file_digest(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    document = {"seconds": seconds, "facts": facts, "files": files}
    (folder / FACTS).write_text(json.dumps(document, indent=1), encoding="utf-8")
    return Conversion(folder, seconds, False, facts, keeper)


@contextlib.contextmanager
def _looking_at_the_disk(folder: Path) -> Iterator[None]:
    """Say that a disk is full, where one is: OpenVINO only says that its stream had an error."""
    try:
        yield
    except Exception as error:
        if STREAM_ERROR in str(error):
            for place in (folder, Path(tempfile.gettempdir())):
                if shutil.disk_usage(place).free < FULL_BYTES:
                    full = os.strerror(errno.ENOSPC)
                    raise OSError(errno.ENOSPC, full, str(place)) from error
        raise


def _read(folder: Path) -> Conversion | None:
    """The entry, where it is there and every file of it is as it was written."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
        document = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        facts, seconds = dict(document["facts"]), float(document["seconds"])
        files = dict(document["files"])
        # The names are looked up among those that are there: none of them leads out of it.
        there = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*")}
        if files and all(
            name in there and checkpoint_files.file_digest(there[name]) == wanted
            for name, wanted in files.items()
        ):
            return Conversion(folder, seconds, True, facts)
    return None
