"""Comparing runs: statuses, figures against their history, only like with like, and its words."""

from __future__ import annotations

import dataclasses
import json
import math
import random
import shutil
import statistics
import unittest
from typing import Any

from hf_tests.history import noise, query, record
from hf_tests.history.metrics import LATENCY
from hf_tests.history.noise import Limit
from hf_tests.nightly import choice, compare, morning
from hf_tests.nightly.compare import Comparison
from hf_tests.nightly.usage import UsageError
from hf_tests.outcome import CheckResult
from tests import nights, support

LIMIT = Limit(0.10)


class Nights(unittest.TestCase):
    """Ten quiet nights of two models in a results folder."""

    def setUp(self) -> None:
        self.results = support.temporary_folder(self)
        chance = random.Random(0)
        for day in range(1, 11):
            factor = 1 + chance.uniform(-0.02, 0.02)
            nights.write(
                self.results, day, [nights.timed(0.01 * factor), nights.timed(0.5, "gpt2")]
            )

    def after(self, *checks: CheckResult, day: int = 11, **changes: Any) -> Comparison:
        """The comparison of one more night with the newest one before it."""
        nights.write(self.results, day, checks, **changes)
        return self.compared()

    def compared(
        self, base: str | None = None, new: str | None = None, limits: Any = None
    ) -> Comparison:
        with query.opened(self.results) as history:
            return compare.compare(
                *choice.pair(history, base, new), history.trends(last=40), limits
            )


def again(
    check: CheckResult, median: float, times: int = noise.AGAIN, **changes: Any
) -> CheckResult:
    """The check with further measurements."""
    return nights.measured_again(check, median, times, **changes)


class TestStatuses(Nights):
    def test_each_kind(self) -> None:
        broken = support.result(
            "error", model="gpt2", family="gpt", error_type="out_of_memory", error="no room"
        )
        found = self.after(nights.timed(0.01), broken)
        self.assertTrue(found.is_regression)
        (failure,) = found.new_failures
        self.assertEqual(
            (failure.model, failure.before, failure.after, failure.error_type),
            ("gpt2", "passed", "error", "out_of_memory"),
        )
        found = self.after(support.result("skipped", reason="no"), broken, day=12)
        self.assertFalse(found.is_regression)
        self.assertEqual(found.new_failures, ())
        self.assertEqual(found.still_failing[0].since, "2026-01-11T02:30:00Z")
        self.assertEqual(len(found.newly_skipped), 1)
        found = self.after(nights.timed(0.01), nights.timed(0.5, "gpt2"), day=13)
        self.assertEqual([item.model for item in found.fixed], ["gpt2"])
        found = self.after(nights.timed(0.01), nights.timed(0.01, "t5-small"), day=14)
        self.assertEqual((found.models_new, found.models_gone), (("t5-small",), ("gpt2",)))

    def test_a_check_that_is_gone_and_predictions(self) -> None:
        one = nights.timed(0.01, predictions=({"token": "a", "score": 0.51234},))
        both = nights.timed(0.02, method="from_pretrained")
        self.after(one, both, day=11)
        near = nights.timed(0.01, predictions=({"token": "a", "score": 0.51235},))
        found = self.after(near, day=12)
        self.assertEqual(found.checks_gone, ("bert-base-uncased from_pretrained_cpu",))
        self.assertEqual(found.predictions, ())
        other = nights.timed(0.01, predictions=({"token": "b", "score": 0.51234},))
        (difference,) = self.after(other, both, day=13).predictions
        self.assertIn('"token":"b"', difference.after)
        elsewhere = nights.changed(one, checkpoint="/cache/another-2")
        self.assertEqual(self.after(elsewhere, day=14).predictions, ())

    def test_environments(self) -> None:
        versions = {**nights.VERSIONS, "torch": "2.15.0"}
        found = self.after(nights.timed(0.01), versions=versions, options={"all": True, "jobs": 2})
        self.assertEqual([str(item) for item in found.versions], ["torch 2.14.1 -> 2.15.0"])
        self.assertEqual([str(item) for item in found.options], ["jobs none -> 2"])


