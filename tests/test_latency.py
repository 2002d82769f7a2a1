"""Timed trials: how many are made, what is said of them, and when they are not to be believed."""

from __future__ import annotations

import math
import multiprocessing
import random
import statistics
import time
import unittest
from typing import Any

from hf_tests import hardware, latency
from hf_tests.job import Job
from hf_tests.nightly import merge
from hf_tests.outcome import Measurement
from hf_tests.probe import timing
from tests import support


class TestSummary(unittest.TestCase):
    def test_against_the_definitions(self) -> None:
        numbers = random.Random(1)
        times = [numbers.lognormvariate(-3, 0.3) for _ in range(101)]
        found = latency.summary(times)
        ordered = sorted(times)
        self.assertEqual((found.count, found.least, found.most), (101, ordered[0], ordered[-1]))
        self.assertAlmostEqual(found.mean, sum(times) / 101)
        self.assertEqual(found.median, ordered[50])
        self.assertAlmostEqual(found.deviation, statistics.stdev(times))
        self.assertEqual((found.p90, found.p95, found.p99), (ordered[90], ordered[95], ordered[99]))
        halfway = latency.summary([1.0, 2.0])
        self.assertAlmostEqual(halfway.p90, 1.9)

    def test_one_trial(self) -> None:
        found = latency.summary([0.5])
        self.assertEqual((found.median, found.p99, found.deviation), (0.5, 0.5, 0.0))
        self.assertIsNone(found.interval)
        self.assertEqual(found.precision, math.inf)

    def test_interval_holds_the_median_as_often_as_it_says(self) -> None:
        """Of a skewed distribution with a known median, for few trials and for many."""
        numbers = random.Random(2)
        for count in (6, 9, 25, 60):
            runs, held = 4000, 0
            for _ in range(runs):
                times = [numbers.lognormvariate(0, 0.5) for _ in range(count)]
                interval = latency.summary(times).interval
                assert interval is not None
                held += interval[0] <= 1.0 <= interval[1]
            self.assertGreater(held / runs, 0.94, count)
            self.assertLess(held / runs, 0.995, count)

    def test_no_interval_for_five(self) -> None:
        self.assertIsNone(latency.summary([1.0, 1.1, 1.2, 1.3, 1.4]).interval)
        self.assertEqual(latency.summary([6.0, 1.0, 2.0, 3.0, 4.0, 5.0]).interval, (1.0, 6.0))


class TestDoubts(unittest.TestCase):
    GOOD = [1.0, 1.001, 1.002, 0.999, 0.998, 1.0, 1.001, 0.999]

    def test_none_about_good_figures(self) -> None:
        self.assertEqual(latency.doubts(self.GOOD, 0, 0.01), ())
        self.assertEqual(latency.doubts(self.GOOD, 0, None), ())

    def test_each(self) -> None:
        for times, beside, busy, words in (
            (self.GOOD[:5], 0, 0.0, "5 trials are too few"),
            ([1.0, 2.0, 1.0, 2.0, 1.0, 2.0], 0, 0.0, "the median is known to 33% only"),
            ([1.0] * 30 + [9.0], 0, 0.0, r"trials differ by \d+% \(standard deviation\)"),
            (self.GOOD, 1, 0.0, "another job ran beside it"),
            (self.GOOD, 3, 0.0, "3 other jobs ran beside it"),
            (self.GOOD, 0, 1.5, "other processes used 1.5 cores"),
        ):
            with self.subTest(words):
                self.assertRegex(" ".join(latency.doubts(times, beside, busy)), words)

    def test_a_slow_clock(self) -> None:
        said = "the processor slowed itself for heat 2 times"
        self.assertEqual(latency.doubts(self.GOOD, 0, 0.0, said), (said,))


class TestTrials(unittest.TestCase):
    def trials(self, call: Any, **changes: Any) -> timing.Trials:
        job: Job = support.job("gpt2", **changes)
        return timing.trials(call, job)[1]

    def test_ends_when_the_median_is_known(self) -> None:
        calls = 0

        def call() -> None:
            nonlocal calls
            calls += 1
            time.sleep(0.05)

        found = self.trials(call, trials=500, min_trials=8, time_budget_s=60.0)
        self.assertTrue(8 <= len(found.times) < 500)
        self.assertEqual(calls, len(found.times) + 1, "and one to warm up")
        self.assertGreaterEqual(found.first_s, 0.05)
        self.assertLessEqual(latency.summary(found.times).precision, timing.PRECISION)

    def test_first_token(self) -> None:
        """Of what marks the watch once and again, only the first mark of each run counts."""
        job = support.job("gpt2", trials=3, min_trials=3)
        watch = timing.Watch("cpu")

        def call() -> None:
            time.sleep(0.01)
            watch.mark()
            time.sleep(0.03)
            watch.mark()

        found = timing.trials(call, job, watch=watch)[1]
        self.assertEqual(len(found.first_token_times), 3)
        for first, whole in zip(found.first_token_times, found.times, strict=True):
            self.assertGreaterEqual(first, 0.01)
            self.assertGreaterEqual(whole - first, 0.03)

    def test_ends_when_the_time_is_spent(self) -> None:
        lengths = iter([0.001, 0.2] * 1000)
        found = self.trials(
            lambda: time.sleep(next(lengths)), trials=1000, min_trials=3, time_budget_s=0.5
        )
        self.assertGreaterEqual(sum(found.times), 0.5)
        self.assertTrue(3 <= len(found.times) <= 6, found.times)

    def test_at_least_and_at_most(self) -> None:
        most = self.trials(lambda: None, trials=4, min_trials=4, time_budget_s=1e-9)
        self.assertEqual(len(most.times), 4)
        lengths = iter([0.001, 0.01] * 100)
        few = self.trials(lambda: time.sleep(next(lengths)), trials=7, min_trials=1)
        self.assertEqual(len(few.times), 7)

    def test_a_busy_machine_is_noticed(self) -> None:
        """Processes that do nothing but use every core, and this one that only waits."""

        def wait() -> None:
            time.sleep(0.1)

        settings = {"trials": 8, "min_trials": 8}
        others = [
            multiprocessing.get_context("spawn").Process(target=_spin, args=(20.0,), daemon=True)
            for _ in range(hardware.available_cores())
        ]
        for other in others:
            other.start()
        time.sleep(1.0)
        busy = self.trials(wait, **settings).busy_cores
        for other in others:
            other.kill()
            other.join()
        assert busy is not None
        self.assertGreater(busy, 0.6)
        self.assertIn("other processes used", latency.doubts([1.0] * 8, 0, busy)[0])


class TestFigures(unittest.TestCase):
    def test_throughput_in_the_task_s_unit(self) -> None:
        measurement = Measurement(trial_times=(0.5,) * 6, work=12, work_unit="tokens")
        figures = merge.performance_rows(support.result(measurement=measurement))["pipeline_cpu"]
        self.assertEqual((figures["throughput"], figures["work_unit"]), (24.0, "tokens"))
        self.assertEqual(figures["median_interval"], [0.5, 0.5])
        self.assertEqual(figures["doubts"], [])

    def test_every_task_says_what_it_does(self) -> None:
        from hf_tests.probe import tasks

        for model in support.shipped().models:
            work = tasks.get(model.task).work(model)
            self.assertGreater(work.amount, 0)
            self.assertTrue(work.unit)


def _spin(seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        pass
