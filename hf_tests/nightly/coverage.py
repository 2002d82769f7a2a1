"""How much of the installed transformers the registry covers, and what its newest results say."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hf_tests import dependencies, outcome
from hf_tests.nightly import auto_classes
from hf_tests.nightly.store import read_run_file
from hf_tests.registry import Registry

WORST_FIRST = (
    outcome.CRASHED,
    outcome.TIMEOUT,
    outcome.ERROR,
    outcome.FAILED,
    outcome.UNEXPECTED_SUCCESS,
    outcome.EXPECTED_FAILURE,
    outcome.SKIPPED,
    outcome.PASSED,
)
"""Of a model type's several models, the worst counts."""

UNBUILT_STAGES = (None, "import", "build")


@dataclass(frozen=True)
class Check:
    """One method on one device: model types by status, and why those that did not pass did not.

    ``reasons`` are pairs of a reason and the model types that have it, the most frequent first.
    """

    method: str
    device: str
    statuses: Mapping[str, tuple[str, ...]]
    reasons: tuple[tuple[str, tuple[str, ...]], ...]

    @property
    def passed(self) -> int:
        """Number of model types that passed."""
        return len(self.statuses.get(outcome.PASSED, ()))


@dataclass(frozen=True)
class Coverage:
    """Model types of one version of transformers.

    ``other`` is the version whose types are compared, ``new`` and ``gone`` those that it does not
    have and those that it alone has; None where no other version was asked on this machine.
    """

    transformers: str
    types: tuple[str, ...]
    entries: tuple[str, ...]
    missing: tuple[str, ...]
    built: tuple[str, ...]
    checks: tuple[Check, ...]
    runs: tuple[str, ...]
    other: str | None = None
    new: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()

    def to_json(self) -> str:
        """All of it as one JSON object."""
        return json.dumps(dataclasses.asdict(self), indent=1)


def measure(registry: Registry, results: Path, cache_dir: Path) -> Coverage:
    """What the registry and the runs under ``results`` cover of the installed transformers.

    Of each check the newest result counts, of runs with this version of transformers. Raises
    UsageError where transformers is not installed or cannot be imported.
    """
    types = tuple(auto_classes.of_installed(cache_dir))
    version = str(dependencies.version("transformers"))
    # What only other versions have is no part of this one's, nor skipped in it.
    known = set(types)
    by_model = {
        model.id: model.model_type for model in registry.models if model.model_type in known
    }
    entries = sorted(set(by_model.values()))
    rows, runs = _newest(results, version, by_model)
    other = _other(cache_dir, version)
    others = (
        set(auto_classes.kept(cache_dir / auto_classes.KEPT_AS.format(other)) or ())
        if other
        else set()
    )
    return Coverage(
        transformers=version,
        types=types,
        entries=tuple(entries),
        missing=tuple(sorted(set(types) - set(entries))),
        built=tuple(
            sorted(
                {
                    by_model[row["model"]]
                    for row in rows
                    if row["weights"] == "tiny"
                    and row["status"] != outcome.SKIPPED
                    and row["stage"] not in UNBUILT_STAGES
                }
            )
        ),
        checks=tuple(_checks(rows, by_model)),
        runs=tuple(runs),
        other=other,
        new=tuple(sorted(set(types) - others)) if other else (),
        gone=tuple(sorted(others - set(types))) if other else (),
    )


def _other(cache_dir: Path, version: str) -> str | None:
    """The newest version before this one that was asked on this machine; else the next after."""
    head, tail = auto_classes.KEPT_AS.split("{}")
    found = [
        path.name.removeprefix(head).removesuffix(tail) for path in cache_dir.glob(f"{head}*{tail}")
    ]
    before = [name for name in found if _order(name) < _order(version)]
    after = [name for name in found if _order(name) > _order(version)]
    if before:
        return max(before, key=_order)
    return min(after, key=_order) if after else None


def _order(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdecimal())


def _newest(
    results: Path, version: str, known: Mapping[str, str]
) -> tuple[list[dict[str, Any]], list[str]]:
    """The newest row of every check of a known model, and the runs that they are from."""
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    runs: list[str] = []
    for document in _documents(results):
        if document["metadata"]["versions"].get("transformers") != version:
            continue
        fresh = {
            (row["model"], row["key"]): row
            for row in document["checks"]
            if row["model"] in known and (row["model"], row["key"]) not in rows
        }
        if fresh:
            runs.append(str(document["metadata"].get("run_id")))
            rows |= fresh
    return list(rows.values()), runs


def _documents(results: Path) -> Iterator[dict[str, Any]]:
    """The run.json of every run, the newest first; what cannot be read is passed over."""
    for path in sorted(results.glob("*/run.json"), reverse=True):
        if path.parent.is_symlink():
            continue  # "latest" is one of the others
        with contextlib.suppress(OSError, ValueError):
            yield read_run_file(path)


def _checks(rows: Sequence[Mapping[str, Any]], by_model: Mapping[str, str]) -> Iterator[Check]:
    for method, device in sorted({(row["method"], row["device"]) for row in rows}):
        worst: dict[str, Mapping[str, Any]] = {}
        for row in rows:
            if (row["method"], row["device"]) == (method, device):
                name = by_model[row["model"]]
                if name not in worst or _rank(row) < _rank(worst[name]):
                    worst[name] = row
        statuses: dict[str, list[str]] = {}
        reasons: dict[str, list[str]] = {}
        for name, row in sorted(worst.items()):
            statuses.setdefault(row["status"], []).append(name)
            if row["status"] != outcome.PASSED:
                why = row["reason"] or row["error"] or row["error_type"]
                reasons.setdefault(" ".join(str(why).split()), []).append(name)
        ordered = sorted(reasons.items(), key=lambda item: -len(item[1]))
        yield Check(
            method,
            device,
            {status: tuple(statuses[status]) for status in WORST_FIRST if status in statuses},
            tuple((why, tuple(names)) for why, names in ordered),
        )


def _rank(row: Mapping[str, Any]) -> int:
    return WORST_FIRST.index(row["status"])
