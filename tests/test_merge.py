"""Merging: pure functions from outcomes to documents, valid for every state a check can end in."""

from __future__ import annotations

import json
import math
import unittest
from typing import Any

from hf_tests import outcome
from hf_tests.isolation.base import EXITED, Ending
from hf_tests.nightly import merge, metadata, store, summary
from hf_tests.nightly.run import Finished
from hf_tests.nightly.schedule import JobOutcome
from hf_tests.nightly.usage import UsageError
from hf_tests.outcome import CheckResult, Example, Measurement
from tests import nights, support

HARDWARE = {**nights.HARDWARE, "memory_mb": None}
METADATA = metadata.of_run("20260101T000000Z-abc", metadata.now(), {"all": True}, "spawn")


def every_state() -> list[CheckResult]:
    """A result of each status, with an error and with figures where it would have them."""
    results = []
    for index, status in enumerate(outcome.STATUSES):
        bad = status in outcome.BAD_STATUSES
        results.append(
            support.result(
                status,
                device=f"cuda:{index}",
                error="RuntimeError: no" if bad else None,
                error_type="other" if bad else "none",
                traceback="Traceback" if bad else None,
                hint="try again" if bad else None,
                reason=None if bad else "because",
                measurement=Measurement(
                    load_time=0.5, trial_times=(0.25, 0.75) if index % 2 else (), model_size_mb=1.0
                ),
                predictions=({"token": "x"},),
                examples=(Example("in", "out"),),
            )
        )
    return results


class TestModelDocument(unittest.TestCase):
    def test_every_state_is_valid(self) -> None:
        model = support.model("bert-base-uncased")
        document = merge.model_document(model, every_state(), HARDWARE, METADATA)
        support.validate("model", document)
        self.assertEqual(len(document["results"]), len(outcome.STATUSES))

    def test_keys_of_the_specification(self) -> None:
        results = [
            support.result(measurement=Measurement(load_time=2.0, trial_times=(0.1, 0.3))),
            support.result(
                method="from_pretrained",
                predictions=({"token": "x"},),
                measurement=Measurement(
                    tokenizer_load_time=0.1,
                    model_load_time=0.2,
                    model_size_mb=417.5,
                    trial_times=(1.0,),
                ),
            ),
            support.result(
                "error", method="openvino", device="openvino", error="x", error_type="conversion"
            ),
        ]
        model = support.model("bert-base-uncased")
        document = merge.model_document(model, results, HARDWARE, METADATA)
        self.assertEqual(
            set(document), {"version", "results", "examples", "performance", "hardware", "metadata"}
        )
        pipeline = document["results"]["pipeline_cpu"]
        self.assertIs(pipeline["pipeline_success"], True)
        self.assertAlmostEqual(pipeline["pipeline_avg_time"], 0.2)
        self.assertEqual(pipeline["pipeline_min_time"], 0.1)
        self.assertEqual(pipeline["pipeline_max_time"], 0.3)
        self.assertEqual(pipeline["pipeline_load_time"], 2.0)
        self.assertEqual(pipeline["pipeline_error_type"], "none")
        direct = document["results"]["from_pretrained_cpu"]
        self.assertEqual(direct["model_size_mb"], 417.5)
        self.assertEqual(direct["tokenizer_load_time"], 0.1)
        self.assertEqual(direct["model_load_time"], 0.2)
        self.assertEqual(direct["predictions"], [{"token": "x"}])
        openvino = document["results"]["openvino_cpu"]
        self.assertIs(openvino["openvino_success"], False)
        self.assertEqual(openvino["openvino_error_type"], "conversion")
        self.assertEqual(set(document["performance"]), {"pipeline_cpu", "from_pretrained_cpu"})

    def test_only_passed_is_success(self) -> None:
        for result in every_state():
            document = merge.model_document(
                support.model("bert-base-uncased"), [result], HARDWARE, METADATA
            )
            entry = document["results"][result.key]
            self.assertEqual(entry["pipeline_success"], result.status == "passed")

    def test_pure(self) -> None:
        model, results = support.model("bert-base-uncased"), every_state()
        first = merge.model_document(model, results, HARDWARE, METADATA)
        again = merge.model_document(model, results, HARDWARE, METADATA)
        self.assertEqual(json.dumps(first), json.dumps(again))


class TestRunDocument(unittest.TestCase):
    def test_every_state_is_valid_and_counted(self) -> None:
        results = tuple(every_state())
        ending = Ending(EXITED, 0, 10.0, 2.5, "fork")
        done = [
            JobOutcome(support.job("bert-base-uncased"), results, ending, 1.0),
            JobOutcome(support.job("bert-base-uncased", "openvino"), results[:1], None),
        ]
        files = {"bert-base-uncased": "models/bert/bert-base-uncased.json"}
        document = merge.run_document(done, HARDWARE, METADATA, files)
        support.validate("run", document)
        self.assertEqual(document["counts"]["total"], len(results) + 1)
        self.assertEqual(document["counts"]["passed"], 2)
        self.assertEqual(document["weights"], {"tiny": 1})


class TestExitStatus(unittest.TestCase):
    def status(
        self, *statuses: str, interrupted: bool = False, problems: tuple[str, ...] = ()
    ) -> int:
        results = tuple(support.result(status) for status in statuses)
        outcomes = (JobOutcome(support.job("bert-base-uncased"), results, None),)
        folder = store.RunFolder(support.temporary_folder(self), "run")
        return Finished(folder, outcomes, interrupted, 1.0, problems).exit_status

    def test_each(self) -> None:
        self.assertEqual(self.status("passed", "skipped", "expected_failure"), 0)
        for bad in outcome.BAD_STATUSES:
            self.assertEqual(self.status("passed", bad), 1)
        self.assertEqual(self.status("passed", problems=("no such class",)), 2)
        self.assertEqual(self.status("skipped"), 3)
        self.assertEqual(self.status("passed", interrupted=True), 130)


