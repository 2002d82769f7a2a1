"""What the state of the machine explains of a night, and what it must not explain away."""

from __future__ import annotations

import math
import random
import statistics
import unittest

from hf_tests.history import noise, query
from hf_tests.history.machine_state import FEWEST_NIGHTS, MachineState, Name
from hf_tests.history.metrics import LATENCY
from hf_tests.history.noise import Limit
from hf_tests.nightly import choice, compare, morning
from tests import nights, support

LIMIT = Limit(0.06)
YOUNG = Limit(0.06, state=LATENCY.state)
COUNT = 24
SLOW = {2, 3, 8, 9, 13, 14, 15, 17}  # nights in which the machine was in another state
TONIGHT = "tonight"
MODELS = 8


class TestState(unittest.TestCase):
    """Eight models of two checks; in a third of the nights each is slower by its own factor."""

    def setUp(self) -> None:
        self.chance = random.Random(3)
        self.names: list[Name] = [
            (f"model-{place}", "cpu", key) for place in range(MODELS) for key in ("one", "two")
        ]
        self.feels = {name: 0.02 + 0.03 * place for place, name in enumerate(self.names)}

    def figures(
        self, slow: bool, factors: dict[Name, float] | None = None
    ) -> dict[Name, dict[object, float]]:
        """The latencies of the nights and of tonight, which is slow or not."""
        return {
            name: {
                night: math.exp(
                    self.feels[name] * (slow if night == TONIGHT else night in SLOW)
                    + self.chance.gauss(0, 0.01)
                )
                * ((factors or {}).get(name, 1.0) if night == TONIGHT else 1.0)
                for night in (*range(COUNT), TONIGHT)
            }
            for name in self.names
        }

    def judged(
        self, figures: dict[Name, dict[object, float]], name: Name, aware: bool = True
    ) -> noise.Verdict | None:
        """The verdict on tonight's figure, measured again as often as it takes, all alike."""
        state = MachineState(figures, range(COUNT), (TONIGHT,), LIMIT)
        own = figures[name]
        past = [own[night] for night in range(COUNT)]
        again = [own[TONIGHT]] * noise.AGAIN

        def explained() -> noise.Explained | None:
            return state.explained(name, range(COUNT), [TONIGHT] * noise.AGAIN) if aware else None

        return noise.judge(past, own[TONIGHT], again, LIMIT, explained=explained)

    def test_a_slow_night_like_others_is_no_news(self) -> None:
        figures = self.figures(slow=True)
        state = MachineState(figures, range(COUNT), (TONIGHT,), LIMIT)
        self.assertEqual(state.common, {})
        alarms = {True: 0, False: 0}
        for name in self.names:
            found = state.explained(name, range(COUNT), ())
            assert found is not None
            self.assertAlmostEqual(found.tonight[0], self.feels[name], delta=0.05)
            for aware in alarms:
                alarms[aware] += self.judged(figures, name, aware) is not None
        self.assertEqual(alarms[True], 0)
        self.assertGreater(alarms[False], 3, "else there is nothing to explain")

    def test_a_change_between_two_humps_is_found(self) -> None:
        for slow in (False, True):
            for name in self.names:
                verdict = self.judged(self.figures(slow, {name: 1.18}), name)
                self.assertTrue(verdict and verdict.seen_again and verdict.is_more, (slow, name))

    def test_a_model_does_not_explain_itself(self) -> None:
        both = dict.fromkeys(self.names[:2], 1.5)
        figures = self.figures(False, both)
        state = MachineState(figures, range(COUNT), (TONIGHT,), LIMIT)
        found = state.explained(self.names[0], range(COUNT), ())
        assert found is not None
        self.assertLess(abs(found.tonight[0]), 0.03)
        verdict = self.judged(figures, self.names[0])
        self.assertTrue(verdict and verdict.seen_again)

    def test_of_many_models_the_nights_are_compared_once(self) -> None:
        name: Name = ("model-7", "cpu", "two")
        many = {f"more-{place}": self.figures(slow=True) for place in range(10)}
        figures = {
            (f"{prefix}-{model}" if prefix != "more-0" else model, device, key): values
            for prefix, found in many.items()
            for (model, device, key), values in found.items()
        }
        figures[name][TONIGHT] *= 1.2
        state = MachineState(figures, range(COUNT), (TONIGHT,), LIMIT)
        found = state.explained(name, range(COUNT), ())
        assert found is not None
        self.assertAlmostEqual(found.tonight[0], self.feels[name], delta=0.05)
        verdict = self.judged(figures, name)
        self.assertTrue(verdict and verdict.seen_again and verdict.is_more)

    def test_what_slows_everything_is_told_and_not_explained(self) -> None:
        figures = self.figures(False, dict.fromkeys(self.names, 2.0))
        state = MachineState(figures, range(COUNT), (TONIGHT,), LIMIT)
        self.assertAlmostEqual(state.common["cpu"].ratio, 2.0, delta=0.2)
        self.assertFalse(state.common["cpu"].seen_again, "measured once")
        self.assertIsNone(state.explained(self.names[0], range(COUNT), ()))
        again = {name: {**values, "again": values[TONIGHT]} for name, values in figures.items()}
        state = MachineState(again, range(COUNT), (TONIGHT, "again"), LIMIT)
        self.assertTrue(state.common["cpu"].seen_again)
        gone = {name: {**values, "again": values[0]} for name, values in figures.items()}
        state = MachineState(gone, range(COUNT), (TONIGHT, "again", "again"), LIMIT)
        self.assertEqual(state.common, {}, "the further measurements say that it has gone")

    def test_no_more_is_explained_than_ever_was(self) -> None:
        """Half of the checks, twice as slow: the others' states do not reach that far."""
        slower = dict.fromkeys(self.names[::2], 2.0)
        for name in self.names[::2]:
            verdict = self.judged(self.figures(False, slower), name)
            self.assertTrue(verdict and verdict.seen_again and verdict.is_more, name)

    def test_too_little_is_known(self) -> None:
        figures = self.figures(slow=True)
        none = MachineState(figures, (), (TONIGHT,), LIMIT)
        self.assertNotIn(self.names[0], none)
        self.assertIsNone(none.explained(self.names[0], (), ()))
        alone = {name: values for name, values in figures.items() if name[0] < "model-4"}
        for past in (range(FEWEST_NIGHTS - 1), range(COUNT)):
            state = MachineState(alone, past, (TONIGHT,), LIMIT)
            self.assertIsNone(state.explained(self.names[0], past, ()))

    def test_what_is_common_in_few_nights_is_not_one_checks(self) -> None:
        """Two quiet nights, and a third in which the machine is half as fast: told as one."""
        slower = {name: 1.8 + self.feels[name] for name in self.names}
        slower[self.names[0]] = 4.0
        figures = self.figures(False, slower)
        for values in figures.values():
            values["again"] = values[TONIGHT]
        past = (0, 1)
        state = MachineState(figures, past, (TONIGHT, "again"), YOUNG)
        self.assertIn(self.names[0], state)
        self.assertAlmostEqual(state.common["cpu"].ratio, 2.0, delta=0.1)
        self.assertTrue(state.common["cpu"].seen_again)
        for name in self.names:
            own = figures[name]

            def explained(name: Name = name) -> noise.Explained | None:
                return state.explained(name, past, ["again"] * noise.AGAIN)

            again = [own["again"]] * noise.AGAIN
            before = [own[night] for night in past]
            verdict = noise.judge(before, own[TONIGHT], again, YOUNG, explained=explained)
            self.assertEqual(bool(verdict), name == self.names[0], name)
            as_it_is = noise.judge(before, own[TONIGHT], again, YOUNG)
            self.assertTrue(as_it_is and as_it_is.seen_again, "else there is nothing to explain")

    def test_a_new_check_is_held_against_the_nights_that_it_has(self) -> None:
        """All its nights were slow ones, as the others know; that tonight is not is no news."""
        figures = self.figures(slow=False)
        name = self.names[-1]
        own = figures[name] = {13: 1.5, 14: 1.5, 15: 1.5, TONIGHT: 1.0}
        state = MachineState(figures, range(COUNT), (TONIGHT,), YOUNG)
        self.assertNotIn(name, state, "it has too few nights to tell of the others'")
        found = state.explained(name, (13, 14, 15), ())
        assert found is not None
        self.assertAlmostEqual(found.tonight[0], -statistics.median(self.feels.values()), delta=0.1)

        def judged(aware: bool) -> noise.Verdict | None:
            again = [1.0] * noise.AGAIN
            return noise.judge(
                [own[night] for night in (13, 14, 15)],
                own[TONIGHT],
                again,
                YOUNG,
                explained=lambda: state.explained(name, (13, 14, 15), again) if aware else None,
            )

        self.assertIsNone(judged(aware=True))
        self.assertIsNotNone(judged(aware=False))

    def test_what_was_not_measured(self) -> None:
        """Checks that lack nights, and further measurements of a few models or of none."""
        figures = self.figures(slow=True)
        for name in self.names:
            for night in self.chance.sample(range(COUNT), 6):
                figures[name].pop(night)
        for name in self.names[:10]:
            figures[name]["again"] = math.exp(self.chance.gauss(0, 0.01))
        state = MachineState(figures, range(COUNT), (TONIGHT, "again", "never"), LIMIT)
        name = self.names[-1]
        known = [night for night in range(COUNT) if night in figures[name]]
        found = state.explained(name, known, ("again", "never"))
        assert found is not None
        tonight, again, never = found.tonight
        self.assertGreater(tonight, 0.3)
        self.assertLess(abs(again), 0.1, "the machine had changed by then")
        self.assertEqual(never, tonight, "nothing else is known")


