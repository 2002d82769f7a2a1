"""Which family tests a checkpoint that the registry does not list."""

from __future__ import annotations

import dataclasses
import json
import unittest
from pathlib import Path

from hf_tests import dependencies
from hf_tests.nightly import recognise
from hf_tests.nightly.usage import UsageError
from hf_tests.probe import checkpoints
from hf_tests.registry import Family, Registry
from tests import support


def config(model_type: str, *classes: str) -> recognise.Config:
    """A config.json that says so."""
    return recognise.Config(Path("x/config.json"), model_type, classes, {})


def without(model_type: str) -> Registry:
    """The shipped registry without the entries of a model type."""

    def less(family: Family) -> Family:
        models = tuple(model for model in family.models if model.model_type != model_type)
        return dataclasses.replace(family, models=models)

    families = support.shipped().families
    return Registry("registry.json", tuple(less(family) for family in families))


class TestRecognised(unittest.TestCase):
    def test_by_model_type_and_class(self) -> None:
        found = recognise.recognise(support.shipped(), config("gpt_neo"))
        self.assertEqual((found.family.name, found.class_name), ("gpt", "GPTNeoForCausalLM"))
        self.assertTrue(found.akin)

    def test_entries_are_of_their_task_when_no_other_is_of_their_type(self) -> None:
        for model_id in (
            "distilbert-base-uncased",
            "EleutherAI/gpt-neo-125m",
            "facebook/bart-large",
            "microsoft/resnet-50",
            "openai/clip-vit-base-patch32",
            "openai/whisper-tiny",
            "facebook/wav2vec2-base-960h",
            "llava-hf/llava-1.5-7b-hf",
            "facebook/sam-vit-base",
        ):
            model = support.model(model_id)
            with self.subTest(model=model_id):
                rest = without(model.model_type)
                found = recognise.recognise(rest, config(model.model_type, model.class_name))
                self.assertEqual(found.family.task, model.task)
                self.assertFalse(found.akin)

    def refused(self, registry: Registry, *words: str) -> str:
        with self.assertRaises(UsageError) as caught:
            recognise.recognise(registry, config(*words))
        return str(caught.exception)

    def test_no_family_of_its_task(self) -> None:
        only = Registry("registry.json", (support.shipped().family("bert"),))
        said = self.refused(only, "gpt2", "GPT2LMHeadModel")
        self.assertIn("gpt2 model of GPT2LMHeadModel, which is of the task of causal lm", said)
        self.assertIn("no family has such models. Families: bert.", said)
        said = self.refused(only, "bert", "BertForPreTraining")
        self.assertIn("of no task of the auto-classes, and no family", said)
        self.assertIn("of this model type the registry has BertForMaskedLM", said)

    def test_what_transformers_does_not_have(self) -> None:
        version = str(dependencies.version("transformers"))
        said = self.refused(support.shipped(), "abacus", "Abacus")
        self.assertIn(f"transformers {version} has no such model type.", said)
        said = self.refused(support.shipped(), "bert", "BertForAbacus")
        self.assertIn("know BertForMaskedLM, ", said)
        said = self.refused(without("gpt2"), "gpt2")
        self.assertIn("names no architectures, and gpt2 has several classes", said)


class TestRun(unittest.TestCase):
    def test_a_folder_of_a_type_that_no_family_lists(self) -> None:
        folder = support.temporary_folder(self)
        registry = folder / "registry.json"
        document = json.loads((support.ROOT / "registry.json").read_text())
        family = document["families"]["gpt"]
        family["models"] = {"gpt2": family["models"]["gpt2"]}
        document["families"] = {"gpt": family}
        registry.write_text(json.dumps(document))
        own = str(checkpoints.folder_of(support.job("EleutherAI/gpt-neo-125m")))
        done = support.runner(
            *("--model", own, "--registry", str(registry), "--cpu-only"),
            *("--results-dir", str(folder / "results")),
        )
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("not in the registry; tested as gpt, as its class GPTNeo", done.stdout)
        run = json.loads((folder / "results" / "latest" / "run.json").read_text())
        statuses = {row["key"]: (row["status"], row["weights"]) for row in run["checks"]}
        expected = ("passed", "local")
        self.assertEqual(statuses, {"pipeline_cpu": expected, "from_pretrained_cpu": expected})
        (path,) = (folder / "results" / "latest" / "models").glob("*/*.json")
        result = json.loads(path.read_text())["results"]["from_pretrained_cpu"]
        self.assertFalse(result.get("properties"), "they are those of other model types")