class TestFigures(Nights):
    def test_slower_only_when_seen_again(self) -> None:
        slow = nights.timed(0.0125)
        found = self.after(slow, day=11)
        self.assertEqual((found.worse, len(found.unsure)), ((), 1))
        self.assertFalse(found.is_regression)
        found = self.after(again(slow, 0.0124), day=11)
        self.assertEqual([item.metric for item in found.worse], ["latency"])
        self.assertAlmostEqual(found.worse[0].ratio, 1.25, delta=0.03)
        self.assertEqual(found.worse[0].since, "2026-01-11T02:30:00Z")
        self.assertTrue(found.is_regression)
        found = self.after(again(slow, 0.0124, times=3), day=11)
        self.assertEqual((found.worse, len(found.unsure)), ((), 1), "too few to tell")
        found = self.after(again(slow, 0.0124, times=noise.FEWEST - 1), day=11)
        self.assertEqual([item.metric for item in found.worse], ["latency"], "just enough")
        found = self.after(again(slow, 0.0101), day=11)
        self.assertEqual((found.worse, found.unsure), ((), ()))

    def test_old_news_is_no_regression(self) -> None:
        slow = again(nights.timed(0.0125), 0.0125)
        self.assertEqual(len(self.after(slow, day=11).worse), 1)
        found = self.after(slow, day=12)
        self.assertEqual((found.worse, len(found.still_worse)), ((), 1))
        self.assertEqual(found.still_worse[0].since, "2026-01-11T02:30:00Z")
        with query.opened(self.results) as history:
            older = history.runs()[5].id
        self.assertEqual(len(self.compared(older).worse), 1, "against last week it is one")

    def test_faster_and_memory(self) -> None:
        found = self.after(again(nights.timed(0.005), 0.005), day=11)
        self.assertEqual((found.worse, [item.metric for item in found.better]), ((), ["latency"]))
        large = nights.timed(0.01, memory_mb=200.0)
        found = self.after(again(large, 0.01, memory_mb=200.0), day=11)
        self.assertEqual([item.metric for item in found.worse], ["memory"])

    def test_memory_of_a_process_that_converted_the_model(self) -> None:
        """It is that of the conversion: neither such a night nor one after it is news."""
        large = nights.timed(0.01, memory_mb=200.0)
        for cached, metrics in ((True, ["memory"]), (False, [])):
            measured = dataclasses.replace(large.measurement, conversion_cached=cached)
            converted = nights.changed(large, measurement=measured)
            found = self.after(again(converted, 0.01, memory_mb=200.0), day=11)
            self.assertEqual([item.metric for item in found.worse], metrics)
            self.assertEqual(found.unsure, ())
            kept = record.figures_of({"memory_growth_mb": 200.0, "conversion_cached": cached})
            self.assertEqual(list(kept.values()), [200.0], "the history has it all the same")

    def test_thresholds(self) -> None:
        slow = again(nights.timed(0.0125), 0.0125)
        self.after(slow, day=11)
        for name in ("", "bert-base-uncased"):
            self.assertEqual(self.compared(limits={name: {"latency": 0.5}}).worse, ())
        self.assertEqual(len(self.compared(limits={"gpt2": {"latency": 0.5}}).worse), 1)

    def test_only_like_with_like(self) -> None:
        slow = again(nights.timed(0.05), 0.05)
        for field, value, reason in (
            ("weights", "hub", "other weights"),
            ("isolation", "spawn", "started in another way"),
            ("jobs_beside", 1, "other jobs beside it"),
        ):
            nights.write(self.results, 11, [nights.changed(slow, **{field: value})])
            with query.opened(self.results) as history:
                base = history.runs()[-2].id
            found = self.compared(base)
            self.assertEqual((found.worse, found.compared), ((), 0), field)
            self.assertEqual(found.not_compared, {reason: 3})
        other = {**nights.HARDWARE, "cores": 64}
        nights.write(self.results, 11, [slow], hardware=other)
        found = self.compared(base)
        self.assertEqual(found.not_compared, {"another machine": 3})
        self.assertEqual([str(item) for item in found.machine], ["cores 2 -> 64"])
        with self.assertRaisesRegex(UsageError, "no run before"):
            self.compared()

    def test_a_busy_machine_judges_nothing(self) -> None:
        busy = nights.timed(0.05, busy_cores=1.0)
        found = self.after(again(busy, 0.05), day=11)
        self.assertEqual((found.worse, found.unsure), ((), ()))
        self.assertEqual(sum(found.not_compared.values()), 2)
        quiet = again(nights.timed(0.05), 0.05, busy_cores=1.0)
        found = self.after(quiet, day=11)
        self.assertEqual((found.worse, len(found.unsure)), ((), 1))

    def test_a_job_that_cannot_tell_is_busy_when_the_others_are(self) -> None:
        busy = nights.timed(0.5, "gpt2", busy_cores=1.0)
        short = again(nights.timed(0.02, busy_cores=None), 0.02, busy_cores=None)
        found = self.after(busy, short, day=11)
        self.assertEqual((found.worse, found.unsure), ((), ()))
        found = self.after(nights.timed(0.5, "gpt2"), short, day=12)
        self.assertEqual(len(found.worse), 1)

    def test_suspects(self) -> None:
        nights.write(self.results, 11, [nights.timed(0.0125), nights.timed(0.5, "gpt2")])
        with query.opened(self.results) as history:
            new = choice.named(history, "latest")
            self.assertEqual(
                compare.suspects(new, history.trends()),
                (("bert-base-uncased", "cpu", "pipeline"),),
            )


