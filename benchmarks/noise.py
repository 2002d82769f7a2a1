"""How often a figure is called slower wrongly, or not at all: ``python benchmarks/noise.py``.

Nights that were recorded on a machine (``noise_nights.json``, made by ``--record RESULTS`` from the
runs of a results folder) are drawn at random, each as a whole: the noise of a night's checks, and
of a second measurement, is real. Each night is judged as the suite does it, those of the history
too: what was suspected is measured once more and remembered by the lesser figure. Prints the false
alarms in a thousand job-nights, the share of 15 % slowdowns found in their first night, the night
in which a drift of 1 % a night is found, and how far off the named first night of a step is. A
night on which other processes were busy is not judged at all. The first column has the nights as
recorded, on tiny checkpoints timed five times; the others have the noise of the quiet ones made
smaller, to tell under which noise a target is met.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from hf_tests.history import ingest, noise
from hf_tests.history.metrics import LATENCY
from hf_tests.history.noise import Limit
from hf_tests.nightly.figures import busy_jobs

RECORDED = Path(__file__).with_name("noise_nights.json")
HISTORY = 32  # nights before the one that is judged
LIMIT = Limit(LATENCY.threshold)

TARGETS = {
    "false alarms in 1000 job-nights": "< 1",
    "not judged, others were busy": "",
    "15 % slower, found the first night": ">= 90 %",
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
    nights = len(document["jobs"][0]["busy"])
    print(f"{document['machine']}; {nights} nights of {len(jobs)} jobs")
    quiet = [_only_quiet(job) for job in jobs]
    own = statistics.median(_deviation(nights) for job in quiet for nights in job.values())
    shares = (1.0, 0.5, 0.25, 0.125)
    print(f"spread of a check over the quiet nights: median {own:.1%}\n")
    names = ["as recorded", *(f"{own * share:.1%}" for share in shares)]
    print(f"{'spread':36}{''.join(name.rjust(12) for name in names)}  target")
    columns = [simulate(jobs, options.nights, random.Random(options.seed))]
    for share in shares:
        smaller = [_smaller(job, share) for job in quiet]
        columns.append(simulate(smaller, options.nights, random.Random(options.seed)))
    for name, target in TARGETS.items():
        cells = "".join(column[name].rjust(12) for column in columns)
        print(f"{name:36}{cells}  {target}")


def simulate(jobs: Sequence[Job], nights: int, chance: random.Random) -> dict[str, str]:
    """The table's column: what is measured and its value as text."""
    alarms = unjudged = 0
    for _ in range(nights):
        past, tonight, again = _draw(chance.choice(jobs), chance)
        if not any(night.busy for night in tonight.values()):
            alarms += any(_is_slower(past, tonight, again, key, 1.0) for key in tonight)
        else:
            unjudged += 1
    found = tried = 0
    for _ in range(nights // 10):
        past, tonight, again = _draw(chance.choice(jobs), chance)
        key = chance.choice(sorted(tonight))
        if not tonight[key].busy:
            tried += 1
            found += _is_slower(past, tonight, again, key, 1.15)
    drifts = [_drift(chance.choice(jobs), chance) for _ in range(nights // 100)]
    in_time = sum(night is not None and night <= 20 for night in drifts)
    steps = [_step_off(chance.choice(jobs), chance) for _ in range(nights // 100)]
    known = [night for night in drifts if night is not None]
    values = (
        f"{1000 * alarms / nights:.2f}",
        f"{unjudged / nights:.1%}",
        f"{found / max(1, tried):.1%}",
        f"{statistics.median(known):.0f}" if known else "-",
        f"{in_time / len(drifts):.1%}",
        f"{sum(step <= 1 for step in steps) / len(steps):.1%}",
    )
    return dict(zip(TARGETS, values, strict=True))


def _draw(
    job: Job, chance: random.Random
) -> tuple[dict[str, list[float]], dict[str, Night], dict[str, Night]]:
    """Nights before, in which no other process was busy; tonight; its second measurement.

    The second one is that of a night recorded next to tonight's: minutes lie between the two.
    """
    count = len(next(iter(job.values())))
    past: dict[str, list[float]] = {key: [] for key in job}
    for _ in range(HISTORY):
        place = chance.randrange(count - 1)
        for key, nights in job.items():
            if not nights[place].busy:
                value = nights[place].value
                again = None if nights[place + 1].busy else nights[place + 1].value
                past[key].append(_remembered(past[key], value, again))
    place = chance.randrange(count - 1)
    return (
        past,
        {key: nights[place] for key, nights in job.items()},
        {key: nights[place + 1] for key, nights in job.items()},
    )


def _remembered(past: Sequence[float], value: float, again: float | None) -> float:
    """The figure by which a night is remembered; only what is suspected has a second one."""
    found = noise.judge(past, value, None, LIMIT)
    is_suspect = found is not None and found.seen_again is None
    return noise.night_value(value, again if is_suspect else None)


def _is_slower(
    past: dict[str, list[float]],
    tonight: dict[str, Night],
    again: dict[str, Night],
    key: str,
    factor: float,
) -> bool:
    """Whether the suite calls it slower: beyond history, and again in the second measurement."""
    second = None if again[key].busy else again[key].value * factor
    found = noise.judge(past[key], tonight[key].value * factor, second, LIMIT)
    return found is not None and found.is_more and found.seen_again is True


def _drift(job: Job, chance: random.Random) -> int | None:
    """The night of a drift of 1 % a night in which it is first called; None for never in 40."""
    nights = [night.value for night in job[chance.choice(sorted(job))] if not night.busy]
    series = [chance.choice(nights) for _ in range(HISTORY)]
    for night in range(1, 41):
        factor = 1.01**night
        value, again = (chance.choice(nights) * factor for _ in range(2))
        found = noise.judge(series, value, None, LIMIT)
        if found is not None and found.seen_again is None:
            found = noise.judge(series, value, again, LIMIT)
        if found is not None and found.is_more and found.seen_again:
            return night
        series.append(_remembered(series, value, again))
    return None


def _step_off(job: Job, chance: random.Random) -> int:
    """How many nights the named first night of a step is away from the true one."""
    nights = [night.value for night in job[chance.choice(sorted(job))] if not night.busy]
    place = chance.randrange(10, 30)
    length = chance.randrange(place + 1, place + 10)
    series = [chance.choice(nights) * (1.2 if i >= place else 1.0) for i in range(length)]
    return abs(noise.first_night(series) - place)


def _only_quiet(job: Job) -> Job:
    return {key: [night for night in nights if not night.busy] for key, nights in job.items()}


def _smaller(job: Job, share: float) -> Job:
    """The same nights with their noise, as logarithms around the median, made smaller."""
    found: Job = {}
    for key, nights in job.items():
        middle = statistics.median(night.value for night in nights)
        found[key] = [
            Night(middle * (night.value / middle) ** share, night.busy) for night in nights
        ]
    return found


def _deviation(nights: Sequence[Night]) -> float:
    """The robust standard deviation relative to the median."""
    return noise.spread([math.log(night.value) for night in nights])


def record(results: Path) -> None:
    """Write the latencies of every run in a results folder that had the same checks."""
    records = [source.read() for source in ingest.sources(results)]
    hardware = records[-1].run.hardware
    disturbed = busy_jobs(
        (found.run.id, check.model, check.device, check.figures)
        for found in records
        for check in found.checks
    )
    jobs = []
    names = [
        (check.model, check.device)
        for check in records[-1].checks
        if LATENCY.key in check.figures and not check.variant
    ]
    for model, device in dict.fromkeys(names):
        checks: dict[str, list[float]] = {}
        busy = []
        for found in records:
            own = [c for c in found.checks if (c.model, c.device) == (model, device)]
            busy.append((found.run.id, model, device) in disturbed)
            for check in own:
                if LATENCY.key in check.figures:
                    checks.setdefault(check.key, []).append(check.figures[LATENCY.key])
        jobs.append({"model": model, "device": device, "busy": busy, "checks": checks})
    document = {
        "machine": f"{hardware['processor']}, {hardware['cores']} cores, {hardware['system']}",
        "jobs": jobs,
    }
    RECORDED.write_text(json.dumps(document, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
