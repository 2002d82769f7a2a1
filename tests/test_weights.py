"""Which checkpoint a model is tested on, with a Hub cache as the Hub's own client lays it out."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import unittest
from pathlib import Path
from typing import Any

from hf_tests import cache, checkpoint_files, hardware, hub_cache
from hf_tests import registry as registries
from hf_tests.nightly import downloads, room
from hf_tests.probe import checkpoints
from tests import hub, support
from tests.hub import Hub

LISTED = "distilgpt2"  # of which no answers are known, for these checkpoints know none
COMMIT = "0123456789abcdef0123456789abcdef01234567"


class TestHubCache(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = support.temporary_folder(self)
        self.environment = {"HF_HUB_CACHE": str(self.folder / "hub"), "HF_HUB_OFFLINE": "1"}

    def put(self, model_id: str, source: str) -> Path:
        """Put a tiny checkpoint into the cache under a model's name; returns its snapshot."""
        repository = self.folder / "hub" / f"models--{model_id.replace('/', '--')}"
        snapshot = repository / "snapshots" / COMMIT
        shutil.copytree(checkpoints.folder_of(support.job(source)), snapshot)
        (repository / "refs").mkdir()
        (repository / "refs" / "main").write_text(COMMIT)
        return snapshot

    def headline(self, *arguments: str) -> str:
        """What a dry run on the cache says."""
        done = support.runner("--dry-run", "--cpu-only", *arguments, environment=self.environment)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def test_auto_takes_what_is_cached(self) -> None:
        self.put("gpt2", "gpt2")
        names = ("gpt2", "gpt2-medium", "distilgpt2", "EleutherAI/gpt-neo-125m")
        said = self.headline("--model", *names)
        self.assertIn("4 models: 1 from the Hub, 3 tiny (random weights)", said)
        self.assertRegex(said, r"--weights hub would download 2\.\d GB")
        self.assertRegex(said, r"(?m)^gpt2 +cpu +hub ")
        self.assertRegex(said, r"(?m)^distilgpt2 +cpu +tiny ")

    def test_choices_force(self) -> None:
        self.put("gpt2", "gpt2")
        self.assertIn("1 model: 1 tiny", self.headline("--model", "gpt2", "--weights", "tiny"))
        said = self.headline("--model", "gpt2", "distilgpt2", "--weights", "hub")
        self.assertIn("2 models: 2 from the Hub; 0.3 GB to download", said)

    def test_a_checkpoint_that_is_not_whole_is_not_taken(self) -> None:
        snapshot = self.put("gpt2", "gpt2")
        weights = snapshot / "model.safetensors"
        (snapshot / "model.safetensors.index.json").write_text(
            json.dumps({"weight_map": {"a": "part-1.safetensors", "b": "part-2.safetensors"}})
        )
        weights.rename(snapshot / "part-1.safetensors")
        self.assertIn("1 model: 1 tiny", self.headline("--model", "gpt2"))
        shutil.copy(snapshot / "part-1.safetensors", snapshot / "part-2.safetensors")
        self.assertIn("1 model: 1 from the Hub", self.headline("--model", "gpt2"))

    def test_auto_takes_nothing_larger_than_the_free_memory(self) -> None:
        weights = self.put("gpt2", "gpt2") / "model.safetensors"
        free = hardware.free_memory_mb()
        assert free is not None
        os.truncate(weights, int(free * 2 * hardware.MIB))  # sparse: it takes no disk
        said = self.headline("--model", "gpt2")
        self.assertIn("1 model: 1 tiny", said)
        self.assertRegex(said, r"gpt2: its cached checkpoint of \d+ MiB does not fit into the free")

    def test_run_on_the_cache_says_so_everywhere(self) -> None:
        """An unlisted model: its family is found from its config.json."""
        self.put("someone/tuned", "distilgpt2")
        results = self.folder / "results"
        arguments = ("--model", "someone/tuned", "--cpu-only", "--method", "from_pretrained")
        done = support.runner(
            *arguments, "--results-dir", str(results), environment=self.environment
        )
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("1 model on published checkpoints.", done.stdout)
        self.assertNotIn("tiny", done.stdout)
        run = json.loads((results / "latest" / "run.json").read_text())
        self.assertEqual(run["weights"], {"hub": 1})
        (row,) = run["checks"]
        self.assertEqual((row["weights"], row["status"], row["family"]), ("hub", "passed", "gpt"))
        document = json.loads((results / "latest" / row["file"]).read_text())
        support.validate("model", document)
        entry = document["results"]["from_pretrained_cpu"]
        self.assertIn(COMMIT, entry["checkpoint"])
        self.assertEqual(row["file"], "models/gpt/someone%2Ftuned.json")

    def test_the_list_says_what_is_there(self) -> None:
        self.put("gpt2", "gpt2")
        done = support.runner("--list-models", "--family", "gpt", environment=self.environment)
        self.assertRegex(done.stdout, r"(?m)^  gpt2 +523 MB GPT2LMHeadModel \(cached\)$")
        self.assertRegex(done.stdout, r"(?m)^  distilgpt2 +\d+ MB GPT2LMHeadModel$")
        registry = json.loads(registries.DEFAULT_PATH.read_text())
        entry = registry["families"]["gpt"]["models"]["gpt2"]
        entry |= {"gated": True, "parameters": 10**13}
        path = self.folder / "registry.json"
        path.write_text(json.dumps(registry))
        options = ("--list-models", "--family", "gpt", "--registry", str(path))
        done = support.runner(*options, environment=self.environment)
        self.assertRegex(done.stdout, r"(?m)\(gated, cached, too large here\)$")

    def test_the_cache_is_found_as_the_client_finds_it(self) -> None:
        from huggingface_hub.constants import HF_HUB_CACHE

        snapshot = self.put("someone/tuned", "distilgpt2")
        self.assertEqual(hub_cache.folder(), Path(HF_HUB_CACHE))
        cache = Path(self.environment["HF_HUB_CACHE"])
        self.assertEqual(hub_cache.snapshot(cache, "someone/tuned"), snapshot)
        self.assertEqual(hub_cache.snapshot(cache, "someone/tuned", COMMIT), snapshot)
        for name in ("someone/other", "../hub", "/etc", "a/b/c"):
            self.assertIsNone(hub_cache.snapshot(cache, name), name)
        (snapshot / "model.safetensors").unlink()
        self.assertIsNone(hub_cache.snapshot(cache, "someone/tuned"))

    def test_unlisted_models_cannot_be_tiny(self) -> None:
        self.put("someone/tuned", "distilgpt2")
        arguments = ("--model", "someone/tuned", "--weights", "tiny", "--dry-run")
        done = support.runner(*arguments, environment=self.environment)
        self.assertEqual(done.returncode, 2)
        self.assertIn("is not in the registry, so no tiny checkpoint can be built", done.stderr)


