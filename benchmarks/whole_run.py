"""What a process for each job costs a whole run: ``python benchmarks/whole_run.py --all``.

``runner.py`` runs the same models, one job at a time, in one process (none), in forks and, if asked
for, in fresh interpreters (spawn), in turns, on tiny checkpoints that an uncounted run before has
built and converted. Prints, for each launch method, the medians over the rounds of the wall time of
the command and of the sum of its jobs' times, and both divided by the jobs' sum under none: by the
work alone.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from hf_tests import dependencies, hardware


def main() -> None:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(description="What a process for each job costs a whole run.")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--all", action="store_true", help="all models")
    what.add_argument("--each-family", metavar="N", default="1", help="default: 1")
    parser.add_argument("--device", nargs="+", default=["cpu"], help="default: cpu")
    parser.add_argument("--rounds", type=int, default=1, help="default: 1")
    parser.add_argument("--isolation", nargs="+", default=["none", "fork"], metavar="METHOD")
    parser.add_argument(
        "--built", action="store_true", help="the cache has all that a first run would build"
    )
    options = parser.parse_args()
    chosen = ["--all"] if options.all else ["--each-family", options.each_family]
    chosen += ["--device", *options.device, "--weights", "tiny", "--no-report", "--quiet"]
    machine = hardware.detect()
    print(f"{machine.processor}, {machine.cores} cores, {machine.system}, Python {machine.python}")
    for name in ("torch", "transformers", "openvino", "optimum-intel"):
        print(f"{name} {dependencies.version(name)}", end="  ")
    print(f"\nrunner.py {' '.join(chosen)}", flush=True)
    if not options.built:
        run(chosen, "auto")
    walls: dict[str, list[float]] = {method: [] for method in options.isolation}
    jobs: dict[str, list[dict[str, float]]] = {method: [] for method in options.isolation}
    for _ in range(options.rounds):
        for method in options.isolation:
            wall, times = run(chosen, method)
            walls[method].append(wall)
            jobs[method].append(times)
    shared = set.intersection(*(set(times) for rounds in jobs.values() for times in rounds))
    sums = {
        method: statistics.median(sum(times[name] for name in shared) for times in rounds)
        for method, rounds in jobs.items()
    }
    work = sums.get("none", next(iter(sums.values())))
    print(f"\n{len(shared)} jobs\n")
    print(f"{'':8}{'wall':>9}{'jobs':>9}{'wall / work':>13}{'jobs / work':>13}")
    for method in options.isolation:
        wall = statistics.median(walls[method])
        print(
            f"{method:8}{wall:7.1f} s{sums[method]:7.1f} s"
            f"{wall / work:13.3f}{sums[method] / work:13.3f}"
        )


def run(chosen: list[str], isolation: str) -> tuple[float, dict[str, float]]:
    """Seconds of one run as a whole, and of each of its jobs that ran, by name."""
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
        return wall, {
            job["name"]: job["wall_time"] for job in found["jobs"] if job["wall_time"] is not None
        }


if __name__ == "__main__":
    main()
