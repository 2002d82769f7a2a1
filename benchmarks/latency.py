"""Whether a job measures what others measure: ``python benchmarks/latency.py``.

A checkpoint of a published configuration with random weights is made once. Then, in turns, so that
a drift of the machine's speed touches all alike, the same call on it is timed by jobs under every
launch method, and each in an interpreter of its own with no other code of the suite around it: by
a loop of a few lines, by torch.utils.benchmark and by pyperf. The call is the forward pass, or
greedy generation for a model that generates. Prints the machine, each way's median of medians in
milliseconds, its ratio to the loop, and the share of a core that the runner's own process used
meanwhile. pyperf is left out where it is not installed.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks import real_sized
from hf_tests import dependencies, hardware, registry
from hf_tests.isolation import environment, launcher_of
from hf_tests.job import Job
from hf_tests.nightly import schedule

METHODS = ("fork", "spawn")
TEXT = "The quick brown fox jumps over the lazy dog near the {mask} bank. " + "It was late. " * 24
PROMPT = "Once upon a time, a small robot"

LOAD = """
import json, statistics, sys, time, torch, transformers
name, folder, text, warmup, trials, seconds, output = {arguments!r}
tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
model = getattr(transformers, name).from_pretrained(folder, dtype=torch.float32).eval()
inputs = tokenizer(text.replace("{{mask}}", tokenizer.mask_token or ""), return_tensors="pt")
if model.can_generate():
    options = dict(do_sample=False, num_beams=1, min_new_tokens=12, max_new_tokens=12)
    options["suppress_tokens"] = sorted(set(tokenizer.all_special_ids))
    options["pad_token_id"] = tokenizer.eos_token_id
    call = lambda: model.generate(**inputs, **options)
else:
    call = lambda: model(**inputs)
"""

LOOP = """
times = []
with torch.inference_mode():
    for trial in range(warmup + trials):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
json.dump(statistics.median(times[warmup:]), open(output, "w"))
"""

TORCH = """
from torch.utils.benchmark import Timer
timer = Timer("call()", globals=globals(), num_threads=torch.get_num_threads())
with torch.inference_mode():
    for _ in range(warmup):
        call()
    json.dump(timer.blocked_autorange(min_run_time=seconds).median, open(output, "w"))
"""

PYPERF = """
import pyperf
runner = pyperf.Runner(processes=1, values=trials, warmups=warmup, loops=1)
with torch.inference_mode():
    found = runner.bench_func("call", call)
if found is not None and not runner.args.worker:
    json.dump(found.median(), open(output, "w"))
"""

SCRIPTS = {"loop by hand": LOOP, "torch.utils.benchmark": TORCH, "pyperf": PYPERF}


def alone(job: Job, way: str, text: str, seconds: float, folder: Path) -> float:
    """Median seconds that one of SCRIPTS finds in an interpreter of its own."""
    script, output = folder / "alone.py", folder / "alone.json"
    arguments = (
        *(job.model.class_name, job.checkpoint, text),
        *(job.warmup, job.trials, seconds, str(output)),
    )
    script.write_text(LOAD.format(arguments=arguments) + SCRIPTS[way])
    variables = environment.of_job(job, folder)
    inherit = ["--quiet", f"--inherit-environ={','.join(variables)}"] if way == "pyperf" else []
    subprocess.run(
        [sys.executable, str(script), *inherit],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=variables,
        check=True,
    )
    return float(json.loads(output.read_text()))


def main() -> None:
    """Parse the command line, make the checkpoint, measure in turns, print."""
    parser = argparse.ArgumentParser(description="Whether a job measures what others measure.")
    parser.add_argument("--rounds", type=int, default=7, help="default: 7")
    parser.add_argument("--trials", type=int, default=15, help="of each round; default: 15")
    parser.add_argument("--model", default="bert-base-uncased", help="default: bert-base-uncased")
    options = parser.parse_args()
    model = next(item for item in registry.load().models if item.id == options.model)
    text = PROMPT if model.task == "text-generation" else TEXT
    model = dataclasses.replace(model, samples={"text": text})
    machine = hardware.detect()
    print(f"{machine.processor}, {machine.cores} cores, {machine.system}, Python {machine.python}")
    print(f"torch {dependencies.version('torch')}  {model.class_name}, random weights, float32\n")
    ways = [way for way in SCRIPTS if way != "pyperf" or dependencies.version("pyperf")]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        job = real_sized.job(
            model, real_sized.make(model, folder / "checkpoint"), trials=options.trials
        )
        launchers = {method: launcher_of(method, [job]) for method in METHODS}
        medians: dict[str, list[float]] = {name: [] for name in (*ways, *METHODS)}
        shares = []
        for _ in range(options.rounds):
            for way in ways:
                seconds = sum(medians["loop by hand"][-1:]) * options.trials
                medians[way].append(alone(job, way, text, seconds, folder))
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
        print("The call takes less than 50 ms, too little to compare to 3 %.")


if __name__ == "__main__":
    main()