class TestNoise(unittest.TestCase):
    def test_beyond_history_and_threshold(self) -> None:
        quiet = [1.0, 1.01, 0.99, 1.0, 1.02, 0.98, 1.0, 1.0]
        self.assertIsNone(noise.judge(quiet, 1.05, (), LIMIT))
        self.assertIsNotNone(noise.judge(quiet, 1.2, (), LIMIT))
        self.assertIsNone(noise.judge([], 1.2, (), LIMIT))
        self.assertIsNone(noise.judge(quiet, 1.2, (), Limit(0.1, step=0.5)))
        (less,) = [noise.judge(quiet, 0.5, (), LIMIT)]
        assert less is not None
        self.assertFalse(less.is_more)

    def test_as_many_measurements_as_it_takes(self) -> None:
        nights = [1.0, 1.03, 0.97, 1.0, 1.04, 0.96, 1.0, 1.02] * 3
        few = noise.FEWEST

        def seen(*values: float) -> bool | None:
            verdict = noise.judge(nights, values[0], values[1:], Limit(0.06))
            return None if verdict is None else verdict.seen_again

        self.assertIs(seen(1.15), False)
        self.assertIs(seen(*[1.15] * (few - 1)), False)
        self.assertIs(seen(*[1.15] * few), True)
        self.assertIs(seen(1.15, 1.0), False, "one may be within")
        self.assertIs(seen(1.15, 1.0, *[1.15] * few), False, "and takes two more")
        self.assertIs(seen(1.15, 1.0, *[1.15] * (few + 2)), True)
        self.assertIsNone(seen(1.15, 1.0, 1.0))
        self.assertIsNone(seen(1.0), "what is quiet is cleared by its first")
        self.assertIs(seen(9.0, 9.0), False, "no one counts for more than MOST")
        self.assertIs(seen(*[1 / 1.15] * few), True, "faster is as sure as slower")

    def test_a_noisy_check_takes_more_to_clear(self) -> None:
        chance = random.Random(0)
        nights = [math.exp(chance.gauss(0, 0.10)) for _ in range(30)]
        usual, limit = statistics.median(nights), Limit(0.06)
        self.assertIsNotNone(noise.judge(nights, usual, (), limit))
        self.assertIsNone(noise.judge(nights, usual, (usual,) * 6, limit))
        border = usual * 1.065
        left = noise.AGAIN - noise.FEWEST
        self.assertIsNotNone(noise.judge(nights, border, (border,) * left, limit))
        hopeless = noise.judge(nights, border, (border,) * (left + 2), limit)
        self.assertIsNone(hopeless, "what is left could not call it")

    def test_the_bounds_hold_for_normal_noise(self) -> None:
        chance = random.Random(1)
        called, missed = 0, 0
        for shift in (0.0, math.log(1.15)):
            for _ in range(400):
                nights = [math.exp(chance.gauss(0, 0.05)) for _ in range(30)]
                values = [math.exp(chance.gauss(shift, 0.05))]
                while len(values) <= noise.AGAIN:
                    verdict = noise.judge(nights, values[0], values[1:], Limit(0.06))
                    if verdict is None or verdict.seen_again:
                        break
                    values.append(math.exp(chance.gauss(shift, 0.05)))
                is_called = verdict is not None and verdict.seen_again and verdict.is_more
                called += is_called and not shift
                missed += not is_called and shift > 0
        self.assertEqual(called, 0)
        self.assertLess(missed / 400, 0.10)

    def test_few_nights_in_a_state_of_the_machine(self) -> None:
        """A state that makes all slower by 15 %, for nights; half as fast is a change."""
        limit, chance = Limit(0.06, state=LATENCY.state), random.Random(0)
        for count in (1, 2, 5, noise.STATE_NIGHTS - 1):
            called, missed = 0, 0
            for _ in range(50):
                before, now = chance.sample((0.0, math.log(1.15)), 2)
                past = [math.exp(chance.gauss(before, 0.02)) for _ in range(count)]
                values = [math.exp(chance.gauss(now, 0.02)) for _ in range(1 + noise.AGAIN)]
                called += _is_called(past, values, limit)
                alike = [math.exp(chance.gauss(before, 0.02)) for _ in range(1 + noise.AGAIN)]
                missed += not _is_called(past, [2 * value for value in alike], limit)
            self.assertEqual((called, missed), (0, 0), f"{count} nights")

    def test_few_nights_of_what_knows_no_state(self) -> None:
        for limit, is_called in ((LIMIT, True), (Limit(0.10, state=LATENCY.state), False)):
            values = [1.25] * (1 + noise.AGAIN)
            self.assertIs(_is_called([1.0, 1.0], values, limit), is_called)

    def test_few_nights_of_what_takes_little_time(self) -> None:
        """A state costs a call some time, whatever the call takes."""
        limit = Limit(0.06, step=50e-6, state=LATENCY.state)
        for usual, is_called in ((100e-6, False), (1e-3, True)):
            values = [1.6 * usual] * (1 + noise.AGAIN)
            self.assertIs(_is_called([usual] * 3, values, limit), is_called)

    def test_one_wild_night_moves_nothing(self) -> None:
        self.assertIsNotNone(noise.judge([1.0] * 9 + [20.0], 1.2, (1.2,), LIMIT))

    def test_far_is_beyond_all_nights_but_accidents(self) -> None:
        nights = [1.0, 1.01, 0.99, 1.0, 1.02, 0.98, 1.0, 1.0] * 3
        for before, is_far in (
            (nights, True),
            ([1.26, *nights], False),
            ([20.0, *nights], True),
            ([*nights, 1.26], True),  # it goes on
        ):
            verdict = noise.judge(before, 1.25, (), LIMIT)
            self.assertIs(verdict and verdict.is_far, is_far)

    def test_a_drift_shows_in_a_night_that_looked_like_a_step(self) -> None:
        series = [0.97, 1.0, 1.03] * 8 + [1.01**night for night in range(1, 12)]
        shows = next(night for night in range(12, 20) if self.drifts(series, 1.01**night))
        self.assertFalse(self.drifts(series[:-1], series[-1]))
        verdict = noise.judge(series, 1.5, (1.01**shows,) * noise.AGAIN, LIMIT)
        self.assertTrue(verdict and verdict.drift, "the further measurements tell it is no step")

    def drifts(self, series: list[float], value: float) -> bool:
        verdict = noise.judge(series, value, (value,) * noise.AGAIN, LIMIT)
        return verdict is not None and verdict.drift and verdict.seen_again is True

    def test_drift_is_found_and_a_step_is_none(self) -> None:
        chance = random.Random(2)
        for spread in (0.0, 0.03):
            series = [math.exp(chance.gauss(0, spread)) for _ in range(25)]
            series += [1.01**night * math.exp(chance.gauss(0, spread)) for night in range(1, 21)]
            found = [
                night - 24
                for night in range(25, 45)
                if (
                    verdict := noise.judge(
                        series[:night], series[night], (series[night],) * noise.AGAIN, LIMIT
                    )
                )
                and verdict.seen_again
            ]
            self.assertTrue(found and 5 < found[0] <= 20, found)
        step = [1.0] * 30 + [1.3] * 15
        drifts = [
            night
            for night in range(31, 45)
            if (verdict := noise.judge(step[:night], step[night], (1.3,) * noise.AGAIN, LIMIT))
            and verdict.drift
        ]
        self.assertEqual(drifts, [])

    def test_first_night_of_a_step(self) -> None:
        chance = random.Random(1)
        for place in (1, 5, 19, 29):
            series = [
                (1.0 if night < place else 1.2) * math.exp(chance.gauss(0, 0.02))
                for night in range(30)
            ]
            self.assertLessEqual(abs(noise.first_night(series) - place), 1)


