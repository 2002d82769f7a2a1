"""What is special about a family: listed by name, and each property fails where it is broken."""

from __future__ import annotations

import dataclasses
import importlib
import unittest
from typing import Any
from unittest import mock

from hf_tests import dependencies, stream
from hf_tests import family as families
from hf_tests.family import run_check
from hf_tests.job import Job
from hf_tests.nightly import merge
from hf_tests.outcome import CheckResult
from hf_tests.probe import worker
from hf_tests.probe.judge import WrongOutput
from hf_tests.probe.properties import base
from hf_tests.probe.properties.base import Loaded
from hf_tests.registry import Family, Without
from tests import support
from tests.plants import PLANTS
from tests.plants.base import mask_ignored


def case_of(family: Family) -> type[families.FamilyTestCase]:
    """The family's TestCase."""
    module = importlib.import_module(family.module)
    return next(
        value
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, families.FamilyTestCase)
        and value.family == family.name
    )


class TestPlanted(unittest.TestCase):
    def test_every_property_holds_and_catches_its_defect(self) -> None:
        for family in support.shipped().families:
            with self.subTest(family=family.name):
                properties = case_of(family)("test_from_pretrained").properties()
                self.assertGreaterEqual(len(properties), 2)
                self.assertEqual(
                    sorted(PLANTS[family.name]), [base.name_of(item) for item in properties]
                )
                job = support.job(family.default_model, trials=1)
                spoilt = [self.spoilt(family.name, item) for item in properties]
                result, _ = run_check(job, "from_pretrained", [*properties, *spoilt])
                self.assertEqual(result.status, "passed", f"{result.error}\n{result.traceback}")

    def spoilt(self, family: str, asked: base.Holds) -> base.Holds:
        name = base.name_of(asked)

        def caught(loaded: Loaded) -> None:
            """The property does not hold of the spoilt model."""
            with PLANTS[family][name](loaded):
                try:
                    asked(loaded)
                except WrongOutput as error:
                    self.assertTrue(str(error))
                    return
            raise WrongOutput(f"the defect planted against {name} was not caught")

        return caught


class TestResult(unittest.TestCase):
    """What a reader sees of them, in the result of the family's own TestCase in a worker."""

    def run_worker(self, job: Job) -> CheckResult:
        path = support.temporary_folder(self) / "job.jsonl"
        writer = stream.Writer(path)
        self.addCleanup(writer.close)
        worker.run(job, writer)
        (result,) = stream.results(stream.read(path))
        return result

    def job(self, **changes: Any) -> Job:
        return support.job("bert-base-uncased", trials=1, methods=("from_pretrained",), **changes)

    def test_listed_by_name(self) -> None:
        result = self.run_worker(self.job())
        self.assertEqual(result.status, "passed", result.error)
        self.assertEqual(
            [item.name for item in result.properties], ["both_sides", "padding", "tied_embeddings"]
        )
        padding = result.properties[1]
        self.assertEqual(padding.says, "Padding a batch does not change a sequence's answer.")
        assert padding.nrmse is not None and padding.tolerance is not None
        self.assertLess(padding.nrmse, padding.tolerance)
        document = merge.model_document(support.model(result.model), [result], {}, {})
        entry = document["results"][result.key]
        self.assertEqual(entry["properties"][1]["status"], "passed")

    def test_failure_names_it_and_its_figures(self) -> None:
        import transformers

        whole = transformers.BertForMaskedLM.forward

        def deaf(self: Any, *arguments: Any, **given: Any) -> Any:
            mask_ignored(given)
            return whole(self, *arguments, **given)

        with mock.patch.object(transformers.BertForMaskedLM, "forward", deaf):
            result = self.run_worker(self.job())
        self.assertEqual((result.status, result.error_type), ("failed", "wrong_output"))
        self.assertRegex(result.error or "", r"WrongOutput: padding: .*RMSE \S+, tolerance")
        self.assertEqual(
            [item.status for item in result.properties], ["passed", "failed", "passed"]
        )

    def test_error_inside_one(self) -> None:
        def broken(loaded: Loaded) -> None:
            """It ends."""
            raise RuntimeError("an operator is missing")

        result, _ = run_check(self.job(), "from_pretrained", [broken])
        self.assertEqual((result.status, result.error_type), ("error", "other"))
        self.assertEqual(result.properties[0].status, "error")
        self.assertIn("an operator is missing", result.properties[0].error or "")

    def test_model_without_one(self) -> None:
        def never(loaded: Loaded) -> None:
            """It cannot hold."""
            raise WrongOutput("it was asked for all the same")

        lacks = (Without("never", "its positions are averages"),)
        model = dataclasses.replace(support.model("bert-base-uncased"), without=lacks)
        result, _ = run_check(self.job(model=model), "from_pretrained", [never])
        self.assertEqual(result.status, "passed", result.error)
        self.assertEqual(
            (result.properties[0].status, result.properties[0].reason),
            ("skipped", "its positions are averages"),
        )
        others = (Without("never", "only then", {"transformers": "<1"}),)
        model = dataclasses.replace(model, without=others)
        result, _ = run_check(self.job(model=model), "from_pretrained", [never])
        self.assertEqual(result.status, "failed")

    def test_what_the_registry_excuses_does_fail(self) -> None:
        """An excuse that is no longer needed has to go."""
        for model in support.shipped().models:
            if not model.without:
                continue
            case = case_of(support.shipped().family(model.family))("test_from_pretrained")
            by_name = {base.name_of(item): item for item in case.properties()}
            excused = [item for item in model.without if dependencies.applies(item.versions)]
            if not excused:
                continue
            bare = dataclasses.replace(model, without=())
            job = support.job(model.id, trials=1, model=bare)
            while excused:
                asked = [by_name[item.property] for item in excused]
                result, _ = run_check(job, "from_pretrained", asked)
                found = {item.name: item.status for item in result.properties}
                for item in excused:
                    with self.subTest(model=model.id, property=item.property):
                        self.assertNotEqual(result.status, "passed")
                        self.assertNotEqual(found.get(item.property), "passed")
                # What the library raises in one ends the check before the others.
                excused = [item for item in excused if found and item.property not in found]
