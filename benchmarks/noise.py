"""How often a figure is called slower wrongly, or not at all: ``python benchmarks/noise.py``.

Nights that were recorded on a machine (``noise_nights.json``, made by ``--record RESULTS`` from the
runs of a results folder) are replayed, each as a whole: the noise of a night's checks is real, and
what they have in common. Tonight is any of them, its further measurements are the nights recorded
right after it (of what is not suspect, those alone that the suite measures again beside it), and
its history are others, drawn at random. Prints the false alarms in a thousand job-nights, the share
of 15 % slowdowns found in their first night, the night in which a drift of 1 % a night is found,
how far off the named first night of a step is, and how many further runs a job and night takes.
Then the same of a slowdown of everything.

A young history has no nights from here and there: its few are the nights recorded directly before
tonight, and a state of the machine may last through all of them and end with them. So the second
table replays every night that has so many before it, and the nights backwards as well, for a state
begins as it ends. Called faster is a false alarm there too.

Measured again on the spot, a machine is in the state that it was in; in the nights recorded right
after, it may not be. So the false alarms are counted once more with further measurements from the
nights that were most like tonight, by the other models' checks: the worst that can be.

The columns are the models that MOST and AGAIN of `hf_tests.history.noise` and RIDGE of
`hf_tests.history.machine_state` were chosen on (every second one), the other half, and of all those
checks whose figures differ from night to night by less, and by more, than `NOISY`. CALL, CLEAR and
the shift that is looked for follow from the targets; the first tables, of some twenty settings,
showed both halves. A night on which other processes were busy is not judged at all, nor is a
slowdown that is less than the metric's `step`.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from hf_tests.history import ingest, noise
from hf_tests.history.machine_state import CONTROLS, MachineState
from hf_tests.history.metrics import LATENCY
from hf_tests.history.noise import Explained, Limit, Verdict
from hf_tests.nightly.figures import busy_jobs

RECORDED = Path(__file__).with_name("noise_nights.json")
HISTORY = 24  # nights before the one that is judged
AGES = (1, 2, 3, 5, 8)  # nights of a young history
ALIKE = 8  # nights that are most like one
LIMIT = Limit(LATENCY.threshold, LATENCY.step, LATENCY.state)
DEVIATIONS = 2.563  # between the first and the last tenth of a normal distribution
NOISY = 0.05  # standard deviation between nights, relative

TARGETS = {
    "checks (their median spread)": "",
    "false alarms in 1000 job-nights": "< 1",
    "the same, if the state lasts": "",
    "further runs for each job": "",
    "15 % slower, found the first night": ">= 90 %",
    "25 % slower, found the first night": "",
    "1 % a night: found in night (median)": "<= 20",
    "1 % a night: found within 20 nights": "",
    "20 % step: first night within one": "",
}

YOUNG_TARGETS = {
    "job-nights": "",
    "false alarms in 1000 job-nights": "< 1",
    "the same, if the state lasts": "",
    "further runs for each job": "",
    "15 % slower, found the first night": "",
    "30 % slower, found the first night": "",
    "100 % slower, found the first night": "",
}

Name = tuple[str, str, str]
"""Model, device and key of a check."""

Nights = Mapping[int, float]
"""A check's latency in seconds by the number of the night, but for those with busy processes."""


@dataclass(frozen=True)
class Draw:
    """The numbers of a night, of those that its further measurements are, and of those before."""

    tonight: int
    again: Sequence[int]
    past: Sequence[int]


