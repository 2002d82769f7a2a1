"""``runner.py add``: an entry made from a checkpoint's config, tried, and then written."""

from __future__ import annotations

import json
import shutil
import unittest
from pathlib import Path

from hf_tests import registry
from hf_tests.probe import checkpoints
from tests import support
from tests.hub import Hub


class Case(unittest.TestCase):
    """A registry of one family, and a folder with a checkpoint that it does not list."""

    folder: Path
    command = "add"

    def setUp(self) -> None:
        self.folder = support.temporary_folder(self)
        self.registry = self.folder / "registry.json"
        document = json.loads(registry.CHECKOUT_PATH.read_text())
        family = document["families"]["gpt"]
        family["models"] = {"gpt2": family["models"]["gpt2"]}
        document["families"] = {"gpt": family}
        # Neither indents nor the order of keys are what this program would write.
        self.before = json.dumps(document, indent=3) + "\n"
        self.registry.write_text(self.before)
        self.own = self.folder / "own"
        shutil.copytree(checkpoints.folder_of(support.job("EleutherAI/gpt-neo-125m")), self.own)

    def add(self, *arguments: str, status: int, **environment: str) -> str:
        done = support.runner(
            *(self.command, *arguments, "--registry", str(self.registry)), environment=environment
        )
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        self.assertNotIn("Traceback", done.stderr)
        return done.stderr if status else done.stdout


class TestAdd(Case):
    def test_a_folder(self) -> None:
        said = self.add(str(self.own), status=0)
        self.assertIn("family gpt, as its class GPTNeoForCausalLM is of the task of", said)
        self.assertIn("./own is now under gpt", said)
        for weights in ("tiny", "local"):
            self.assertIn(f"from_pretrained_cpu on {weights} weights", said)
        (model,) = (m for m in registry.load(self.registry).models if m.id == str(self.own))
        published = json.loads((self.own / "config.json").read_text())
        self.assertEqual((model.class_name, model.model_type), ("GPTNeoForCausalLM", "gpt_neo"))
        self.assertEqual(model.vocab_size, published["vocab_size"])
        self.assertEqual(model.config["hidden_size"], published["hidden_size"])
        self.assertNotIn("architectures", model.config)
        # All that is not new is as it was, byte for byte.
        after, mark = self.registry.read_text(), '"models": {'
        self.assertTrue(after.startswith(self.before.split(mark)[0] + mark))
        kept = iter(after.splitlines())
        for line in self.before.splitlines():
            found = any(line.rstrip(",") == other.rstrip(",") for other in kept)
            self.assertTrue(found, line)
        said = self.add(str(self.own), status=2)
        self.assertIn("is in the registry already, under gpt", said)

    def test_of_the_hub_by_its_own_client(self) -> None:
        hub = Hub()
        self.addCleanup(hub.close)
        hub.repositories["someone/neo"] = self.own
        environment = {"HF_ENDPOINT": hub.url, "HF_HOME": str(self.folder / "home")}
        said = self.add("someone/neo", "--dry-run", status=0, **environment)
        self.assertIn('+        "someone/neo": {', said)
        self.assertIn('+          "class": "GPTNeoForCausalLM"', said)
        self.assertIn('"hidden_size": 32', said)
        self.assertNotIn("activation_function", said, "it is the class's default")
        self.assertEqual(self.registry.read_text(), self.before)

    def test_nested_configurations(self) -> None:
        """They are compared with their own classes' defaults: the parameters are counted after."""
        from hf_tests.probe import describe

        folder = checkpoints.folder_of(support.job("llava-hf/llava-1.5-7b-hf"))
        said = describe.described(folder / "config.json", "LlavaForConditionalGeneration")
        published = json.loads((folder / "config.json").read_text())
        for part in ("text_config", "vision_config"):
            for name in ("model_type", "hidden_size"):
                self.assertEqual(said["config"][part][name], published[part][name])

    def test_what_does_not_run_is_not_written(self) -> None:
        weights = self.own / "model.safetensors"
        weights.write_bytes(weights.read_bytes()[:1000])
        said = self.add(str(self.own), "--family", "gpt", status=2)
        self.assertIn("its run failed, nothing is written", said)
        self.assertIn("on local weights: error, corrupt_checkpoint", said)
        self.assertEqual(self.registry.read_text(), self.before)

    def test_refused_before_anything_runs(self) -> None:
        self.assertIn("gpt2 is in the registry already", self.add("gpt2", status=2))
        self.assertIn("is not a folder", self.add("./none", status=2))
        self.assertIn("unknown family 'gtp'", self.add(str(self.own), "--family", "gtp", status=2))
        config = self.own / "config.json"
        config.write_text('{"model_type": "bert", "architectures": ["BertForMaskedLM"]}')
        said = self.add(str(self.own), status=2)
        self.assertIn("no family has such models", said)
        self.assertIn("--family NAME takes one all the same", said)
        self.assertEqual(self.registry.read_text(), self.before)


class TestAddFamily(Case):
    command = "add-family"

    def test_like_another(self) -> None:
        module = registry.CHECKOUT_PATH.parent / "hf_tests" / "test_made_here.py"
        self.addCleanup(module.unlink, missing_ok=True)
        options = ("made_here", "--like", "gpt", "--model", str(self.own))
        said = self.add(*options, "--dry-run", status=0)
        self.assertIn('+    "made_here": {', said)
        self.assertIn("+class TestMadeHere(", said)
        self.assertEqual((self.registry.read_text(), module.exists()), (self.before, False))
        said = self.add(*options, "--description", 'A "made" family.', status=0)
        self.assertIn("./own passed pipeline_cpu on tiny weights", said)
        found = registry.load(self.registry)
        made, like = found.family("made_here"), found.family("gpt")
        self.assertEqual((made.description, made.task), ('A "made" family.', like.task))
        self.assertEqual(made.default_model, str(self.own))
        code = module.read_text()
        self.assertTrue(code.startswith('"""A \'made\' family."""\n'))
        self.assertIn("python hf_tests/test_made_here.py", code)
        self.assertNotRegex(code, "(?i)gpt")
        # It is a family like any other: its own module runs it, with its properties.
        results = self.folder / "results"
        done = support.runner(
            *("--family", "made_here", "--device", "cpu", "--method", "from_pretrained"),
            *("--registry", str(self.registry), "--results-dir", str(results), "--no-report"),
        )
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("1 passed", done.stdout)
        (written,) = (results / "latest").glob("models/made_here/*.json")
        (result,) = json.loads(written.read_text())["results"].values()
        names = [item["name"] for item in result["properties"]]
        self.assertIn("cache", names)
        self.assertIn("there is a family made_here", self.add(*options, status=2))

    def test_refused_names(self) -> None:
        for name in ("../evil", "Upper", "class", "9lives", "gpt"):
            said = self.add(name, "--like", "gpt", "--model", str(self.own), status=2)
            self.assertRegex(said, "is no name of a family|there is a family gpt already")
        said = self.add("bert", "--like", "gpt", "--model", str(self.own), status=2)
        self.assertIn("test_bert.py is there already", said)
        said = self.add("other", "--like", "gtp", "--model", str(self.own), status=2)
        self.assertIn("unknown family 'gtp'", said)
        self.assertEqual(self.registry.read_text(), self.before)


if __name__ == "__main__":
    unittest.main()