def _is_called(past: list[float], values: list[float], limit: Limit) -> bool:
    """Whether it is called by one of the measurements, of which as many as it takes are made."""
    for count in range(1, 1 + len(values)):
        verdict = noise.judge(past, values[0], values[1:count], limit)
        if verdict is None or verdict.seen_again:
            return verdict is not None
    return False


class TestChoice(Nights):
    def names(self, *names: str | None) -> list[str]:
        with query.opened(self.results) as history:
            return [record.run.id[:8] for record in choice.pair(history, *names)]

    def test_each_way_to_name_a_run(self) -> None:
        self.assertEqual(self.names(None, None), ["20260109", "20260110"])
        self.assertEqual(self.names("2026-01-03", None), ["20260103", "20260110"])
        self.assertEqual(self.names("previous", "latest"), ["20260109", "20260110"])
        self.assertEqual(self.names("2026-01-03", "previous"), ["20260103", "20260109"])
        folder = next(self.results.glob("20260102*"))
        elsewhere = support.temporary_folder(self) / "other"
        shutil.copytree(folder, elsewhere)
        self.assertEqual(self.names(str(elsewhere / "run.json"), None), ["20260102", "20260110"])
        self.assertEqual(self.names(folder.name, None), ["20260102", "20260110"])
        for wrong in ("2025-01-01", "20260102T", "latest"):
            with self.assertRaises(UsageError):
                self.names(wrong, "latest")

    def test_a_small_run_in_between_is_passed_over(self) -> None:
        nights.write(self.results, 11, [nights.timed(0.01, "t5-small")])
        both = [nights.timed(0.01), nights.timed(0.5, "gpt2")]
        nights.write(self.results, 12, both)
        self.assertEqual(self.names(None, None), ["20260110", "20260112"])


