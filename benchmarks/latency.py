"""Whether a job measures what a loop by hand measures: ``python benchmarks/latency.py``.

A checkpoint of a published configuration with random weights is made once. Then, in turns, so that
a drift of the machine's speed touches all alike, its forward pass is timed by jobs under every
launch method and by a loop of a few lines in an interpreter of its own, with no other code of the
suite around it, and there by torch.utils.benchmark too. Prints the machine, each way's median of
medians in milliseconds, its ratio to the loop, and the share of a core that the runner's own
process used meanwhile.
"""

from __future__ import annotations

import argparse
import dataclasses
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from hf_tests import cache, dependencies, hardware, registry
from hf_tests.isolation import environment, launcher_of
from hf_tests.job import Job
from hf_tests.nightly import schedule

METHODS = ("fork", "spawn")
TEXT = "The quick brown fox jumps over the lazy dog near the {mask} bank. " + "It was late. " * 24

MAKE = """
import sys, shutil, torch, transformers
name, tiny, target = sys.argv[1:]
shutil.copytree(tiny, target, dirs_exist_ok=True)
cls = getattr(transformers, name)
config = cls.config_class(vocab_size=transformers.AutoConfig.from_pretrained(tiny).vocab_size)
torch.manual_seed(0)
cls(config).save_pretrained(target)
"""

LOOP = """
import statistics, sys, time, torch, transformers
name, folder, text, warmup, trials = sys.argv[1:]
tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
model = getattr(transformers, name).from_pretrained(folder, dtype=torch.float32).eval()
inputs = tokenizer(text.replace("{mask}", tokenizer.mask_token or ""), return_tensors="pt")
times = []
with torch.inference_mode():
    for trial in range(int(warmup) + int(trials)):
        start = time.perf_counter()
        model(**inputs)
        times.append(time.perf_counter() - start)
print(statistics.median(times[int(warmup):]))
from torch.utils.benchmark import Timer
timer = Timer("model(**inputs)", globals=globals(), num_threads=torch.get_num_threads())
with torch.inference_mode():
    print(timer.blocked_autorange(min_run_time=sum(times[int(warmup):])).median)
"""


def loop(job: Job) -> tuple[float, float]:
    """Median seconds of the loop by hand, and of torch.utils.benchmark in the same process."""
    assert job.checkpoint is not None
    arguments = (job.model.class_name, job.checkpoint, TEXT, str(job.warmup), str(job.trials))
    variables = environment.of_job(job, Path(tempfile.gettempdir()))
    done = subprocess.run(
        [sys.executable, "-c", LOOP, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=variables,
        text=True,
        check=True,
    )
    by_hand, by_torch = done.stdout.split()
    return float(by_hand), float(by_torch)


def main() -> None:
    """Parse the command line, make the checkpoint, measure in turns, print."""
    parser = argparse.ArgumentParser(description="Whether a job measures what a loop measures.")
    parser.add_argument("--rounds", type=int, default=7, help="default: 7")
    parser.add_argument("--trials", type=int, default=15, help="of each round; default: 15")
    parser.add_argument("--model", default="bert-base-uncased", help="one that fills a mask")
    options = parser.parse_args()
    model = next(item for item in registry.load().models if item.id == options.model)
    model = dataclasses.replace(model, samples={"text": TEXT})
    machine = hardware.detect()
    print(f"{machine.processor}, {machine.cores} cores, {machine.system}, Python {machine.python}")
    print(f"torch {dependencies.version('torch')}  {model.class_name}, random weights, float32\n")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        from hf_tests.probe import checkpoints

        tiny = str(checkpoints.tiny_folder(model, Path(cache.default_folder())))
        checkpoint = str(folder / "checkpoint")
        command = [sys.executable, "-c", MAKE, model.class_name, tiny, checkpoint]
        subprocess.run(command, stderr=subprocess.DEVNULL, check=True)
        job = Job(
            model,
            "cpu",
            ("from_pretrained",),
            "local",
            checkpoint,
            "",
            600.0,
            trials=options.trials,
            min_trials=options.trials,
            warmup=3,
        )
        launchers = {method: launcher_of(method, [job]) for method in METHODS}
        names = ("loop by hand", "torch.utils.benchmark", *METHODS)
        medians: dict[str, list[float]] = {name: [] for name in names}
        shares = []
        for _ in range(options.rounds):
            for name, median in zip(names, loop(job), strict=False):
                medians[name].append(median)
            for method, launcher in launchers.items():
                path, log = folder / "stream", folder / "log"
                path.unlink(missing_ok=True)
                cpu, wall = time.process_time(), time.monotonic()
                ending = launcher.run(job, path, log, lambda: True)
                shares.append((time.process_time() - cpu) / (time.monotonic() - wall))
                (result,) = schedule.complete(job, path, log, ending).results
                if result.status != "passed":
                    raise SystemExit(result.error)
                medians[method].append(statistics.median(result.measurement.trial_times))
        for launcher in launchers.values():
            launcher.close()
    base = statistics.median(medians["loop by hand"])
    print(f"{'':21} {'median':>9} {'least':>9} {'most':>9} {'to the loop':>12}")
    for name, found in medians.items():
        pairs = zip(found, medians["loop by hand"], strict=True)
        ratio = statistics.median(one / other for one, other in pairs)
        cells = " ".join(
            f"{value * 1000:6.1f} ms"
            for value in (statistics.median(found), min(found), max(found))
        )
        print(f"{name:21} {cells} {ratio:12.3f}")
    print(f"\nThe runner used {statistics.median(shares):.2%} of a core while a job ran.")
    if base < 0.05:
        print("The model takes less than 50 ms a pass, too little to compare to 3 %.")


if __name__ == "__main__":
    main()