class TestMorning(unittest.TestCase):
    """Nights of six models, in the suite's own files."""

    def setUp(self) -> None:
        self.results = support.temporary_folder(self)
        self.chance = random.Random(0)
        self.models = [
            model.id for model in support.shipped().models if model.task == "text-generation"
        ][:6]
        self.of_nights(12)

    def of_nights(self, count: int) -> None:
        for day in range(1, 1 + count):
            self.night(day)

    def night(self, day: int, again: float | None = None, **factors: float) -> None:
        """One night; ``factors`` by the number of the model, or of all."""
        checks = []
        for place, model in enumerate(self.models):
            factor = factors.get("all", factors.get(f"model_{place}", 1.0))
            value = 0.01 * (place + 1) * factor * math.exp(self.chance.gauss(0, 0.01))
            check = nights.timed(value, model, "from_pretrained")
            if again is not None:
                check = nights.measured_again(check, value * again, noise.AGAIN)
            checks.append(check)
        nights.write(self.results, day, checks)

    def compared(self) -> compare.Comparison:
        with query.opened(self.results) as history:
            return compare.compare(*choice.pair(history, None, None), history.trends(last=40))

    def test_everything_slower_is_one_finding(self) -> None:
        self.night(13)
        self.assertEqual(self.compared().together, ())
        self.night(14, all=1.15, again=1.0)
        found = self.compared()
        (item,) = found.together
        self.assertAlmostEqual(item.verdict.ratio, 1.15, delta=0.03)
        self.assertTrue(item.verdict.seen_again and item.verdict.is_more and found.is_regression)
        words = morning.text(found)
        self.assertIn("Everything slower or faster (1)", words)
        self.assertIn("cpu: everything is slower, by 15% at the median", words)
        self.assertEqual(len(found.worse), len(self.models), "and each is said")

    def suspects(self) -> set[str]:
        """The models that the newest run is to measure again."""
        with query.opened(self.results) as history:
            new = choice.named(history, "latest")
            return {model for model, *_ in compare.suspects(new, history.trends(last=40))}

    def test_a_young_history(self) -> None:
        """Two nights, then one that is slower as a whole, and one in which a model is, too."""
        self.results = support.temporary_folder(self)
        self.of_nights(2)
        self.night(3, all=1.3)
        self.assertEqual(self.suspects(), set())
        found = self.compared()
        self.assertEqual((found.worse, found.unsure, found.together), ((), (), ()))
        self.night(4, model_5=2.0)
        self.assertEqual(self.suspects(), set(self.models), "five of them, and the slow one")
        self.night(4, again=1.0, model_5=2.0)
        (worse,) = self.compared().worse
        self.assertEqual(worse.model, self.models[5])
        self.night(4, again=1.0, all=2.0)
        found = self.compared()
        self.assertEqual((found.worse, len(found.together)), ((), 1))

    def test_suspects_bring_the_quickest_models(self) -> None:
        self.night(13)
        self.assertEqual(self.suspects(), set())
        self.night(14, model_5=1.3)
        self.assertEqual(self.suspects(), set(self.models), "five of them, and the slow one")
        self.night(15, model_2=1.3)
        self.assertEqual(self.suspects(), set(self.models[:5]))

    def test_a_slow_night_is_known_and_a_slow_model_in_it_is_seen(self) -> None:
        slow = {f"model_{place}": 1.18 + 0.01 * place for place in range(6)}
        for day in range(13, 25):
            self.night(day, **(slow if day in (13, 16, 17, 20) else {}))
        self.night(25, **slow)
        self.assertEqual(self.suspects(), set())
        self.assertEqual(self.compared().together, ())
        self.night(26, again=1.0, **{**slow, "model_1": slow["model_1"] * 1.25})
        (found,) = self.compared().worse
        self.assertEqual(found.model, self.models[1])
        self.assertAlmostEqual(found.ratio, 1.25, delta=0.06)


if __name__ == "__main__":
    unittest.main()
