"""What is kept of a finished run: Record, with a Run and its Checks, and how a run's files say it.

This is the one place that reads result files back. It is tolerant: what a file of another version
lacks is None, and a model's file that is lost leaves the rows of run.json.
"""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from hf_tests import outcome, plain
from hf_tests.nightly.store import read_run_file, write_bytes

VERSION = 1
"""Version of the JSON form in which pruned runs are kept."""

MESSAGE_CHARS = 2000
PREDICTIONS_CHARS = 4000
DIGITS = 6  # significant digits of a figure that are kept; no clock is better

Figures = Mapping[str, float]
"""Figures by their names under ``performance`` in a model's file; seconds and MiB."""


class RecordError(ValueError):
    """A run's files cannot be read; the message says which, and why."""


@dataclass(frozen=True)
class Run:
    """A finished run: when, where, with what, and how many checks ended how.

    ``machine`` is a digest of what makes two runs' figures comparable (`machine_of`); ``counts``
    has checks by status and ``total``; ``weights`` models by kind of weights; ``stamp`` changes
    when run.json is written again. Times are as in run.json, ``wall_time`` in seconds.
    """

    id: str
    started: str
    finished: str | None = None
    wall_time: float | None = None
    exit_status: int | None = None
    jobs_at_once: int = 1
    machine: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)
    weights: Mapping[str, int] = field(default_factory=dict)
    versions: Mapping[str, str | None] = field(default_factory=dict)
    hardware: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    stamp: str = ""

    @property
    def tested(self) -> int:
        """How many checks ran: all that were not skipped."""
        return self.counts.get("total", 0) - self.counts.get(outcome.SKIPPED, 0)


class Condition(NamedTuple):
    """Under what a figure was measured. Only figures of equal conditions are compared.

    ``revision`` is the checkpoint's; empty for tiny weights, whose sizes follow from the entry. A
    tuple, for a comparison compares tens of thousands.
    """

    weights: str
    revision: str
    dtype: str
    batch_size: int
    isolation: str
    jobs_beside: int
    jobs_at_once: int
    machine: str


@dataclass(frozen=True)
class Check:
    """One check of a run, or, with a ``variant``, its figures in another dtype or batch size.

    ``key`` is its key in the model's file. ``message`` is the error or the reason it has.
    ``figures`` are those of the first measurement, ``again`` those of further ones, each in another
    process. ``checkpoint`` names the weights; ``predictions`` is JSON text
    with numbers rounded, cut short where it is long.
    """

    family: str
    model: str
    device: str
    method: str
    key: str
    status: str
    variant: str = ""
    error_type: str = "none"
    message: str | None = None
    hint: str | None = None
    task: str | None = None
    class_name: str | None = None
    weights: str = "tiny"
    checkpoint: str | None = None
    dtype: str | None = None
    batch_size: int = 1
    isolation: str | None = None
    jobs_beside: int = 0
    rerun_status: str | None = None
    duration: float | None = None
    figures: Figures = field(default_factory=dict)
    again: tuple[Figures, ...] = ()
    doubts: tuple[str, ...] = ()
    predictions: str | None = None
    file: str | None = None

    @property
    def is_bad(self) -> bool:
        """Whether it makes its run fail."""
        return self.status in outcome.BAD_STATUSES

    @property
    def name(self) -> tuple[str, str, str]:
        """What is checked, whatever the run: model, key and variant."""
        return self.model, self.key, self.variant

    def condition(self, run: Run) -> Condition:
        """Under what its figures were measured."""
        return Condition(
            weights=self.weights,
            revision="" if self.weights == "tiny" else self.checkpoint or "",
            dtype=self.dtype or "",
            batch_size=self.batch_size,
            isolation=self.isolation or "",
            jobs_beside=self.jobs_beside,
            jobs_at_once=run.jobs_at_once,
            machine=run.machine,
        )


