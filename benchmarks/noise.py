"""How often a figure is called slower wrongly, or not at all: ``python benchmarks/noise.py``.

Nights that were recorded on a machine (``noise_nights.json``, made by ``--record RESULTS`` from the
runs of a results folder) are drawn at random, each as a whole: the noise of a night's checks is
real, and that of further measurements is that of the nights recorded right after it. Each night is
judged as the suite does it, those of the history too: what stays suspect is measured again and
remembered by the median. Prints the false alarms in a thousand job-nights, the share of 15 %
slowdowns found in their first night, the night in which a drift of 1 % a night is found, how far
off the named first night of a step is, and how many jobs a night are run once more.

The constants of `hf_tests.history.noise` were chosen on every second model, but for one that was
raised after false alarms in the other half (FAR_SPREADS); about fifty settings were tried. The
columns are that half, the other half, and of all those checks whose figures
differ from night to night by less, and by more, than `NOISY`. A night on which other
processes were busy is not judged at all, nor is a slowdown that is less than the metric's `step`.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from hf_tests.history import ingest, noise
from hf_tests.history.metrics import LATENCY
from hf_tests.history.noise import Limit
from hf_tests.nightly.figures import busy_jobs

RECORDED = Path(__file__).with_name("noise_nights.json")
HISTORY = 32  # nights before the one that is judged
LIMIT = Limit(LATENCY.threshold, LATENCY.step)
DEVIATIONS = 2.563  # between the first and the last tenth of a normal distribution
NOISY = 0.05  # standard deviation between nights, relative

TARGETS = {
    "checks (their median spread)": "",
    "false alarms in 1000 job-nights": "< 1",
    "not judged, others were busy": "",
    "further runs for each job": "",
    "15 % slower, found the first night": ">= 90 %",
    "25 % slower, found the first night": "",
    "1 % a night: found in night (median)": "<= 20",
    "1 % a night: found within 20 nights": "",
    "20 % step: first night within one": "",
}


@dataclass(frozen=True)
class Night:
    """A check's latency in one recorded night, in seconds; whether others were busy meanwhile."""

    value: float
    busy: bool


