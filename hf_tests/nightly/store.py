"""The files of a run: where each lies, and how it is written so that none is seen half-written."""

from __future__ import annotations

import contextlib
import functools
import json
import math
import os
import tempfile
import time
from collections.abc import Callable
from json.encoder import encode_basestring
from pathlib import Path
from typing import Any, TextIO

from hf_tests import filenames, plain
from hf_tests.job import Job
from hf_tests.nightly.usage import UsageError

LATEST = "latest"
MIB = 1024 * 1024
LOG_BYTES = 8 * MIB  # a longer log keeps half as much of its beginning and of its end


NAMES = ("family", "model", "device", "method", "key", "weights", "status")
"""What a row of run.json says of its check in any version."""


class RunFolder:
    """One run's folder under the results folder."""

    def __init__(self, results: Path, run_id: str) -> None:
        self.results = results
        self.run_id = run_id
        self.path = results / run_id
        self._lock: TextIO | None = None

    @classmethod
    def create(cls, results: Path) -> RunFolder:
        """Make the folder of a new run. Raises UsageError where it cannot be written.

        The id is the UTC time and a few letters, so that two runs of one second stay apart.
        """
        try:
            results.mkdir(parents=True, exist_ok=True)
            stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
            path = Path(tempfile.mkdtemp(prefix=f"{stamp}-", dir=results))
            path.chmod(0o755)
            folder = cls(results, path.name)
            for part in (folder.models, folder.jobs, folder.logs):
                part.mkdir()
        except OSError as error:
            raise UsageError(
                f"the results folder {results} cannot be written: {error.strerror or error}"
            ) from error
        return folder

    def lock(self) -> None:
        """Keep other runners out of this run while this process lives.

        Raises UsageError where one is at it already. A system without flock has no lock.
        """
        try:
            import fcntl
        except ImportError:
            return
        self.unlock()
        self._lock = (self.path / ".lock").open("a")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UsageError(f"the run {self.run_id} is still going on.") from None

    def unlock(self) -> None:
        """Let others at this run."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    @functools.cached_property
    def models(self) -> Path:
        """Folder of the merged files, one a model."""
        return self.path / "models"

    @functools.cached_property
    def jobs(self) -> Path:
        """Folder of the jobs' streams."""
        return self.path / "jobs"

    @functools.cached_property
    def logs(self) -> Path:
        """Folder of the jobs' logs."""
        return self.path / "logs"

    @functools.cached_property
    def references(self) -> Path:
        """Folder of the outputs that others are held against, while the run goes on."""
        return (self.path / "references").resolve()

    def stream(self, job: Job) -> Path:
        """The job's stream."""
        return self.jobs / f"{job.name}.jsonl"

    def log(self, job: Job) -> Path:
        """The job's standard output and error."""
        return self.logs / f"{job.name}.log"

    def model_file(self, family: str, model: str) -> Path:
        """The merged file of a model."""
        return self.models / filenames.escape(family) / f"{filenames.escape(model)}.json"

    def make_latest(self) -> None:
        """Point ``results/latest`` to this run: a link, or a file with its id where none can be."""
        temporary = self.results / f".{LATEST}-{self.run_id}"
        target = self.results / LATEST
        with contextlib.suppress(OSError):
            temporary.unlink()
        try:
            temporary.symlink_to(self.run_id, target_is_directory=True)
        except OSError:
            temporary.write_text(self.run_id + "\n", encoding="utf-8")
        os.replace(temporary, target)


def read_run_file(path: Path) -> dict[str, Any]:
    """What a run.json says, at the least in the form that all its readers rely on.

    That is the `NAMES` of every check as texts, and objects where objects have to be; all else may
    be missing, or of another version. Raises OSError where it is not there, ValueError where it is
    torn, or is no run.json.
    """
    document = plain.loads(path.read_text(encoding="utf-8"))
    if not isinstance(document, dict):
        raise ValueError(f"{path} is no JSON object")
    document.setdefault("jobs", [])
    for key, kind in (("metadata", dict), ("checks", list), ("jobs", list)):
        if not isinstance(document.get(key), kind):
            raise ValueError(f"{path}: /{key} is missing, or no {kind.__name__}")
    for key in ("versions", "options", "torch_build"):
        if not isinstance(document["metadata"].setdefault(key, {}), dict):
            raise ValueError(f"{path}: /metadata/{key} is no object")
    for index, row in enumerate(document["checks"]):
        if not isinstance(row, dict) or not all(isinstance(row.get(name), str) for name in NAMES):
            raise ValueError(f"{path}: /checks/{index} does not say what it is of")
    for index, row in enumerate(document["jobs"]):
        if not isinstance(row, dict) or not isinstance(row.get("name"), str):
            raise ValueError(f"{path}: /jobs/{index} does not say what it is of")
    return document


def write_json(path: Path, data: Any, depth: int = 2) -> None:
    """Write a JSON file under a temporary name beside it and rename it into place.

    NaN and infinity are written as null, half a character as ``?``. Objects and arrays down to
    ``depth`` have a line for each item; what is deeper stands in one
    line. That is read with ease, and written five times faster than with ``json``'s own indents.
    """
    write_bytes(path, plain.encoded(f"{_lines(data, depth, chr(10))}\n"))


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file under a temporary name beside it and rename it into place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name[:60]}-", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def _lines(data: Any, depth: int, newline: str) -> str:
    """The JSON text of a value whose line begins as ``newline`` ends."""
    if not depth or not isinstance(data, (dict, list)) or not data:
        return _dump(data)
    inner, rest = newline + " ", depth - 1
    if isinstance(data, dict):
        items = [
            _key(str(key)) + (_lines(value, rest, inner) if rest else _dump(value))
            for key, value in data.items()
        ]
        return f"{{{inner}{(',' + inner).join(items)}{newline}}}"
    items = [_lines(item, rest, inner) for item in data]
    return f"[{inner}{(',' + inner).join(items)}{newline}]"


@functools.lru_cache(maxsize=4096)
def _key(key: str) -> str:
    """What stands before a value in an object: the same few hundred in every file."""
    return f"{encode_basestring(key)}: "


_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False)
_SIMPLE: dict[type, Callable[[Any], str]] = {
    str: encode_basestring,
    int: repr,
    bool: {True: "true", False: "false"}.__getitem__,
    type(None): lambda _: "null",
}


def _dump(value: Any) -> str:
    # The encoder prepares itself anew for each value, and most are no more than one of these.
    simple = _SIMPLE.get(type(value))
    if simple is not None:
        return simple(value)
    if type(value) is float and math.isfinite(value):
        return repr(value)
    try:
        return _ENCODER.encode(value)
    except ValueError:
        return _ENCODER.encode(plain.finite(value))


def shorten(log: Path) -> None:
    """Cut the middle out of a log that a job has flooded; its end tells of a crash."""
    try:
        size = log.stat().st_size
    except FileNotFoundError:
        return
    if size <= LOG_BYTES:
        return
    part = LOG_BYTES // 2
    with log.open("r+b") as file:
        file.seek(size - part)
        end = file.read()
        file.truncate(part)
        file.seek(part)
        file.write(f"\n[{size - 2 * part} bytes were cut out here]\n".encode() + end)