class Replay:
    """The recorded nights of all checks, and what the suite makes of them."""

    def __init__(self, checks: Mapping[Name, Nights], count: int) -> None:
        self.checks, self.count = checks, count
        quickest: dict[str, float] = {}
        for name, nights in checks.items():
            here = statistics.median(nights.values())
            quickest[name[0]] = min(here, quickest.get(name[0], here))
        self.controls = sorted(quickest, key=quickest.__getitem__)[:CONTROLS]

    def draw(self, name: Name, chance: random.Random, lasts: bool = False) -> Draw:
        """A night of a check and the measurements that can follow it.

        ``lasts`` is whether the state of the machine does.
        """
        known = sorted(self.checks[name])
        tonight = chance.choice(known[: -noise.AGAIN])
        following = [night for night in known if night > tonight][: noise.AGAIN]
        rest = [night for night in range(self.count) if not tonight <= night <= following[-1]]
        if lasts:
            states = self._states(name[0])
            alike = sorted(known, key=lambda night: abs(states[night] - states[tonight]))
            following = chance.choices(alike[1 : 1 + ALIKE], k=noise.AGAIN)
            rest = [night for night in range(self.count) if night not in {tonight, *following}]
        return Draw(tonight, following, chance.sample(rest, HISTORY))

    def young(self, name: Name, before: int) -> list[Draw]:
        """Every night of a check that has so many directly before it, and enough after it."""
        known = sorted(self.checks[name])
        return [
            Draw(
                known[place],
                known[place + 1 : place + 1 + noise.AGAIN],
                known[place - before : place],
            )
            for place in range(before, len(known) - noise.AGAIN)
        ]

    def backwards(self) -> Replay:
        """The same nights, the last one first."""
        return Replay(
            {
                name: {self.count - 1 - night: value for night, value in nights.items()}
                for name, nights in self.checks.items()
            },
            self.count,
        )

    def lasting(self, name: Name, drawn: Draw, chance: random.Random) -> Draw:
        """The same night with further measurements in the state that it was in, or most like it."""
        states = self._states(name[0])
        known = [night for night in self.checks[name] if night not in drawn.past]
        alike = sorted(known, key=lambda night: abs(states[night] - states[drawn.tonight]))
        again = chance.choices(alike[1 : 1 + ALIKE], k=noise.AGAIN)
        return Draw(drawn.tonight, again, drawn.past)

    def state(self, drawn: Draw, slower: Mapping[Name, float]) -> MachineState:
        """The state of the machine as the suite sees it; some checks are slower by a factor."""
        figures: dict[Name, dict[object, float]] = {}
        for name, nights in self.checks.items():
            factor = slower.get(name, 1.0)
            found: dict[object, float] = {n: nights[n] for n in drawn.past if n in nights}
            if drawn.tonight in nights:
                found["tonight"] = nights[drawn.tonight] * factor
            if name[0] in self.controls:
                found |= {
                    ("again", place): nights[night] * factor
                    for place, night in enumerate(drawn.again)
                    if night in nights
                }
            figures[name] = found
        rows = ["tonight", *(("again", place) for place in range(len(drawn.again)))]
        return MachineState(figures, drawn.past, rows, LIMIT)

    def judged(
        self, name: Name, drawn: Draw, state: MachineState, factor: float
    ) -> tuple[bool, int]:
        """Whether the suite calls a check slower that is so by a factor, and its further runs."""
        verdict, runs = self.verdict(name, drawn, state, factor)
        return verdict is not None and verdict.seen_again and verdict.is_more, runs

    def verdict(
        self, name: Name, drawn: Draw, state: MachineState, factor: float
    ) -> tuple[Verdict | None, int]:
        """What the suite says of a check that is slower by a factor, and its further runs."""
        nights = self.checks[name]
        past = [night for night in drawn.past if night in nights]
        values = [nights[drawn.tonight] * factor]

        def explained() -> Explained | None:
            return state.explained(name, past, [("again", n) for n in range(len(values) - 1)])

        for night in (*drawn.again, None):
            verdict = noise.judge(
                [nights[n] for n in past], values[0], values[1:], LIMIT, explained=explained
            )
            if verdict is None or verdict.seen_again:
                break
            if night is not None:
                values.append(nights[night] * factor)
        return verdict, len(values) - 1

    def _states(self, but: str) -> dict[int, float]:
        """The median deviation of each night's checks, in spreads, but for those of a model."""
        found: dict[int, list[float]] = {night: [] for night in range(self.count)}
        for name, nights in self.checks.items():
            logs = {night: math.log(value) for night, value in nights.items()}
            middle, own = statistics.median(logs.values()), noise.spread(list(logs.values()))
            if name[0] != but:
                for night, log in logs.items():
                    found[night].append((log - middle) / own)
        return {night: statistics.median(values or [0.0]) for night, values in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--record", metavar="RESULTS", type=Path, help="make the file anew")
    parser.add_argument("--nights", type=int, default=4_000, help="job-nights that are simulated")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if options.record:
        record(options.record)
    document = json.loads(RECORDED.read_text())
    checks: dict[Name, Nights] = {
        (job["model"], job["device"], key): {
            night: value
            for night, (value, busy) in enumerate(zip(values, job["busy"], strict=True))
            if value is not None and not busy
        }
        for job in document["jobs"]
        for key, values in job["checks"].items()
    }
    count = max(len(job["busy"]) for job in document["jobs"])
    replay = Replay(checks, count)
    print(f"{document['machine']}; {count} nights of {len(document['jobs'])} jobs\n")
    models = list(dict.fromkeys(name[0] for name in checks))
    columns = {
        "chosen on": [name for name in checks if name[0] in models[::2]],
        "held back": [name for name in checks if name[0] in models[1::2]],
        f"< {NOISY:.0%}": [name for name in checks if _deviation(checks[name]) < NOISY],
        f">= {NOISY:.0%}": [name for name in checks if _deviation(checks[name]) >= NOISY],
    }
    found = [
        simulate(replay, names, options.nights, random.Random(options.seed))
        for names in columns.values()
    ]
    print(f"{'':36}{''.join(name.rjust(14) for name in columns)}  target")
    for name, target in TARGETS.items():
        print(f"{name:36}{''.join(column[name].rjust(14) for column in found)}  {target}")
    for group in list(columns)[:2]:
        ages = [young(replay, columns[group], before, options.seed) for before in AGES]
        print(f"\n{group + ', nights before:':36}{''.join(f'{n:14}' for n in AGES)}  target")
        for name, target in YOUNG_TARGETS.items():
            print(f"{name:36}{''.join(column[name].rjust(14) for column in ages)}  {target}")
    print()
    for line in together(replay, options.nights // 10, random.Random(options.seed)):
        print(line)


def simulate(
    replay: Replay, names: Sequence[Name], nights: int, chance: random.Random
) -> dict[str, str]:
    """The table's column: what is measured and its value as text."""
    jobs: dict[tuple[str, str], list[Name]] = {}
    for name in names:
        jobs.setdefault(name[:2], []).append(name)
    alarms = {False: 0, True: 0}
    again = 0
    for lasts in alarms:
        for _ in range(nights):
            job = chance.choice(list(jobs.values()))
            drawn = replay.draw(job[0], chance, lasts)
            state = replay.state(drawn, {})
            verdicts = [replay.judged(name, drawn, state, 1.0) for name in job]
            alarms[lasts] += any(is_slower for is_slower, _ in verdicts)
            again += 0 if lasts else max(more for _, more in verdicts)
    long = [name for name in names if _is_long(replay.checks[name])]
    found = {1.15: 0, 1.25: 0}
    for _ in range(nights // 4):
        name = chance.choice(long)
        drawn = replay.draw(name, chance)
        state = replay.state(drawn, {})
        for factor in found:
            found[factor] += replay.judged(name, drawn, state, factor)[0]
    series = [list(replay.checks[name].values()) for name in long]
    drifts = [_drift(chance.choice(series), chance) for _ in range(nights // 20)]
    in_time = sum(night is not None and night <= 20 for night in drifts)
    steps = [_step_off(chance.choice(series), chance) for _ in range(nights // 20)]
    known = [night for night in drifts if night is not None]
    spreads = [_deviation(replay.checks[name]) for name in names]
    values = (
        f"{len(spreads)} ({statistics.median(spreads):.1%})",
        *(f"{1000 * count / nights:.2f}" for count in alarms.values()),
        f"{again / nights:.2f}",
        *(f"{count / (nights // 4):.1%}" for count in found.values()),
        f"{statistics.median(known):.0f}" if known else "-",
        f"{in_time / len(drifts):.1%}",
        f"{sum(step <= 1 for step in steps) / len(steps):.1%}",
    )
    return dict(zip(TARGETS, values, strict=True))


def young(replay: Replay, names: Sequence[Name], before: int, seed: int) -> dict[str, str]:
    """The second table's column: every job-night that has so many nights directly before it."""
    chance = random.Random(seed)
    count = runs = tried = 0
    alarms = {False: 0, True: 0}
    found = {1.15: 0, 1.3: 0, 2.0: 0}
    for way in (replay, replay.backwards()):
        jobs: dict[tuple[str, str], list[Name]] = {}
        for name in names:
            jobs.setdefault(name[:2], []).append(name)
        for job in jobs.values():
            for drawn in way.young(job[0], before):
                count += 1
                for lasts in alarms:
                    here = way.lasting(job[0], drawn, chance) if lasts else drawn
                    state = way.state(here, {})
                    said = [way.verdict(name, here, state, 1.0) for name in job]
                    alarms[lasts] += any(item is not None and item.seen_again for item, _ in said)
                    runs += 0 if lasts else max(more for _, more in said)
                state = way.state(drawn, {})
                for name in job:
                    if not _is_long(way.checks[name]):
                        continue
                    tried += 1
                    for factor in found:
                        found[factor] += way.judged(name, drawn, state, factor)[0]
    values = (
        f"{count}",
        *(f"{1000 * alarm / count:.2f}" for alarm in alarms.values()),
        f"{runs / count:.2f}",
        *(f"{called / tried:.1%}" for called in found.values()),
    )
    return dict(zip(YOUNG_TARGETS, values, strict=True))


def together(replay: Replay, nights: int, chance: random.Random) -> list[str]:
    """What comes of a slowdown of all checks, or of every second one."""
    lines = []
    names = list(replay.checks)
    for words, slower in (
        ("nothing is slower", []),
        ("everything is 15 % slower", names),
        ("every second check is 15 % slower", names[::2]),
    ):
        told = called = either = tried = 0
        factors = dict.fromkeys(slower, 1.15)
        for _ in range(nights):
            drawn = replay.draw(names[0], chance)
            state = replay.state(drawn, factors)
            name = chance.choice(
                [name for name in slower or names if _is_long(replay.checks[name])]
            )
            if drawn.tonight not in replay.checks[name]:
                continue
            following = [night for night in drawn.again if night in replay.checks[name]]
            own = Draw(drawn.tonight, following, drawn.past)
            is_told = any(verdict.is_more for verdict in state.common.values())
            is_called = replay.judged(name, own, state, factors.get(name, 1.0))[0]
            tried, told, called = tried + 1, told + is_told, called + is_called
            either += is_told or is_called
        lines.append(
            f"{words + ':':36} told as one {told / tried:.1%}, "
            f"a check called {called / tried:.1%}, either {either / tried:.1%}"
        )
    return lines


def _is_long(nights: Nights) -> bool:
    return 0.15 * statistics.median(nights.values()) > LIMIT.step


def _measured(
    past: Sequence[float], nights: Sequence[float], factor: float
) -> tuple[noise.Verdict | None, list[float]]:
    """The verdict, and as many measurements as it took, whatever the state of the machine."""
    values = [nights[0] * factor]
    verdict = noise.judge(past, values[0], (), LIMIT)
    for night in nights[1 : 1 + noise.AGAIN]:
        if verdict is None or verdict.seen_again:
            break
        values.append(night * factor)
        verdict = noise.judge(past, values[0], values[1:], LIMIT)
    return verdict, values


def _random_nights(nights: Sequence[float], chance: random.Random) -> Sequence[float]:
    """A night and those after it."""
    return nights[chance.randrange(len(nights) - noise.AGAIN) :]


def _drift(nights: Sequence[float], chance: random.Random) -> int | None:
    """The night of a drift of 1 % a night in which it is first called; None for never in 40."""
    series: list[float] = []
    for _ in range(HISTORY):
        values = _measured(series, _random_nights(nights, chance), 1.0)[1]
        series.append(noise.night_value(values[0], values[1:]))
    for night in range(1, 41):
        found, values = _measured(series, _random_nights(nights, chance), 1.01**night)
        if found is not None and found.is_more and found.seen_again:
            return night
        series.append(noise.night_value(values[0], values[1:]))
    return None


def _step_off(nights: Sequence[float], chance: random.Random) -> int:
    """How many nights the named first night of a step is away from the true one."""
    place = chance.randrange(10, 30)
    series: list[float] = []
    for night in range(chance.randrange(place + 1, place + 10)):
        factor = 1.2 if night >= place else 1.0
        values = _measured(series, _random_nights(nights, chance), factor)[1]
        series.append(noise.night_value(values[0], values[1:]))
    return abs(noise.first_night(series) - place)


def _deviation(nights: Nights) -> float:
    """The standard deviation relative to the median, from the middle eight tenths of the nights."""
    tenths = statistics.quantiles([math.log(value) for value in nights.values()], n=10)
    return (tenths[-1] - tenths[0]) / DEVIATIONS


def record(results: Path) -> None:
    """Write the latencies of every run in a results folder; null where a job did not run whole."""
    found_in = [source.read() for source in ingest.sources(results)]
    records = [found for found in found_in if found is not None]
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
    runs = [found.run.id for found in records]
    jobs = []
    for (model, device), nights in by_job.items():
        keys = max(nights.values(), key=len)
        whole = {run: values for run, values in nights.items() if values.keys() == keys.keys()}
        jobs.append(
            {
                "model": model,
                "device": device,
                "busy": [(run, model, device) in disturbed for run in runs],
                "checks": {
                    key: [float(f"{whole[run][key]:.4g}") if run in whole else None for run in runs]
                    for key in keys
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