class TestCommand(Nights):
    def test_formats_and_exit_status(self) -> None:
        hostile = "a `code` <script>\x1b[31m" + "long " * 80
        broken = support.result("error", model="gpt2", family="gpt", error=hostile)
        nights.write(self.results, 11, [again(nights.timed(0.013), 0.013), broken])
        texts = {}
        for form in ("table", "markdown", "json"):
            done = support.runner("compare", "--format", form, "--results-dir", str(self.results))
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertEqual(done.stderr, "")
            self.assertNotIn("\x1b", done.stdout)
            texts[form] = done.stdout
        self.assertEqual([line for line in texts["table"].splitlines() if len(line) > 80], [])
        self.assertIn("New failures (1):\n  gpt2 pipeline_cpu: passed -> error", texts["table"])
        self.assertIn("latency 10.0 ms -> 13.0 ms (1.3", texts["table"])
        self.assertIn("### Slower (1)", texts["markdown"])
        self.assertIn("`a 'code' <script>", texts["markdown"])
        document = json.loads(texts["json"])
        self.assertIs(document["regression"], True)
        self.assertEqual(document["new_failures"][0]["model"], "gpt2")
        self.assertEqual(document["worse"][0]["metric"], "latency")
        done = support.runner(
            *("compare", "2026-01-08", "2026-01-09", "--threshold", "latency=30%"),
            *("--results-dir", str(self.results)),
        )
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("nothing has changed", done.stdout)

    def test_bad_input(self) -> None:
        for arguments, says in (
            (("--threshold", "latncy=1"), "unknown metric 'latncy'; did you mean latency"),
            (("--threshold", "latency=x"), "a threshold is a share"),
            (("nosuchrun",), "unknown run 'nosuchrun'"),
            (("--results-dir", "/no/such"), "there is no folder"),
        ):
            where = ("--results-dir", str(self.results))
            done = support.runner("compare", *where, *arguments)
            self.assertEqual(done.returncode, 2, done.stdout)
            self.assertIn(says, done.stderr)
            self.assertNotIn("Traceback", done.stderr)


class TestWords(Nights):
    def test_eighty_columns_whatever_happened(self) -> None:
        long = nights.timed(0.01, predictions=({"token": "a" * 300},))
        self.after(long)
        found = self.after(
            nights.timed(0.01, predictions=({"token": "b" * 300},)),
            nights.timed(0.01, "google/vit-base-patch16-224"),
            day=12,
            versions=dict.fromkeys(("torch", "transformers", "openvino", "numpy"), "2.0"),
        )
        text = morning.text(found)
        self.assertEqual([line for line in text.splitlines() if len(line) > 80], [])
        for title in ("Changed predictions", "Other versions", "Models that are new"):
            self.assertIn(title, text)
            self.assertIn(title, morning.markdown(found))


if __name__ == "__main__":
    unittest.main()