class TestSummary(unittest.TestCase):
    def test_eighty_columns_and_nothing_that_steers_a_terminal(self) -> None:
        results = (
            support.result(
                "error", error="a\x1b[31m very long " + "message " * 40, hint="do this " * 30
            ),
            support.result("skipped", method="from_pretrained", reason="there is none " * 20),
        )
        outcomes = (JobOutcome(support.job("bert-base-uncased"), results, None),)
        folder = store.RunFolder(support.temporary_folder(self), "run")
        text = summary.text(Finished(folder, outcomes, False, 61.0))
        self.assertNotIn("\x1b", text)
        self.assertEqual([line for line in text.splitlines() if len(line) > 80], [])
        self.assertIn("no published checkpoint was", text)

    def test_many_devices_are_wrapped(self) -> None:
        results = [support.result(device=f"cuda:{index}") for index in range(12)]
        lines = summary.table(results).splitlines()
        self.assertEqual([line for line in lines if len(line) > 80], [])
        self.assertEqual(sum(line.count("1/1 passed") for line in lines), 12)

    def test_durations(self) -> None:
        self.assertEqual(summary.duration(7.31), "7.3 s")
        self.assertEqual(summary.duration(552), "9 min 12 s")
        self.assertEqual(summary.duration(7500), "2 h 5 min")


class TestStore(unittest.TestCase):
    def test_written_whole_or_not_at_all(self) -> None:
        path = support.temporary_folder(self) / "a" / "b.json"
        store.write_json(path, {"a": 1})
        with self.assertRaises(TypeError):
            store.write_json(path, {"a": object()})
        self.assertEqual(json.loads(path.read_text()), {"a": 1})
        self.assertEqual([item.name for item in path.parent.iterdir()], ["b.json"])

    def test_what_is_written_is_what_json_reads(self) -> None:
        path = support.temporary_folder(self) / "a.json"
        values: list[Any] = [None, True, 1, -1.5, 1e300, 0.1, 'a "quoted"\n line, \u00e9', [], {}]
        data = {"1": values, 'a"b': {"c": {"d": [1.5, {"e": None}]}, "true": True}, "x": 1}
        store.write_json(path, data, depth=3)
        self.assertEqual(json.loads(path.read_text(encoding="utf-8")), data)
        self.assertIn("\n  -1.5,\n", path.read_text(encoding="utf-8"))

    def test_what_json_cannot_hold(self) -> None:
        """A model's output may have such numbers, and its labels half of a surrogate pair."""
        path = support.temporary_folder(self) / "a.json"
        nothing, half = float("nan"), "cat \ud83d"
        data = {"a": nothing, "b": [1, (nothing, {"c": -math.inf})], half: {"d": [half, "\u00e9"]}}
        kept = {"a": None, "b": [1, [None, {"c": None}]], "cat ?": {"d": ["cat ?", "\u00e9"]}}
        for depth in range(4):
            with self.subTest(depth=depth):
                store.write_json(path, data, depth)
                text = path.read_text(encoding="utf-8")
                self.assertEqual(json.loads(text, parse_constant=self.fail), kept)

    def test_latest_moves_to_the_newest(self) -> None:
        results = support.temporary_folder(self)
        first, second = store.RunFolder.create(results), store.RunFolder.create(results)
        first.make_latest()
        second.make_latest()
        self.assertEqual((results / "latest").resolve(), second.path.resolve())
        self.assertEqual(len(list(results.iterdir())), 3)

    def test_results_folder_that_is_a_file(self) -> None:
        path = support.temporary_folder(self) / "results"
        path.write_text("x")
        with self.assertRaisesRegex(UsageError, "cannot be written"):
            store.RunFolder.create(path)


class TestSchemas(unittest.TestCase):
    """The words of the schemas are those of the code."""

    def test_words(self) -> None:
        from hf_tests.isolation import base

        run = json.loads((support.SCHEMAS / "run.schema.json").read_text())["properties"]
        row = run["checks"]["items"]["properties"]
        self.assertEqual(tuple(row["status"]["enum"]), outcome.STATUSES)
        self.assertEqual(tuple(row["error_type"]["enum"]), outcome.ERROR_TYPES)
        self.assertEqual(tuple(row["weights"]["enum"]), outcome.WEIGHTS)
        endings = {
            value for name, value in vars(base).items() if name.isupper() and isinstance(value, str)
        }
        self.assertEqual(
            set(run["jobs"]["items"]["properties"]["ending"]["enum"]), {*endings, None}
        )
        model = json.loads((support.SCHEMAS / "model.schema.json").read_text())["properties"]
        entry = model["results"]["additionalProperties"]
        self.assertEqual(tuple(entry["properties"]["status"]["enum"]), outcome.STATUSES)
        pattern = next(item for item in entry["patternProperties"] if "error_type" in item)
        self.assertEqual(tuple(entry["patternProperties"][pattern]["enum"]), outcome.ERROR_TYPES)

    def test_tasks_of_the_registry_are_those_there_are(self) -> None:
        from hf_tests.probe import tasks

        schema = json.loads((support.SCHEMAS / "registry.schema.json").read_text())
        self.assertEqual(set(schema["definitions"]["task"]["enum"]), set(tasks.names()))
