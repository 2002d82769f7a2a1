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


class TestAdd(unittest.TestCase):
    folder: Path

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
            *("add", *arguments, "--registry", str(self.registry)), environment=environment
        )
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        self.assertNotIn("Traceback", done.stderr)
        return done.stderr if status else done.stdout

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
