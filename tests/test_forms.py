"""What crosses the process boundary: names, jobs, results, streams."""

from __future__ import annotations

import json
import unittest

from hf_tests import filenames, outcome, stream
from hf_tests.job import Job
from hf_tests.outcome import (
    Accuracy,
    Answer,
    CheckResult,
    Example,
    Measurement,
    Parity,
    Quality,
    Rerun,
    Row,
)
from tests import support


class TestFilenames(unittest.TestCase):
    def test_escape_is_reversible_and_safe(self) -> None:
        names = [
            "bert",
            "a/b",
            "../../etc/passwd",
            "..",
            ".hidden",
            "a--b",
            "a%2Fb",
            "C:\\x",
            "ü",
            "",
        ]
        escaped = [filenames.escape(name) for name in names]
        self.assertEqual([filenames.unescape(item) for item in escaped], names)
        self.assertEqual(len(set(escaped)), len(names))
        for item in escaped:
            self.assertNotIn("/", item)
            self.assertNotIn("\\", item)
            self.assertFalse(item.startswith("."))

    def test_long_names_stay_short_and_apart(self) -> None:
        one, other = filenames.escape("/" * 300 + "a"), filenames.escape("/" * 301 + "a")
        self.assertNotEqual(one, other)
        self.assertLessEqual(len(one.encode()), filenames.MAX_BYTES)


class TestJob(unittest.TestCase):
    def test_json_form(self) -> None:
        for model in support.shipped().models:
            job = support.job(model.id, "openvino")
            self.assertEqual(Job.from_json(job.to_json()), job)

    def test_another_version_is_refused(self) -> None:
        data = json.loads(support.job("gpt2").to_json())
        data["version"] = 99
        with self.assertRaisesRegex(ValueError, "job of version 99"):
            Job.from_json(json.dumps(data))

    def test_names_and_keys(self) -> None:
        job = support.job("google/mt5-small", "cuda:1")
        self.assertEqual(job.name, "t5.google%2Fmt5-small.cuda%3A1")
        self.assertEqual(job.keys, ("pipeline_cuda:1", "from_pretrained_cuda:1"))
        self.assertEqual(support.job("gpt2", "openvino").keys, ("openvino_cpu",))
        self.assertEqual(support.job("gpt2", "openvino:gpu").keys, ("openvino_gpu",))


class TestCheckResult(unittest.TestCase):
    def test_json_form(self) -> None:
        result = support.result(
            predictions=({"token": "x"},),
            examples=(Example("in", {"out": 1}),),
            measurement=Measurement(load_time=1.0, trial_times=(0.1, 0.2)),
            parity=Parity(1e-6, "logits", 1.0, 1.0, 1e-5),
            rows=(Row("bfloat16", Measurement(trial_times=(0.2,)), None, "no", batch_size=8),),
            rerun=Rerun("passed"),
            quality=Quality(
                outcome.MEASURED,
                (Answer("2 + 2 is", "4", "5", "arithmetic", False),),
                Accuracy("sums", 0.5, 4, "share right"),
            ),
        )
        again = CheckResult.from_json(json.loads(json.dumps(result.to_json())))
        self.assertEqual(again, result)

    def test_only_known_states_can_be_made(self) -> None:
        for changes in ({"status": "ok"}, {"error_type": "oops"}, {"weights": "fake"}):
            with self.subTest(changes), self.assertRaises(ValueError):
                support.result(**changes)

    def test_bad_statuses(self) -> None:
        good = {outcome.PASSED, outcome.SKIPPED, outcome.EXPECTED_FAILURE}
        for status in outcome.STATUSES:
            self.assertEqual(support.result(status).is_bad, status not in good)


class TestStream(unittest.TestCase):
    def setUp(self) -> None:
        self.path = support.temporary_folder(self) / "job.jsonl"

    def test_torn_and_foreign_lines_are_passed_over(self) -> None:
        writer = stream.Writer(self.path)
        writer.write("start")
        writer.result(support.result())
        writer.close()
        whole = self.path.read_text()
        torn = whole.splitlines()[-1][:40]
        self.path.write_text(whole + "garbage\n[1]\n\x00\xff\n" + torn)
        writer = stream.Writer(self.path)  # after a crash, on a line of its own
        writer.result(support.result("failed", method="from_pretrained"))
        writer.close()
        found = stream.results(stream.read(self.path))
        self.assertEqual([item.status for item in found], ["passed", "failed"])
        self.assertEqual(next(stream.read(self.path))["event"], "start")

    def test_what_a_process_writes_that_no_file_can_hold(self) -> None:
        """NaN is JSON to Python alone, and half of a surrogate pair is no text."""
        answer = {"label": "cat \ud83d", "score": float("nan")}
        writer = stream.Writer(self.path)
        writer.result(support.result(predictions=(answer, "\u00e9")))
        writer.close()
        with self.path.open("a") as file:
            file.write("[" * 100_000 + "\n")
        (found,) = stream.results(stream.read(self.path))
        self.assertEqual(found.predictions, ({"label": "cat ?", "score": None}, "\u00e9"))

    def test_results_of_another_form_are_passed_over(self) -> None:
        writer = stream.Writer(self.path)
        writer.write("check", result={"status": "passed"})
        writer.close()
        self.assertEqual(stream.results(stream.read(self.path)), [])

    def test_no_stream(self) -> None:
        self.assertEqual(list(stream.read(self.path)), [])
