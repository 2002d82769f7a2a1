"""What the suite itself costs in a large run: ``python benchmarks/scale.py``.

Runs of 100, 1,000 and 10,000 jobs are planned, scheduled, merged, written and summarised, with
processes that take no time: a launcher of its own writes each job's stream at once, as a worker
would, with the results of a real check's size; that time is not counted. Each run has a fresh
interpreter. Prints the machine and a table of seconds, and the peak memory in MiB.

``history`` is the run's way into the database of all nights. ``files`` is no part of the whole:
what the disk takes for as many files as there are models, each created and renamed and of a
model's size. Of a disk that has yet to read where its next files go that is most of a merge;
``TMPDIR=/dev/shm`` shows the rest.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import subprocess
import sys
import tempfile
import time
import unittest.mock
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from hf_tests import dependencies, hardware, registry, stream
from hf_tests.history import ingest
from hf_tests.isolation.base import EXITED, Ending
from hf_tests.job import Job, result_for
from hf_tests.nightly import plan, resume, run, summary
from hf_tests.nightly.progress import QUIET, Lines
from hf_tests.nightly.store import RunFolder, write_bytes
from hf_tests.outcome import Example, Measurement

SIZES = (100, 1_000, 10_000)
COLUMNS = ("plan", "merge", "history", "resume", "summary", "whole", "files")


class InstantLauncher:
    """Writes what a job's process would have written, and starts none."""

    name = "none"
    notes: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.startup_s: dict[str, float] = {}
        self.took_s = 0.0

    def run(self, job: Job, path: Path, log: Path, tick: Callable[[], bool]) -> Ending:
        """See `hf_tests.isolation.base.Launcher.run`."""
        del tick
        start = time.perf_counter()
        log.touch()
        writer = stream.Writer(path)
        writer.write("start", pid=0, birth=None)
        writer.write("ready")
        for method in job.methods:
            writer.write("check_started", method=method)
            writer.result(
                result_for(
                    job,
                    method,
                    "passed",
                    measurement=Measurement(load_time=1.0, trial_times=(0.01,) * 20, work=1.0),
                    predictions=tuple({"token": f"word{i}", "score": 0.1} for i in range(5)),
                    examples=(Example("A sentence with a [MASK].", "a word " * 20),),
                )
            )
        writer.write("end")
        writer.close()
        self.took_s += time.perf_counter() - start
        return Ending(EXITED, 0, time.monotonic(), 0.001, self.name)

    def close(self) -> None:
        """Nothing is kept."""


class Timed:
    """A function that adds up the seconds that it takes."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self.took_s = 0.0

    def __call__(self, *arguments: Any) -> Any:
        """What the function gives."""
        start = time.perf_counter()
        try:
            return self._function(*arguments)
        finally:
            self.took_s += time.perf_counter() - start


def _files(folder: Path, count: int, size: int) -> float:
    """Seconds for so many files of so many bytes in a new folder, as the store writes them."""
    start = time.perf_counter()
    for index in range(count):
        write_bytes(folder / f"{index}.json", b"x" * size)
    return time.perf_counter() - start


def whole(count: int) -> dict[str, float]:
    """Seconds of each part of a run of so many jobs, and its peak memory."""
    start = time.perf_counter()
    listed = [
        model for model in registry.load().models if dependencies.unmet(model.dependencies) is None
    ]
    models = [
        dataclasses.replace(
            listed[index % len(listed)], id=f"owner/model-{index}", dependencies=(), expected=()
        )
        for index in range(count // 2)
    ]
    chosen = plan.make(models, ["cpu", "openvino"], plan.Options())
    planned = time.perf_counter()
    with tempfile.TemporaryDirectory() as temporary:
        folder = RunFolder.create(Path(temporary))
        machine = hardware.Hardware("", "", "", "", 1, None, ())
        watcher = Lines(count, QUIET)
        launcher = InstantLauncher()
        with unittest.mock.patch.object(ingest, "note_of_run", Timed(ingest.note_of_run)) as noted:
            finished = run.execute(chosen, machine, launcher, folder, {}, watcher)
        ran = time.perf_counter()
        taken_up = resume.take_up(folder)
        resumed = time.perf_counter()
        text = summary.text(finished)
        done = time.perf_counter()
        size = sum(path.stat().st_size for path in folder.models.rglob("*.json")) // len(models)
        files = _files(Path(temporary) / "files", len(models), size)
    if len(taken_up.done) != count or f"{len(finished.results)} passed" not in text:
        raise SystemExit("not every job is accounted for")
    work = launcher.took_s
    parts = (
        planned - start,
        ran - planned - work - noted.took_s,
        noted.took_s,
        resumed - ran,
        done - resumed,
        done - start - work,
        files,
    )
    return dict(zip(COLUMNS, parts, strict=True)) | {"peak": _peak_mb()}


def _peak_mb() -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise SystemExit("this system does not tell a process's peak memory")


def main() -> None:
    """Parse the command line, measure each size in a process of its own, print."""
    parser = argparse.ArgumentParser(description="What the suite itself costs in a large run.")
    parser.add_argument("--jobs", type=int, nargs="+", default=SIZES, help="default: %(default)s")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(whole(options.one)))
        return
    machine = hardware.detect()
    print(
        f"{machine.processor}, {machine.cores} cores, {machine.system}, Python {machine.python}\n"
    )
    print(
        f"{'jobs':>7} " + " ".join(f"{name:>9}" for name in COLUMNS) + f" {'per job':>9} peak MiB"
    )
    for count in options.jobs:
        command = [sys.executable, __file__, "--one", str(count)]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
        found = json.loads(done.stdout.splitlines()[-1])
        cells = " ".join(f"{found[name]:7.2f} s" for name in COLUMNS)
        each = found["whole"] / count * 1000
        print(f"{count:7} {cells} {each:6.2f} ms {found['peak']:8.0f}", flush=True)


if __name__ == "__main__":
    main()
