"""Whether a job finds the memory that its model takes: ``python benchmarks/memory.py``.

Checkpoints of published configurations with random weights are made and loaded by jobs under every
launch method. Prints the machine, the bytes of the parameters and buffers, by how much the
process's resident set was larger after loading than before, and the ratio.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks import real_sized
from hf_tests import dependencies, hardware, registry
from hf_tests.isolation import launcher_of
from hf_tests.nightly import schedule

METHODS = ("fork", "spawn")


def main() -> None:
    """Parse the command line, make the checkpoints, load them, print."""
    parser = argparse.ArgumentParser(description="Whether a job finds the memory of its model.")
    parser.add_argument("--rounds", type=int, default=3, help="default: 3")
    parser.add_argument("--model", nargs="+", default=["bert-base-uncased", "gpt2"])
    options = parser.parse_args()
    machine = hardware.detect()
    print(f"{machine.processor}, {machine.cores} cores, {machine.system}, Python {machine.python}")
    versions = [f"{name} {dependencies.version(name)}" for name in ("torch", "transformers")]
    print(", ".join(versions))
    print(f"\n{'':20} {'':6} {'parameters':>12} {'after loading':>14} {'ratio':>6} {'peak':>11}")
    for model in registry.load().models:
        if model.id not in options.model:
            continue
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            job = real_sized.job(
                model, real_sized.make(model, folder / "checkpoint"), trials=1, warmup=1
            )
            for method in METHODS:
                launcher = launcher_of(method, [job])
                sizes, growths, peaks = [], [], []
                for _ in range(options.rounds):
                    path, log = folder / "stream", folder / "log"
                    path.unlink(missing_ok=True)
                    ending = launcher.run(job, path, log, lambda: True)
                    (result,) = schedule.complete(job, path, log, ending).results
                    if result.status != "passed":
                        raise SystemExit(result.error)
                    found = result.measurement
                    assert found.model_size_mb is not None
                    sizes.append(found.model_size_mb)
                    growths.append(
                        (found.memory_after_load_mb or 0) - (found.memory_before_mb or 0)
                    )
                    peaks.append(found.memory_growth_mb or 0)
                launcher.close()
                size, growth = sizes[0], statistics.median(growths)
                print(
                    f"{model.id:20} {method:6} {size:8.1f} MiB {growth:10.1f} MiB "
                    f"{growth / size:6.3f} {statistics.median(peaks):7.1f} MiB"
                )


if __name__ == "__main__":
    main()