Job = dict[str, list[Night]]
"""The recorded nights of each check of one job, in the same order."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--record", metavar="RESULTS", type=Path, help="make the file anew")
    parser.add_argument("--nights", type=int, default=10_000, help="job-nights that are simulated")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if options.record:
        record(options.record)
    document = json.loads(RECORDED.read_text())
    jobs = [
        {
            key: [Night(value, busy) for value, busy in zip(values, job["busy"], strict=True)]
            for key, values in job["checks"].items()
        }
        for job in document["jobs"]
    ]
    nights = max(len(document_job["busy"]) for document_job in document["jobs"])
    print(f"{document['machine']}; {nights} nights of {len(jobs)} jobs\n")
    models = [job["model"] for job in document["jobs"]]
    halves = [_half(jobs, models, 0), _half(jobs, models, 1)]
    columns = {
        "chosen on": halves[0],
        "held back": halves[1],
        f"< {NOISY:.0%}": _of_spread(jobs, lambda spread: spread < NOISY),
        f">= {NOISY:.0%}": _of_spread(jobs, lambda spread: spread >= NOISY),
    }
    found = [simulate(own, options.nights, random.Random(options.seed)) for own in columns.values()]
    print(f"{'':36}{''.join(name.rjust(14) for name in columns)}  target")
    for name, target in TARGETS.items():
        print(f"{name:36}{''.join(column[name].rjust(14) for column in found)}  {target}")


def _half(jobs: Sequence[Job], models: Sequence[str], which: int) -> list[Job]:
    """The jobs of every second model."""
    places = {model: place for place, model in enumerate(dict.fromkeys(models))}
    return [job for job, model in zip(jobs, models, strict=True) if places[model] % 2 == which]


def _of_spread(jobs: Sequence[Job], wanted: Callable[[float], bool]) -> list[Job]:
    found = [
        {key: nights for key, nights in job.items() if wanted(_deviation(nights))} for job in jobs
    ]
    return [job for job in found if job]


def simulate(jobs: Sequence[Job], nights: int, chance: random.Random) -> dict[str, str]:
    """The table's column: what is measured and its value as text."""
    alarms = unjudged = again = 0
    for _ in range(nights):
        past, tonight = _draw(chance.choice(jobs), chance)
        if any(measured[0].busy for measured in tonight.values()):
            unjudged += 1
            continue
        verdicts = [_judged(past[key], tonight[key], 1.0) for key in tonight]
        alarms += any(is_slower for is_slower, _ in verdicts)
        again += max(more for _, more in verdicts)
    found = {1.15: 0, 1.25: 0}
    tried = 0
    for _ in range(nights // 4):
        past, tonight = _draw(chance.choice(jobs), chance)
        key = chance.choice(sorted(tonight))
        if not tonight[key][0].busy and _is_long(tonight[key]):
            tried += 1
            for factor in found:
                found[factor] += _judged(past[key], tonight[key], factor)[0]
    series = [job[key] for job in jobs for key in job if _is_long(job[key])]
    drifts = [_drift(chance.choice(series), chance) for _ in range(nights // 50)]
    in_time = sum(night is not None and night <= 20 for night in drifts)
    steps = [_step_off(chance.choice(series), chance) for _ in range(nights // 50)]
    known = [night for night in drifts if night is not None]
    spreads = [_deviation(nights) for job in jobs for nights in job.values()]
    values = (
        f"{len(spreads)} ({statistics.median(spreads):.1%})",
        f"{1000 * alarms / nights:.2f}",
        f"{unjudged / nights:.1%}",
        f"{again / nights:.2f}",
        *(f"{count / max(1, tried):.1%}" for count in found.values()),
        f"{statistics.median(known):.0f}" if known else "-",
        f"{in_time / len(drifts):.1%}",
        f"{sum(step <= 1 for step in steps) / len(steps):.1%}",
    )
    return dict(zip(TARGETS, values, strict=True))


def _is_long(nights: Sequence[Night]) -> bool:
    return 0.15 * statistics.median(night.value for night in nights) > LIMIT.step


def _draw(
    job: Job, chance: random.Random
) -> tuple[dict[str, list[float]], dict[str, Sequence[Night]]]:
    """Nights before, in which no other process was busy; tonight and all that can follow it."""
    count = len(next(iter(job.values()))) - noise.AGAIN
    past: dict[str, list[float]] = {key: [] for key in job}
    for _ in range(HISTORY):
        place = chance.randrange(count)
        for key, nights in job.items():
            if not nights[place].busy:
                past[key].append(_remembered(past[key], nights[place:], 1.0))
    place = chance.randrange(count)
    return past, {key: nights[place : place + 1 + noise.AGAIN] for key, nights in job.items()}


def _measured(
    past: Sequence[float], nights: Sequence[Night], factor: float
) -> tuple[noise.Verdict | None, list[float]]:
    """The verdict, and as many measurements as it took; those beside busy processes are none."""
    values = [nights[0].value * factor]
    verdict = noise.judge(past, values[0], (), LIMIT)
    for night in nights[1 : 1 + noise.AGAIN]:
        if verdict is None or verdict.seen_again is not None:
            break
        if not night.busy:
            values.append(night.value * factor)
            verdict = noise.judge(past, values[0], values[1:], LIMIT)
    return verdict, values


def _judged(past: Sequence[float], nights: Sequence[Night], factor: float) -> tuple[bool, int]:
    """Whether the suite calls it slower, and how often it was measured again."""
    verdict, values = _measured(past, nights, factor)
    is_slower = verdict is not None and verdict.is_more and verdict.seen_again is True
    return is_slower, len(values) - 1


def _remembered(past: Sequence[float], nights: Sequence[Night], factor: float) -> float:
    """The figure by which a night is remembered; only what is suspected has further ones."""
    _, values = _measured(past, nights, factor)
    return noise.night_value(values[0], values[1:])


def _random_nights(nights: Sequence[Night], chance: random.Random) -> Sequence[Night]:
    """A night in which no other process was busy, and those after it."""
    quiet = [place for place in range(len(nights) - noise.AGAIN) if not nights[place].busy]
    return nights[chance.choice(quiet) :]


def _drift(nights: Sequence[Night], chance: random.Random) -> int | None:
    """The night of a drift of 1 % a night in which it is first called; None for never in 40."""
    series: list[float] = []
    for _ in range(HISTORY):
        series.append(_remembered(series, _random_nights(nights, chance), 1.0))
    for night in range(1, 41):
        found, values = _measured(series, _random_nights(nights, chance), 1.01**night)
        if found is not None and found.is_more and found.seen_again:
            return night
        series.append(noise.night_value(values[0], values[1:]))
    return None


def _step_off(nights: Sequence[Night], chance: random.Random) -> int:
    """How many nights the named first night of a step is away from the true one."""
    place = chance.randrange(10, 30)
    series: list[float] = []
    for night in range(chance.randrange(place + 1, place + 10)):
        factor = 1.2 if night >= place else 1.0
        series.append(_remembered(series, _random_nights(nights, chance), factor))
    return abs(noise.first_night(series) - place)


def _deviation(nights: Sequence[Night]) -> float:
    """The standard deviation relative to the median, from the middle eight tenths of the nights."""
    tenths = statistics.quantiles([math.log(night.value) for night in nights], n=10)
    return (tenths[-1] - tenths[0]) / DEVIATIONS


def record(results: Path) -> None:
    """Write the latencies of every run in a results folder, of each job those nights it ran."""
    records = [source.read() for source in ingest.sources(results)]
    hardware = records[-1].run.hardware
    disturbed = busy_jobs(
        (found.run.id, check.model, check.device, check.figures)
        for found in records
        for check in found.checks
    )
    by_job: dict[tuple[str, str], dict[str, dict[str, float]]] = {}
    for found in records:
        for check in found.checks:
            if LATENCY.key in check.figures and not check.variant:
                nights = by_job.setdefault((check.model, check.device), {})
                nights.setdefault(found.run.id, {})[check.key] = check.figures[LATENCY.key]
    jobs = []
    for (model, device), nights in by_job.items():
        keys = max(nights.values(), key=len)
        whole = {run: values for run, values in nights.items() if values.keys() == keys.keys()}
        jobs.append(
            {
                "model": model,
                "device": device,
                "busy": [(run, model, device) in disturbed for run in whole],
                "checks": {
                    key: [float(f"{values[key]:.4g}") for values in whole.values()] for key in keys
                },
            }
        )
    document = {
        "machine": f"{hardware['processor']}, {hardware['cores']} cores, {hardware['system']}",
        "jobs": jobs,
    }
    RECORDED.write_text(json.dumps(document, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