class TestRoom(unittest.TestCase):
    """A folder whose weights would not fit into the memory once they are float32."""

    def test_weights_that_the_device_has_no_room_for(self) -> None:
        folder = support.temporary_folder(self)
        (folder / "tuned").mkdir()
        tiny = checkpoints.folder_of(support.job("gpt2"))
        shutil.copy(tiny / "config.json", folder / "tuned")
        free = hardware.free_memory_mb()
        assert free is not None
        count = int(free * 0.7 * hardware.MIB) // 2  # values of two bytes
        entry = {"dtype": "BF16", "shape": [count], "data_offsets": [0, 2 * count]}
        header = json.dumps({"__metadata__": {"format": "pt"}, "w": entry}).encode()
        path = folder / "tuned" / "model.safetensors"
        path.write_bytes(len(header).to_bytes(8, "little") + header)
        os.truncate(path, 8 + len(header) + 2 * count)  # sparse: it takes no disk
        self.assertEqual(
            checkpoint_files.stored(folder / "tuned"), checkpoint_files.Stored(count, 2 * count)
        )
        options = ("--model", str(folder / "tuned"), "--results-dir", str(folder / "results"))
        done = support.runner(*options, "--cpu-only", "--method", "from_pretrained")
        self.assertEqual(done.returncode, 3, done.stdout + done.stderr)
        run = json.loads((folder / "results" / "latest" / "run.json").read_text())
        (row,) = run["checks"]
        self.assertEqual((row["status"], row["error_type"]), ("skipped", "out_of_memory"))
        self.assertRegex(
            row["reason"],
            r"take \d+ MiB in float32, and cpu has \d+ MiB free; --force tries all the same",
        )
        job = support.job("gpt2").replace(checkpoint=str(folder / "tuned"), weights="local")
        self.assertIsNotNone(room.too_large(job))
        self.assertIsNone(room.too_large(job.replace(dtypes=("float32", "bfloat16"))))
        (forced,) = downloads.prepare([job.replace(checkpoint=str(tiny))], print, force=True)
        self.assertFalse(forced.barred)


