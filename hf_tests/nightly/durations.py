"""How long jobs took in earlier runs, so that the longest can begin first."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from hf_tests.job import Job
from hf_tests.nightly.store import read_run_file

RUNS_READ = 5  # the newest; what none of them ran counts as unknown


def earlier(results: Path) -> dict[tuple[str, str], float]:
    """Seconds that jobs took when they last ran to their end, by name and kind of weights."""
    found: dict[tuple[str, str], float] = {}
    files = [path for path in results.glob("*/run.json") if not path.parent.is_symlink()]
    for path in sorted(files, reverse=True)[:RUNS_READ]:
        try:
            for row in read_run_file(path)["jobs"]:
                if row["ending"] == "exited":
                    found.setdefault((row["name"], row["weights"]), float(row["wall_time"]))
        except (OSError, ValueError, KeyError, TypeError):
            continue  # a file of another version, or one that somebody has edited
    return found


def longest_first(jobs: Sequence[Job], seconds: Mapping[tuple[str, str], float]) -> tuple[Job, ...]:
    """The jobs in descending order of their times.

    Those of unknown time may be the longest, so they come first, those that need most memory ahead.
    """

    def key(job: Job) -> tuple[float, float]:
        return -seconds.get((job.name, job.weights), math.inf), -job.needs_mb

    return tuple(sorted(jobs, key=key))
