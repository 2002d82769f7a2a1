"""The files of a run, read in this one place and tolerantly.

Keys are added to the files from version to version and a run may have been killed, so what is
missing or has another form is None (or empty) here, and is never an error. Texts stand as they are
in the files: who shows them escapes them.
"""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from hf_tests import filenames, outcome, plain
from hf_tests.nightly.store import LATEST, RunFolder
from hf_tests.nightly.usage import UsageError
from hf_tests.report.forms import Check, Device, Dtype, Figures, JobRow, Model, Parity, Quality, Run

T = TypeVar("T")


def find(results: Path, name: str = LATEST) -> RunFolder:
    """The folder of a run: ``latest``, an id, or the path of its folder or of its run.json.

    Raises UsageError where there is no such run.
    """
    paths = [results / name, Path(name)]
    if name == LATEST and not (results / name).is_dir():
        # Where there are no links, `latest` is a file with the id in it.
        pointer = _text_of(results / name)
        paths = [results / pointer.strip()] if pointer and pointer.strip() else []
    for path in paths:
        folder = path.parent if path.name == "run.json" else path
        if any((folder / part).exists() for part in ("run.json", "models")):
            whole = folder.resolve()
            return RunFolder(whole.parent, whole.name)
    if name == LATEST:
        raise UsageError(f"{results} has no finished run yet.")
    raise UsageError(f"{results} has no run {name!r}; see the folders in it for their ids.")


def read(folder: RunFolder) -> Run:
    """The run in a folder. Raises UsageError where nothing in it can be read."""
    path = folder.path
    document = _mapping(_json(path / "run.json"))
    rows = [_mapping(row) for row in _list(document.get("checks"))]
    jobs = [_fields(JobRow, _mapping(row)) for row in _list(document.get("jobs"))]
    wanted = dict.fromkeys(file for row in rows if isinstance(file := row.get("file"), str))
    files = {name: _mapping(_json(path / name)) for name in wanted if _is_inside(name)}
    if not document:
        # It was killed; each model's file was written as soon as one of its jobs had ended.
        found = sorted((path / "models").glob("*/*.json"))
        files = {item.relative_to(path).as_posix(): _mapping(_json(item)) for item in found}
        files = {name: content for name, content in files.items() if content}
    if not rows and not files and not document:
        raise UsageError(f"{path} has no file of a run that could be read.")
    source = document or next(iter(files.values()))
    metadata, machine = _mapping(source.get("metadata")), _mapping(source.get("hardware"))
    notes = [str(note) for note in _list(metadata.get("isolation_notes"))]
    notes += [f"wrong registry: {problem}" for problem in _list(metadata.get("problems"))]
    return Run(
        id=folder.run_id,
        path=path,
        started=_text(metadata.get("started")) or "",
        finished=_text(metadata.get("finished")),
        wall_time=_number(metadata.get("wall_time")),
        whole=bool(document) and metadata.get("interrupted") is False,
        exit_status=_whole(metadata.get("exit_status")),
        version=_text(metadata.get("version")) or "",
        options=_mapping(metadata.get("options")),
        versions={
            str(key): _text(value) for key, value in _mapping(metadata.get("versions")).items()
        },
        system=_text(machine.get("system")) or "",
        processor=_text(machine.get("processor")) or "",
        python=_text(machine.get("python")) or "",
        cores=_whole(machine.get("cores")),
        memory_mb=_number(machine.get("memory_mb")),
        machine_devices=tuple(
            _fields(Device, _mapping(item)) for item in _list(machine.get("devices"))
        ),
        notes=tuple(notes),
        models=_models(path, rows, files, jobs),
    )


def _models(
    path: Path,
    rows: Iterable[Mapping[str, Any]],
    files: Mapping[str, Mapping[str, Any]],
    jobs: Iterable[JobRow],
) -> tuple[Model, ...]:
    """The models in the order of run.json's rows, or of their files where it has none."""
    by_model: dict[tuple[str, str, str | None], dict[str, Mapping[str, Any]]] = {}
    for row in rows:
        place = (_name(row.get("family")), _name(row.get("model")), _text(row.get("file")))
        by_model.setdefault(place, {})[_name(row.get("key"))] = row
    if not by_model:
        for name, content in files.items():
            about = _mapping(content.get("metadata"))
            place = (_name(about.get("family")), _name(about.get("model")), name)
            by_model[place] = {_name(key): {} for key in _mapping(content.get("results"))}
    processes: dict[str, list[JobRow]] = {}
    for job in jobs:
        processes.setdefault(job.model, []).append(job)
    models = []
    for (family, model_id, file), keyed in by_model.items():
        content = files.get(file or "", {})
        checks = tuple(
            _check(path, family, model_id, key, row, content) for key, row in keyed.items()
        )
        models.append(
            Model(
                family=family,
                id=model_id,
                description=_text(_mapping(content.get("metadata")).get("description")) or "",
                file=file,
                checks=checks,
                jobs=tuple(processes.get(model_id, ())),
                problem=None if content else f"its file {file} is missing or cannot be read",
            )
        )
    return tuple(models)


