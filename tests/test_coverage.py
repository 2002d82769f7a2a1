"""Coverage of the installed transformers: its model types, the registry's, and newest results."""

from __future__ import annotations

import json
import unittest
from pathlib import Path
from typing import Any

from hf_tests import cache, dependencies
from hf_tests.nightly import auto_classes, coverage
from tests import support

VERSION = str(dependencies.version("transformers"))
TYPES: dict[str, Any] = {"bert": {"BertModel": []}, "gpt2": {}, "new-one": {"NewModel": []}}

DEFAULT_STACK = {"transformers": ">=5.5,<5.6"}


def row(model: str, method: str, status: str, **changes: Any) -> dict[str, Any]:
    """A run's row of a check."""
    device = "openvino" if method == "openvino" else "cpu"
    fields = {
        "family": "",
        "key": f"{method}_{device}",
        "model": model,
        "method": method,
        "device": device,
    }
    fields |= {"status": status, "stage": "judgement", "weights": "tiny"}
    return {**fields, "reason": None, "error": None, "error_type": "none", **changes}


class TestMeasured(unittest.TestCase):
    """On runs and model types written by hand."""

    def setUp(self) -> None:
        self.folder = support.temporary_folder(self)
        self.write(f"cache/model-types-{VERSION}.json", TYPES)

    def write(self, name: str, document: Any) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(document))

    def write_run(self, run_id: str, *rows: dict[str, Any], version: str = VERSION) -> None:
        metadata = {"run_id": run_id, "versions": {"transformers": version}}
        self.write(f"results/{run_id}/run.json", {"metadata": metadata, "checks": rows})

    def measure(self) -> coverage.Coverage:
        return coverage.measure(support.shipped(), self.folder / "results", self.folder / "cache")

    def test_no_run_yet(self) -> None:
        found = self.measure()
        self.assertEqual(found.types, ("bert", "gpt2", "new-one"))
        self.assertEqual((found.entries, found.missing), (("bert", "gpt2"), ("new-one",)))
        self.assertEqual((found.built, found.checks, found.runs, found.other), ((), (), (), None))

    def test_the_newest_result_of_each_check_counts(self) -> None:
        bert, gpt2 = "bert-base-uncased", "gpt2"
        self.write_run("1", row(bert, "pipeline", "passed"), row(gpt2, "pipeline", "passed"))
        failed = row(bert, "pipeline", "error", stage="build", error="E:\n x")
        self.write_run("2", failed, row("not/ours", "pipeline", "passed"))
        self.write_run("3", row(gpt2, "pipeline", "failed"), version="0.1")
        found = self.measure()
        (check,) = found.checks
        self.assertEqual(check.statuses, {"error": ("bert",), "passed": ("gpt2",)})
        self.assertEqual(check.reasons, (("E: x", ("bert",)),))
        self.assertEqual(found.runs, ("2", "1"))
        self.assertEqual(found.built, ("gpt2",), "the other was not built by its newest result")

    def test_the_worst_of_a_types_models_counts(self) -> None:
        skipped = row("distilgpt2", "openvino", "skipped", reason="no", stage=None)
        self.write_run("1", row("gpt2", "openvino", "passed"), skipped)
        (check,) = self.measure().checks
        self.assertEqual((check.passed, check.statuses), (0, {"skipped": ("gpt2",)}))

    def test_a_type_that_this_version_does_not_have_is_not_skipped_in_it(self) -> None:
        skipped = row("t5-small", "openvino", "skipped", reason="too old", stage=None)
        self.write_run("1", row("gpt2", "openvino", "passed"), skipped)
        (check,) = self.measure().checks
        self.assertEqual((check.statuses, check.reasons), ({"passed": ("gpt2",)}, ()))

    def test_what_cannot_be_read_is_passed_over(self) -> None:
        self.write_run("1", row("gpt2", "pipeline", "passed"))
        self.write("results/2/run.json", [])
        (self.folder / "results" / "3").mkdir()
        (self.folder / "results" / "3" / "run.json").write_text("{")
        self.assertEqual(self.measure().runs, ("1",))

    def test_against_the_version_before(self) -> None:
        for version in ("4.1.0", "4.2.0", "99.0.0"):
            self.write(f"cache/model-types-{version}.json", {"bert": {}, version: {}})
        found = self.measure()
        self.assertEqual((found.other, found.gone), ("4.2.0", ("4.2.0",)))
        self.assertEqual(found.new, ("gpt2", "new-one"))

    def test_as_text_markdown_and_json(self) -> None:
        error = row("gpt2", "pipeline", "expected_failure", reason="a_b <x>\x1b[31m" + "y" * 200)
        self.write_run("1", row("bert-base-uncased", "pipeline", "passed"), error)
        folders = ["--results-dir", str(self.folder / "results")]
        folders += ["--cache-dir", str(self.folder / "cache")]
        text = support.runner("coverage", *folders)
        self.assertEqual(text.returncode, 0, text.stderr)
        self.assertIn("pipeline on cpu     1  33 % passed; 1 expected failure", text.stdout)
        self.assertIn("Without an entry (1):\n  new-one", text.stdout)
        self.assertNotIn("\x1b", text.stdout)
        self.assertEqual([line for line in text.stdout.splitlines() if len(line) > 80], [])
        markdown = support.runner("coverage", "--markdown", *folders).stdout
        self.assertIn("| pipeline on cpu | 1 (33 %) | 1 expected failure |", markdown)
        self.assertIn("a\\_b &lt;x&gt;", markdown)
        document = json.loads(support.runner("coverage", "--json", *folders).stdout)
        self.assertEqual(document["missing"], ["new-one"])
        self.assertEqual(document["checks"][0]["statuses"]["passed"], ["bert"])


class TestInstalled(unittest.TestCase):
    @unittest.skipUnless(dependencies.applies(DEFAULT_STACK), "another transformers")
    def test_every_model_type_has_an_entry(self) -> None:
        listed = {model.model_type for model in support.shipped().models}
        types = auto_classes.of_installed(Path(cache.default_folder()))
        self.assertEqual(set(types) - listed, set())

    def test_every_entry_is_of_a_model_type_that_there_is(self) -> None:
        types = auto_classes.of_installed(Path(cache.default_folder()))
        self.assertGreater(len(types), 300)
        for model in support.shipped().models:
            if dependencies.unmet(model.dependencies) is None:
                self.assertIn(model.model_type, types, model.id)