class TestHub(unittest.TestCase):
    """The real client against a small Hub on loopback."""

    def setUp(self) -> None:
        self.folder = support.temporary_folder(self)
        self.results = self.folder / "results"
        self.hub = Hub()
        self.addCleanup(self.hub.close)

    def run_tests(
        self, *arguments: str, endpoint: str | None = None
    ) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
        """Run on published weights; the command and run.json."""
        environment = {
            "HF_HUB_CACHE": str(self.folder / "hub"),
            "HF_ENDPOINT": endpoint or self.hub.url,
            "HF_HUB_DISABLE_XET": "1",
        }
        arguments += ("--weights", "hub", "--cpu-only", "--method", "from_pretrained")
        done = support.runner(
            *arguments, "--results-dir", str(self.results), environment=environment
        )
        path = self.results / "latest" / "run.json"
        return done, json.loads(path.read_text()) if path.exists() else {}

    def publish(self, name: str, source: str) -> Path:
        """Put a copy of a tiny checkpoint on the Hub."""
        folder = self.folder / name.replace("/", "-")
        shutil.copytree(checkpoints.folder_of(support.job(source)), folder)
        self.hub.repositories[name] = folder
        return folder

    def test_listed_model_is_downloaded_and_tested(self) -> None:
        folder = self.publish(LISTED, LISTED)
        (folder / "pytorch_model.bin").write_bytes(b"a pickle that nobody asked for")
        done, run = self.run_tests("--model", LISTED)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("1 model: 1 from the Hub; 0.3 GB to download", done.stdout)
        (row,) = run["checks"]
        self.assertEqual((row["status"], row["weights"]), ("passed", "hub"))
        document = json.loads((self.results / "latest" / row["file"]).read_text())
        support.validate("model", document)
        entry = document["results"]["from_pretrained_cpu"]
        self.assertEqual(entry["commit"], hub.COMMIT)
        self.assertEqual(
            entry["weights_sha256"], checkpoint_files.file_digest(folder / "model.safetensors")
        )
        self.assertFalse([item for item in self.hub.requests if item.endswith(".bin")])
        before = len(self.hub.requests)
        done, _ = self.run_tests("--model", LISTED, "--dry-run")
        self.assertEqual(done.stdout.splitlines()[0], "1 model: 1 from the Hub")
        self.assertEqual(len(self.hub.requests), before, "what is cached is not asked for again")

    def test_unlisted_model_of_the_hub(self) -> None:
        self.publish("someone/tuned", "distilgpt2")
        done, run = self.run_tests("--model", "someone/tuned")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        (row,) = run["checks"]
        self.assertEqual((row["family"], row["status"]), ("gpt", "passed"))

    def test_models_that_the_hub_does_not_have(self) -> None:
        """A listed one costs its own job; an unlisted one is a typing error."""
        done, run = self.run_tests("--model", "gpt2")
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        found = [(row["status"], row["error_type"]) for row in run["checks"]]
        self.assertEqual(found, [("error", "model_not_found")])
        done, _ = self.run_tests("--model", "someone/nothing")
        self.assertEqual(done.returncode, 2)
        self.assertIn("the Hub does not give its config.json: RepositoryNotFound", done.stderr)
        self.assertNotIn("Traceback", done.stderr)

    def test_no_connection(self) -> None:
        nowhere = "http://127.0.0.1:9"  # nobody listens there
        done, run = self.run_tests("--model", "gpt2", endpoint=nowhere)
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertEqual(run["checks"][0]["error_type"], "network", run["checks"][0])
        done, _ = self.run_tests("--model", "someone/tuned", endpoint=nowhere)
        self.assertEqual(done.returncode, 2)
        self.assertIn("registry, and the Hub could not be reached for its config", done.stderr)
        self.assertIn("python runner.py doctor", done.stderr)
        self.assertNotIn("client has been closed", done.stderr)


class TestCacheFolder(unittest.TestCase):
    def test_where_tiny_checkpoints_are_kept(self) -> None:
        self.assertEqual(cache.default_folder({"HF_TESTS_CACHE": "/x"}), "/x")
        self.assertEqual(cache.default_folder({"XDG_CACHE_HOME": "/y"}), "/y/hf-tests")
        self.assertTrue(cache.default_folder({}).endswith("/.cache/hf-tests"))