def _check(
    path: Path,
    family: str,
    model: str,
    key: str,
    row: Mapping[str, Any],
    content: Mapping[str, Any],
) -> Check:
    """One check from its row in run.json and its entry in the model's file, whichever there is."""
    entry = _mapping(_mapping(content.get("results")).get(key))
    method = _text(row.get("method")) or _method(key)
    own = {
        name: entry.get(f"{method}_{name}") for name in ("error_type", "error", "traceback", "hint")
    }
    known = {name: value for name, value in own.items() if value is not None}
    # The row has what a check ended in, the entry all the rest.
    merged = {**entry, **known, **{name: value for name, value in row.items() if value is not None}}
    rerun = _mapping(entry.get("rerun"))
    merged |= {
        "key": key,
        "family": family,
        "model": model,
        "method": method,
        "class_name": merged.get("class"),
        "rerun_status": merged.get("rerun_status") or rerun.get("status"),
        "rerun_error": rerun.get("error"),
    }
    device = _text(merged.get("device")) or ""
    name = ".".join(filenames.escape(part) for part in (family, model, device))
    log = path / "logs" / f"{name}.log"
    simple = _fields(Check, {key: merged[key] for key in merged if key not in _COMPOUND})
    return dataclasses.replace(
        simple,
        figures=_figures(key, _mapping(content.get("performance"))),
        dtypes=tuple(_fields(Dtype, _mapping(item)) for item in _list(entry.get("dtypes"))),
        parity=_fields(Parity, entry["parity"]) if _mapping(entry.get("parity")) else None,
        quality=_quality(_mapping(entry.get("quality"))),
        predictions=tuple(_list(entry.get("predictions"))),
        examples=tuple(
            (item.get("input"), item.get("output"))
            for item in map(_mapping, _list(content.get("examples")))
            if item.get("method") == key
        ),
        log=f"logs/{name}.log" if _is_file(log) else None,
        log_tail=simple.log_tail or (plain.log_tail(log) if simple.is_bad else None),
    )


_COMPOUND = frozenset({"figures", "dtypes", "parity", "quality", "predictions", "examples", "log"})


def _quality(data: Mapping[str, Any]) -> Quality | None:
    if not data:
        return None
    answers = [_mapping(item) for item in _list(data.get("answers"))]
    asked = {"asked": len(answers), "right": sum(item.get("is_right") is True for item in answers)}
    return _fields(Quality, {**data, **_mapping(data.get("accuracy")), **asked})


def _figures(key: str, performance: Mapping[str, Any]) -> tuple[Figures, ...]:
    """A check's rows: the one under its own key, then those with something behind it."""
    rows = []
    for name, data in performance.items():
        if name == key or name.startswith(f"{key}_"):
            rows.append(_fields(Figures, {**_mapping(data), "label": name[len(key) + 1 :]}))
    return tuple(sorted(rows, key=lambda row: bool(row.label)))


def _method(key: str) -> str:
    return next((name for name in outcome.METHODS if key.startswith(f"{name}_")), "")


def _fields(kind: type[T], data: Mapping[str, Any]) -> T:
    """A dataclass from those values of a mapping that have its fields' names and types."""
    values = {}
    for name, reader in _readers(kind):  # type: ignore[arg-type]
        value = reader(data.get(name))
        if value is not None:
            values[name] = value
    return kind(**values)


@functools.cache
def _readers(kind: type[Any]) -> tuple[tuple[str, Callable[[Any], Any]], ...]:
    """By field of a dataclass, what reads its value."""
    return tuple((field.name, _READERS[str(field.type)]) for field in dataclasses.fields(kind))


def _text(value: Any) -> str | None:
    """A text that UTF-8 can hold: JSON has escapes for halves of a character."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else None


def _name(value: Any) -> str:
    return _text(value) or ""


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if abs(value) < 1e300 else None  # neither NaN nor infinite


def _whole(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if abs(value) < 1e300 else None


def _truth(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _numbers(value: Any) -> tuple[float, ...]:
    return tuple(number for item in _list(value) if (number := _number(item)) is not None)


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(item for item in _list(value) if isinstance(item, str))


def _nothing(value: Any) -> None:
    """What is made of several values is read by whoever makes it."""


_READERS = {
    "str": _text,
    "str | None": _text,
    "float | None": _number,
    "int | None": _whole,
    "int": _whole,
    "bool": _truth,
    "tuple[float, ...]": _numbers,
    "tuple[str, ...]": _texts,
    "tuple[Figures, ...]": _nothing,
    "tuple[Dtype, ...]": _nothing,
    "tuple[Any, ...]": _nothing,
    "tuple[tuple[Any, Any], ...]": _nothing,
    "Parity | None": _nothing,
    "Quality | None": _nothing,
}


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None


def _text_of(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return None


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False  # its name is too long, for one


def _is_inside(name: str) -> bool:
    """Whether a file's name in run.json stays in the run's folder."""
    path = Path(name)
    return not path.is_absolute() and ".." not in path.parts
