"""What a process for each job costs a whole run: ``python benchmarks/whole_run.py --all``.

Every job is run in this process (none: the work alone), in a fork and, if asked for, in a fresh
interpreter (spawn), one after the other and each first as often as the others, so that a drift of
the machine's speed touches all alike: between two runs of minutes it was seen to be a third. All
run on tiny checkpoints that an uncounted run before has built and converted. Then ``runner.py``
runs the same jobs under the method, for what a run takes beside its jobs: to plan, to start
servers, to write. Prints, for each method, the sum of its jobs' times and that with the rest of
the run, in seconds and divided by the work alone, which includes what this process imports.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from hf_tests import dependencies, hardware, registry
from hf_tests.isolation import launcher_of
from hf_tests.isolation.base import Launcher
from hf_tests.job import Job
from hf_tests.nightly import plan, select

WORK = "none"


def main() -> None:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(description="What a process for each job costs a whole run.")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--all", action="store_true", help="all models")
    what.add_argument("--each-family", metavar="N", type=int, default=1, help="default: 1")
    parser.add_argument("--device", nargs="+", default=["cpu"], help="default: cpu")
    parser.add_argument("--rounds", type=int, default=1, help="default: 1")
    parser.add_argument(
        "--isolation",
        nargs="+",
        default=["fork"],
        metavar="METHOD",
        help="beside none (default: fork)",
    )
    parser.add_argument(
        "--built", action="store_true", help="the cache has all that a first run would build"
    )
    options = parser.parse_args()
    chosen = ["--all"] if options.all else ["--each-family", str(options.each_family)]
    chosen += ["--device", *options.device, "--weights", "tiny", "--no-report", "--quiet"]
    models = registry.load().models
    if not options.all:
        models = select.each_family(registry.load(), models, options.each_family)
    planned = plan.make(models, options.device, plan.Options(weights="tiny")).jobs
    jobs = [job for job in planned if runs(job)]
    machine = hardware.detect()
    print(f"{machine.processor}, {machine.cores} cores, {machine.system}, Python {machine.python}")
    for name in ("torch", "transformers", "openvino", "optimum-intel"):
        print(f"{name} {dependencies.version(name)}", end="  ")
    print(f"\n{len(jobs)} jobs: {' '.join(chosen)}\n", flush=True)
    if not options.built:
        beside_its_jobs(chosen, "auto")
    methods = [WORK, *(method for method in options.isolation if method != WORK)]
    sums: dict[str, list[float]] = {method: [] for method in methods}
    rests: dict[str, list[float]] = {method: [] for method in methods[1:]}
    for _ in range(options.rounds):
        for method, seconds in in_turns(jobs, methods).items():
            sums[method].append(seconds)
        for method in methods[1:]:
            rests[method].append(beside_its_jobs(chosen, method))
    work = statistics.median(sums[WORK])
    print(f"{'':8}{'jobs':>9}{'and rest':>11}{'jobs / work':>13}{'with rest / work':>18}")
    print(f"{WORK:8}{work:7.1f} s")
    for method in methods[1:]:
        own = statistics.median(sums[method])
        whole = own + statistics.median(rests[method])
        print(f"{method:8}{own:7.1f} s{whole:9.1f} s{own / work:13.3f}{whole / work:18.3f}")


def runs(job: Job) -> bool:
    """Whether the libraries of any of its checks are here; the runner starts no other job."""
    return any(
        dependencies.unmet_for(job.model.needs(job.weights, method), method) is None
        for method in job.methods
    )


def in_turns(jobs: Sequence[Job], methods: Sequence[str]) -> dict[str, float]:
    """The sum of the jobs' seconds under each method, each job under all before the next."""
    gc.set_threshold(100 * gc.get_threshold()[0])  # as the runner has it
    sums = dict.fromkeys(methods, 0.0)
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        launchers: dict[str, Launcher] = {}
        for method in methods:
            launchers[method] = launcher_of(method, jobs)
            stack.callback(launchers[method].close)
            if method != WORK:  # its server is of what a run takes beside its jobs
                seconds(launchers[method], jobs[0], Path(folder))
        for number, job in enumerate(jobs):
            for turn in range(len(methods)):
                method = methods[(number + turn) % len(methods)]
                sums[method] += seconds(launchers[method], job, Path(folder))
    return sums


def seconds(launcher: Launcher, job: Job, folder: Path) -> float:
    """Of one job, from being asked for to its process's end."""
    stream, log = folder / "stream", folder / "log"
    start = time.perf_counter()
    launcher.run(job, stream, log, lambda: True)
    took = time.perf_counter() - start
    stream.unlink()
    log.unlink(missing_ok=True)
    return took


def beside_its_jobs(chosen: Sequence[str], isolation: str) -> float:
    """Seconds of a run of ``runner.py`` as a whole, less those of its jobs."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, str(ROOT / "runner.py"), *chosen, "--isolation", isolation]
        start = time.perf_counter()
        done = subprocess.run(
            [*command, "--results-dir", folder], stdout=subprocess.DEVNULL, check=False
        )
        wall = time.perf_counter() - start
        if done.returncode not in (0, 1):
            raise SystemExit(f"runner.py ended with {done.returncode}")
        found = json.loads((Path(folder) / "latest" / "run.json").read_text())
        return wall - sum(job["wall_time"] or 0.0 for job in found["jobs"])


if __name__ == "__main__":
    main()
