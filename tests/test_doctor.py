"""``runner.py doctor``: what it finds, also where next to nothing is installed."""

from __future__ import annotations

import json
import unittest

from hf_tests import dependencies
from hf_tests.registry import Model
from tests import environments, support
from tests.hub import Hub

PAGE = 80  # lines


def runs(model: Model) -> bool:
    """Whether a method of the CPU is not expected to fail on the model's tiny checkpoint."""
    failing = {
        item.method for item in model.expected if item.concerns(item.method, "cpu", "", "tiny")
    }
    return not failing >= {"from_pretrained", "pipeline"}


class TestDoctor(unittest.TestCase):
    def test_here(self) -> None:
        """One page, and the main job can run; the Hub is asked and no token is shown."""
        hub = Hub()
        self.addCleanup(hub.close)
        environment = {"HF_ENDPOINT": hub.url, "HF_TOKEN": "hf_secretsecretsecret"}
        done = support.runner("doctor", environment=environment)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn(f"Hub: {hub.url} is reachable", done.stdout)
        self.assertIn("logged in: yes", done.stdout)
        self.assertNotIn("hf_secret", done.stdout + done.stderr)
        self.assertRegex(done.stdout, rf"torch +{dependencies.version('torch')}.* fits")
        models = support.shipped().models
        count = sum(not dependencies.unmet(item.dependencies) and runs(item) for item in models)
        self.assertIn(f"\ncpu: {count} of {len(models)} models could run\n", done.stdout)
        self.assertLess(len(done.stdout.splitlines()), PAGE)
        for line in done.stdout.splitlines():
            self.assertTrue(len(line) <= 80 or " " not in line.strip(), line)

    def test_with_nothing_but_python(self) -> None:
        python = environments.bare(support.temporary_folder(self) / "venv")
        done = support.runner("doctor", python=python, environment={"HF_HUB_OFFLINE": "1"})
        self.assertEqual(done.returncode, 1, done.stderr)
        for words in (
            "The main job cannot run: fastjsonschema is not installed",
            "The main job cannot run: transformers and torch and",
            "cpu: 0 of",
            "not reachable (HF_HUB_OFFLINE is set)",
            "logged in: no",
        ):
            self.assertIn(words, done.stdout)
        other = support.runner("--list-models", python=python)
        self.assertEqual(other.returncode, 2)
        self.assertRegex(other.stderr, "^runner.py: .*pip install 'fastjsonschema>=")

    def test_what_is_missing_as_json(self) -> None:
        """A model's own requirement takes no other model with it; a folder must be writable."""
        folder = support.temporary_folder(self)
        data = json.loads((support.ROOT / "registry.json").read_text())
        data["families"]["gpt"]["models"]["gpt2"]["dependencies"] = ["torch>=99"]
        (folder / "registry.json").write_text(json.dumps(data))
        (folder / "file").write_text("")
        done = support.runner(
            *("doctor", "--json", "--registry", str(folder / "registry.json")),
            *("--results-dir", str(folder / "file" / "results")),
            environment={"HF_ENDPOINT": "http://127.0.0.1:1"},
        )
        self.assertEqual(done.returncode, 1, done.stderr)
        found = json.loads(done.stdout)
        self.assertEqual(found["main_job"], False)
        self.assertRegex(" ".join(found["problems"]), r"^\S+results \(results\) cannot be written$")
        cpu = found["runnable"][0]
        lost = {
            model for why in ("lacking", "known") for names in cpu[why].values() for model in names
        }
        self.assertTrue(cpu["known"], "some are expected to fail")
        self.assertEqual((cpu["device"], cpu["models"]), ("cpu", cpu["of"] - len(lost)))
        (reason,) = (reason for reason in cpu["lacking"] if reason.startswith("torch "))
        self.assertRegex(reason, "torch .* is too old: .* 'torch>=99'")
        self.assertEqual(cpu["lacking"][reason], ["gpt2"])
        torch = next(item for item in found["packages"] if item["name"] == "torch")
        self.assertIsNone(torch["problem"], "it fits the suite, and every other model")
        self.assertEqual(found["hub"]["reachable"], False)
        self.assertIn("refused", found["hub"]["reason"])