@dataclass(frozen=True)
class Record:
    """All that is kept of a run."""

    run: Run
    checks: tuple[Check, ...]

    def to_json(self) -> dict[str, Any]:
        """The JSON form; `from_json` is its inverse."""
        return {
            "version": VERSION,
            "run": vars(self.run),
            "checks": [_without_defaults(check) for check in self.checks],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Record:
        """Rebuild a record; what a later version has added is passed over.

        Raises KeyError, TypeError or ValueError when the data has another form.
        """
        checks = tuple(
            Check(**{**_known(Check, item), "doubts": tuple(item.get("doubts", ()))})
            for item in data["checks"]
        )
        return cls(Run(**_known(Run, data["run"])), checks)


def stamp_of(path: Path) -> str:
    """A text that changes when a file is written again. Raises OSError."""
    status = path.stat()
    return f"{status.st_mtime_ns}-{status.st_size}"


def read_run(folder: Path) -> Record:
    """The record of a run's folder. Raises RecordError where its run.json cannot be read."""
    return _record(folder)[0]


def read_finished(folder: Path) -> Record | None:
    """As `read_run`; None where the run did not come to its end, or was interrupted."""
    found, metadata = _record(folder)
    return found if _is_finished(metadata) else None


def is_finished(folder: Path) -> bool:
    """Whether a run's folder holds a run that came to its end and was not interrupted."""
    try:
        return _is_finished(read_run_file(folder / "run.json")["metadata"])
    except (OSError, ValueError):
        return False


def _is_finished(metadata: Mapping[str, Any]) -> bool:
    return "finished" in metadata and not metadata.get("interrupted")


def _record(folder: Path) -> tuple[Record, Mapping[str, Any]]:
    path = folder / "run.json"
    try:
        stamp = stamp_of(path)
        document = read_run_file(path)
        run = _run(document, stamp)
        checks = tuple(_checks(document["checks"], document["jobs"], folder))
        return Record(run, checks), document["metadata"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise RecordError(f"{path} cannot be read: {error!r}") from None


def write_archive(path: Path, record: Record) -> None:
    """Write a record as compressed JSON, under a temporary name and renamed."""
    text = json.dumps(record.to_json(), ensure_ascii=False, separators=(",", ":"))
    write_bytes(path, gzip.compress(text.encode(), compresslevel=6, mtime=0))


def read_archive(path: Path) -> Record:
    """The record that `write_archive` wrote. Raises RecordError."""
    try:
        return Record.from_json(json.loads(gzip.decompress(path.read_bytes())))
    except (OSError, EOFError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise RecordError(f"{path} cannot be read: {error!r}") from None


def machine_of(hardware: Mapping[str, Any]) -> str:
    """A digest of what a machine's speed depends on: processor, cores, memory, GPUs.

    Neither the system's nor a driver's version is in it, which are to be compared across; nor
    OpenVINO's devices, which vanish with the library.
    """
    memory = hardware.get("memory_mb")
    gpus = [
        (device.get("name"), device.get("description"))
        for device in hardware.get("devices", ())
        if not str(device.get("name")).startswith(("cpu", "openvino"))
    ]
    parts = (
        hardware.get("machine"),
        hardware.get("processor"),
        hardware.get("cores"),
        None if memory is None else round(memory / 1024),
        gpus,
    )
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


CONVERTED = "converted."
"""How the memory of a process is named in which the model was converted first, too: it is that of
the conversion, and no night that takes it from the cache can be held against it."""

OF_PROCESS = ("memory_growth_mb", "peak_memory_mb")


def figures_of(row: Mapping[str, Any]) -> dict[str, float]:
    """The numbers of a ``performance`` row, rounded; of an object in it as ``outer.inner``."""
    found = _numbers(row)
    if row.get("conversion_cached") is False:
        for name in OF_PROCESS:
            if name in found:
                found[CONVERTED + name] = found.pop(name)
    return found


def _numbers(row: Mapping[str, Any]) -> dict[str, float]:
    found: dict[str, float] = {}
    for name, value in row.items():
        if isinstance(value, Mapping):
            found |= {f"{name}.{inner}": number for inner, number in _numbers(value).items()}
        elif isinstance(value, int | float) and not isinstance(value, bool) and _fits(value):
            found[name] = _rounded(value, DIGITS)
    return found


def _fits(value: float) -> bool:
    """Whether it is a number at all: a whole one may be beyond every float."""
    return -sys.float_info.max <= value <= sys.float_info.max


def _run(document: Mapping[str, Any], stamp: str) -> Run:
    metadata, hardware = document["metadata"], document.get("hardware") or {}
    versions = dict(metadata.get("versions") or {})
    cuda = (metadata.get("torch_build") or {}).get("cuda")
    versions |= {
        name: value
        for name, value in (
            ("hf-tests", metadata.get("version")),
            ("python", hardware.get("python")),
            ("system", hardware.get("system")),
            ("cuda build", cuda or metadata.get("cuda_build")),
            ("driver", _driver(hardware)),
        )
        if value is not None
    }
    return Run(
        id=metadata["run_id"],
        started=metadata["started"],
        finished=metadata.get("finished"),
        wall_time=metadata.get("wall_time"),
        exit_status=metadata.get("exit_status"),
        jobs_at_once=metadata.get("jobs_at_once", 1),
        machine=machine_of(hardware),
        counts=dict(document.get("counts") or {}),
        weights=dict(document.get("weights") or {}),
        versions=versions,
        hardware=hardware,
        options=dict(metadata.get("options") or {}),
        stamp=stamp,
    )


def _driver(hardware: Mapping[str, Any]) -> str | None:
    found = {str(d["driver"]) for d in hardware.get("devices", ()) if d.get("driver")}
    return ", ".join(sorted(found)) or None


def _checks(
    rows: Sequence[Mapping[str, Any]], jobs: Sequence[Mapping[str, Any]], folder: Path
) -> Iterator[Check]:
    isolation = {
        (job.get("model"), job.get("device")): job.get("isolation")
        for job in jobs
        if job.get("attempt", 1) == 1
    }
    documents: dict[str, Mapping[str, Any]] = {}
    root = folder.resolve()
    for row in rows:
        file = str(row.get("file") or "")
        if file not in documents:
            documents[file] = _document(root, file)
        document = documents[file]
        key = row["key"]
        entry = (document.get("results") or {}).get(key) or {}
        performance = document.get("performance") or {}
        rerun = entry.get("rerun") or {}
        again = [rerun.get("performance"), *(rerun.get("further") or ())]
        figures = performance.get(key) or {}
        if not figures and row.get("avg_time") is not None:
            figures = {"avg_time": row["avg_time"], "parity": row.get("parity")}
        check = Check(
            family=row["family"],
            model=row["model"],
            device=row["device"],
            method=row["method"],
            key=key,
            status=row["status"],
            error_type=row.get("error_type") or "none",
            message=_cut(row.get("error") or row.get("reason"), MESSAGE_CHARS),
            hint=_cut(row.get("hint"), MESSAGE_CHARS),
            task=row.get("task"),
            class_name=row.get("class"),
            weights=row["weights"],
            checkpoint=_checkpoint(entry.get("checkpoint"), row["weights"]),
            dtype=figures.get("dtype"),
            batch_size=figures.get("batch_size") or 1,
            isolation=entry.get("isolation") or isolation.get((row["model"], row["device"])),
            jobs_beside=row.get("jobs_beside") or 0,
            rerun_status=row.get("rerun_status"),
            duration=row.get("duration"),
            figures=figures_of(figures),
            again=tuple(figures_of(item) for item in again if item),
            doubts=tuple(figures.get("doubts") or ()),
            predictions=_predictions(entry.get("predictions")),
            file=file or None,
        )
        yield check
        for name, others in performance.items():
            if name.startswith(f"{key}_"):
                yield dataclasses.replace(
                    check,
                    variant=name[len(key) + 1 :],
                    message=None,
                    hint=None,
                    predictions=None,
                    dtype=others.get("dtype"),
                    batch_size=others.get("batch_size") or 1,
                    figures=figures_of(others),
                    again=(),
                    doubts=tuple(others.get("doubts") or ()),
                )


def _document(root: Path, file: str) -> Mapping[str, Any]:
    """A model's file; empty where it is lost, torn, or not inside the run's resolved folder."""
    try:
        path = (root / file).resolve()
        if not path.is_relative_to(root):
            return {}
        found = plain.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _checkpoint(path: str | None, weights: str) -> str | None:
    """What names the weights: a commit or a digest, both the folder's name; of local ones all."""
    if path is None or weights == "local":
        return path
    return path.replace("\\", "/").rstrip("/").rpartition("/")[2]


def _predictions(found: Any) -> str | None:
    if not found:
        return None
    text = json.dumps(_rounded_within(found), ensure_ascii=False, separators=(",", ":"))
    if len(text) <= PREDICTIONS_CHARS:
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    return f"{text[:PREDICTIONS_CHARS]} ... {digest}"


def _rounded_within(value: Any) -> Any:
    if isinstance(value, float):
        return _rounded(value, 4)
    if isinstance(value, dict):
        return {key: _rounded_within(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_rounded_within(item) for item in value]
    return value


def _rounded(value: float, digits: int) -> float:
    return float(f"{value:.{digits}g}") if isinstance(value, float) else value


def _cut(text: str | None, length: int) -> str | None:
    return text if text is None or len(text) <= length else text[: length - 3] + "..."


def _without_defaults(check: Check) -> dict[str, Any]:
    return {
        item.name: value
        for item in dataclasses.fields(check)
        if (value := getattr(check, item.name)) not in (None, (), {}, "")
    }


def _known(cls: type, data: Mapping[str, Any]) -> dict[str, Any]:
    names = {item.name for item in dataclasses.fields(cls)}
    return {name: value for name, value in data.items() if name in names}
