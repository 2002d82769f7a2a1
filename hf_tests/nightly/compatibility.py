"""Models by devices over all runs of a results folder: what works where, what does not and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hf_tests import outcome
from hf_tests.nightly.store import read_run_file

WORKS, PARTLY, FAILS, NOT_TESTED = "works", "partly", "fails", "not tested"


@dataclass(frozen=True)
class Cell:
    """One model on one device, from the newest result of each of its checks.

    ``weights`` is ``tiny`` or ``published``, never a mixture: tiny ones count only where no others
    were ever tested there. ``verdict`` is ``works`` where all that could be tested passed,
    ``partly`` where some did, ``fails`` where none did, ``not tested`` where all was skipped.
    ``reasons`` say why a check did not pass, by its method; ``run`` is the newest run in it.
    """

    family: str
    model: str
    device: str
    weights: str
    verdict: str
    reasons: Mapping[str, str]
    run: str

    @property
    def text(self) -> str:
        """The cell as it stands in a table, with what it was tested on where that is tiny."""
        return f"{self.verdict} (tiny)" if self.weights == "tiny" else self.verdict


def read(results: Path) -> tuple[Cell, ...]:
    """The cells of all runs in a folder, by family, model and device; unreadable ones are left."""
    newest: dict[tuple[str, str, str, str], dict[str, tuple[str, Mapping[str, Any]]]] = {}
    for path in sorted(results.glob("*/run.json")):
        if path.parent.is_symlink():
            continue
        try:
            rows = [(_key(row), row["method"], row) for row in read_run_file(path)["checks"]]
        except (OSError, ValueError):
            continue
        for key, method, row in rows:
            # What was not run because of the run itself says nothing of the model.
            if row.get("error_type") != "interrupted":
                newest.setdefault(key, {})[method] = (path.parent.name, row)
    cells = {}
    for key in sorted(newest, key=lambda key: key[3] != "tiny"):  # published ones replace tiny ones
        cells[key[:3]] = _cell(key, newest[key])
    return tuple(cells[key] for key in sorted(cells))


def devices(cells: Iterable[Cell]) -> tuple[str, ...]:
    """The devices of the cells, the processor first."""
    return tuple(sorted({cell.device for cell in cells}, key=lambda name: (name != "cpu", name)))


def _key(row: Mapping[str, Any]) -> tuple[str, str, str, str]:
    weights = "tiny" if row["weights"] == "tiny" else "published"
    return row["family"], row["model"], row["device"], weights


def _cell(
    key: tuple[str, str, str, str], found: Mapping[str, tuple[str, Mapping[str, Any]]]
) -> Cell:
    statuses = [row["status"] for _, row in found.values()]
    passed = statuses.count(outcome.PASSED)
    tested = len(statuses) - statuses.count(outcome.SKIPPED)
    verdict = WORKS if passed == tested else PARTLY if passed else FAILS
    reasons = {
        method: str(row.get("reason") or row.get("error") or row["status"])
        for method, (_, row) in sorted(found.items())
        if row["status"] != outcome.PASSED
    }
    run = max(run for run, _ in found.values())
    return Cell(*key, verdict if tested else NOT_TESTED, reasons, run)
