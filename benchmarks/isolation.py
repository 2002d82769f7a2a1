"""What a process of its own costs a job: ``python benchmarks/isolation.py``.

The same jobs are run as forks, as fresh interpreters and in one process, in turn, so that a drift
of the machine's speed touches all alike. In one process there are two yardsticks: ``none`` has run
the same job before, with all that libraries keep from one to the next; ``cold`` has only imported,
as each job of a nightly has. What a fork costs is its difference to the second. Prints the machine
and a table of medians in milliseconds. The first run of each, which starts a server or imports the
libraries, is shown apart and not counted.
"""

from __future__ import annotations

import argparse
import gc
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from hf_tests import cache, dependencies, hardware, registry
from hf_tests.isolation import environment, fork, launcher_of
from hf_tests.isolation.base import Launcher
from hf_tests.job import Job
from hf_tests.nightly import schedule
from hf_tests.probe import worker

METHODS = ("none", "cold", "fork", "spawn")


def jobs(model: registry.Model) -> dict[str, Job]:
    """What is run, by the name in the table."""
    empty = Job(
        model=model,
        device="cpu",
        methods=(),
        weights="tiny",
        checkpoint=None,
        cache_dir=cache.default_folder(),
        timeout_s=600.0,
    )
    found = {
        "empty job": empty,
        f"{model.id} cpu": empty.replace(methods=("pipeline", "from_pretrained")),
    }
    if dependencies.unmet(dependencies.OPENVINO) is None:
        found[f"{model.id} openvino"] = empty.replace(device="openvino", methods=("openvino",))
    return found


class Cold:
    """A process that has only imported, and runs a job in a fork that is not part of its time."""

    def __init__(self, name: str, model: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__, "--model", model, "--cold", name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def once(self) -> float:
        """Milliseconds of one job."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return float(self._process.stdout.readline())

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def serve_cold(job: Job) -> None:
    """In that process: a line of milliseconds on standard output for each line of input."""
    environment.adopt(downloads=False)
    worker.preload(job.device, **fork.wanted_by([job]))
    gc.collect()
    gc.freeze()
    output = os.dup(1)
    for _ in sys.stdin:
        child = os.fork()
        if child == 0:
            with tempfile.TemporaryDirectory() as temporary:
                took = once(launcher_of("none", [job]), job, Path(temporary))
            os.write(output, f"{took}\n".encode())
            os._exit(0)
        os.waitpid(child, 0)


def once(launcher: Launcher, job: Job, folder: Path) -> float:
    """Milliseconds from asking for a job to having its results."""
    path, log = folder / "stream", folder / "log"
    path.unlink(missing_ok=True)
    start = time.perf_counter()
    ending = launcher.run(job, path, log, lambda: True)
    done = schedule.complete(job, path, log, ending)
    took = time.perf_counter() - start
    for result in done.results:
        if result.status != "passed":
            raise SystemExit(f"{result.key} {result.status}: {result.error or result.reason}")
    return took * 1000


def main() -> None:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(description="What a process of its own costs a job.")
    parser.add_argument("--runs", type=int, default=20, help="counted runs (default: 20)")
    parser.add_argument("--spawn-runs", type=int, help="counted runs of spawn (default: --runs)")
    parser.add_argument("--model", default="bert-base-uncased", help="a model of the registry")
    parser.add_argument("--cold", help=argparse.SUPPRESS)
    options = parser.parse_args()
    model = next(item for item in registry.load().models if item.id == options.model)
    if options.cold:
        serve_cold(jobs(model)[options.cold])
        return
    machine = hardware.detect()
    print(f"{machine.processor}, {machine.cores} cores, {machine.system}, Python {machine.python}")
    for name in ("torch", "transformers", "openvino", "optimum-intel"):
        print(f"{name} {dependencies.version(name)}", end="  ")
    print(
        f"\n\n{'job':30} {'method':6} {'first':>9} {'median':>9} {'min':>9} {'max':>9} runs  (ms)"
    )
    counts = dict.fromkeys(METHODS, options.runs)
    counts["spawn"] = options.spawn_runs or options.runs
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for name, job in jobs(model).items():
            launchers = {
                method: launcher_of(method, [job]) for method in METHODS if method != "cold"
            }
            cold = Cold(name, model.id)

            def run(
                method: str,
                job: Job = job,
                launchers: dict[str, Launcher] = launchers,
                cold: Cold = cold,
            ) -> float:
                return cold.once() if method == "cold" else once(launchers[method], job, folder)

            first = {method: run(method) for method in METHODS}
            times: dict[str, list[float]] = {method: [] for method in METHODS}
            for index in range(max(counts.values())):
                for method in METHODS:
                    if index < counts[method]:
                        times[method].append(run(method))
            cold.close()
            for launcher in launchers.values():
                launcher.close()
            for method in METHODS:
                figures = times[method]
                print(
                    f"{name:30} {method:6} {first[method]:9.1f} {statistics.median(figures):9.1f} "
                    f"{min(figures):9.1f} {max(figures):9.1f} {len(figures):4}"
                )
            none, base, forked, spawn = (statistics.median(times[method]) for method in METHODS)
            print(
                f"{'':30} fork costs {forked - base:.1f} ms more than cold "
                f"({forked - none:.1f} more than none),\n{'':30} spawn {spawn - base:.0f} ms, "
                f"{(spawn - base) / (forked - base):.0f} times as much\n",
                flush=True,
            )


if __name__ == "__main__":
    main()
