"""Downloads of published checkpoints by the real client, from a small Hub that misbehaves."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import threading
import unittest
from pathlib import Path
from types import SimpleNamespace

from hf_tests import registry
from hf_tests.nightly import downloads
from hf_tests.probe import checkpoints
from tests import support
from tests.hub import COMMIT, Hub

WEIGHTS = "model.safetensors"
TOKEN = "hf_PlantedSecretThatMustNotBeWritten"
LOGIN = "hf_AnotherOneOfTheLoginFile"


class TestDownloads(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = support.temporary_folder(self)
        self.hub = Hub()
        self.addCleanup(self.hub.close)
        self.source = self.publish("gpt2")
        self.environment = {
            "HF_HOME": str(self.folder / "home"),
            "HF_HUB_CACHE": str(self.folder / "hub"),
            "HF_ENDPOINT": self.hub.url,
            "HF_HUB_DISABLE_XET": "1",
            "HF_TOKEN": "",
        }

    def publish(self, name: str) -> Path:
        """Put a copy of a tiny checkpoint on the Hub."""
        folder = self.folder / f"published-{name}"
        shutil.copytree(checkpoints.folder_of(support.job(name)), folder)
        self.hub.repositories[name] = folder
        return folder

    def prefetch(self, *arguments: str, status: int = 0) -> subprocess.CompletedProcess[str]:
        """Download and no more."""
        done = support.runner(
            "--prefetch", "--model", "gpt2", "--cpu-only", *arguments, environment=self.environment
        )
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        self.assertNotIn("Traceback", done.stderr)
        return done

    def assert_whole(self) -> None:
        found = self.folder / "hub" / "models--gpt2" / "snapshots" / COMMIT / WEIGHTS
        self.assertEqual(found.read_bytes(), (self.source / WEIGHTS).read_bytes())

    def gets(self) -> list[str]:
        return [
            item for item in self.hub.requests if item == f"GET /gpt2/resolve/{COMMIT}/{WEIGHTS}"
        ]

    def test_only_what_is_needed(self) -> None:
        (self.source / "pytorch_model.bin").write_bytes(b"a pickle")
        (self.source / "onnx").mkdir()
        (self.source / "onnx" / "config.json").write_text("{}")
        done = self.prefetch()
        self.assertIn("1 of 1 published checkpoints are in the Hub's cache", done.stdout)
        self.assert_whole()
        asked = "\n".join(self.hub.requests)
        self.assertNotIn("pytorch_model.bin", asked)
        self.assertNotIn("onnx", asked)
        before = len(self.hub.requests)
        self.prefetch()
        self.assertEqual(len(self.hub.requests), before, "what is there is not asked for")
        # A part of a checkpoint is in the same repository.
        listed = self.folder / "registry.json"
        text = registry.DEFAULT_PATH.read_text(encoding="utf-8")
        listed.write_text(text.replace('"gpt2"', '"gpt2#text"'), encoding="utf-8")
        done = support.runner(
            *("--prefetch", "--registry", str(listed), "--model", "gpt2#text", "--cpu-only"),
            environment=self.environment,
        )
        self.assertIn("1 of 1 published checkpoints are in the Hub's cache", done.stdout)

    def test_a_hub_that_comes_to_its_senses(self) -> None:
        self.hub.misbehave("api/models", status=429, headers={"Retry-After": "3"}, times=1)
        self.hub.misbehave("api/models", status=500, times=1)
        self.hub.misbehave(WEIGHTS, method="GET", cut=100_000, times=1)
        done = self.prefetch()
        self.assertIn("again in 3 s (1/4)", done.stderr)
        infos = [
            time
            for request, time in zip(self.hub.requests, self.hub.times, strict=True)
            if "api/models" in request
        ]
        self.assertGreaterEqual(infos[1] - infos[0], 3.0)
        self.assertGreater(infos[2] - infos[1], 1.0)
        self.assert_whole()

    def test_wrong_bytes_are_not_taken(self) -> None:
        self.hub.misbehave(WEIGHTS, method="GET", tamper=True, times=1)
        done = self.prefetch()
        self.assertRegex(done.stderr, "came with the SHA-256 [0-9a-f]{64}, and the Hub promised")
        self.assert_whole()

    def test_what_is_never_loaded(self) -> None:
        (self.source / WEIGHTS).rename(self.source / "pytorch_model.bin")
        done = self.prefetch(status=1)
        self.assertIn("its weights as a pickle only (pytorch_model.bin)", done.stderr)
        self.assertNotIn("pytorch_model.bin", "".join(self.hub.requests))
        self.assertIn("--allow-pickle gpt2 takes the tensors out of it", done.stderr)
        self.prefetch("--allow-pickle", "gpt2")
        self.assertIn("pytorch_model.bin", "".join(self.hub.requests))
        (self.source / "pytorch_model.bin").rename(self.source / "weights.pt")
        done = self.prefetch("--allow-pickle", "gpt2", status=1)
        self.assertIn("as a pickle only (weights.pt)", done.stderr)
        self.assertNotIn("--allow-pickle", done.stderr, "what is allowed already is no advice")

    def test_names_that_lead_out_of_the_folder(self) -> None:
        names = ("../model.safetensors", "/config.json", "a/config.json", "a\\config.json", ".json")
        siblings = [SimpleNamespace(rfilename=name, size=1, lfs=None) for name in names]
        self.assertEqual(downloads.wanted(siblings), ())
        (file,) = downloads.wanted([SimpleNamespace(rfilename="config.json", size=1, lfs=None)])
        self.assertEqual(file.name, "config.json")

    def test_weights_that_are_there_in_one_file_and_in_parts(self) -> None:
        """transformers loads the one; the parts would be fetched and hashed for nothing."""
        parts = [
            f"{kind}-0000{part}-of-00002.{ending}"
            for part in (1, 2)
            for kind, ending in (("model", "safetensors"), ("pytorch_model", "bin"))
        ]
        indices = ["model.safetensors.index.json", "pytorch_model.bin.index.json"]
        for alone, pattern in (
            ("model.safetensors", downloads.WEIGHTS),
            ("pytorch_model.bin", downloads.ALLOWED_PICKLES),
        ):
            siblings = [
                SimpleNamespace(rfilename=name, size=1, lfs=None)
                for name in (*parts, *indices, alone, "config.json")
            ]
            with self.subTest(alone):
                found = {file.name for file in downloads.wanted(siblings, pattern)}
                self.assertEqual(found, {alone, "config.json"})
                siblings = [item for item in siblings if item.rfilename != alone]
                self.assertEqual(len(downloads.wanted(siblings, pattern)), 4)

    def test_a_failure_costs_its_own_model_and_the_token_is_nowhere(self) -> None:
        """Neither one of the environment, nor the one that a login has left in its file."""
        self.publish("distilgpt2")
        self.hub.gated = {"gpt2"}
        self.environment["HF_TOKEN"] = TOKEN
        login = self.folder / "home" / "token"
        login.parent.mkdir()
        login.write_text(LOGIN)
        self.prefetch(status=1)
        self.assertEqual(self.hub.seen, {TOKEN}, "the environment's is sent first")
        self.environment["HF_TOKEN"] = ""
        results = self.folder / "results"
        with CommandLines() as watched:
            done = support.runner(
                "--model", "gpt2", "distilgpt2", "--weights", "hub", "--cpu-only",
                "--method", "from_pretrained", "--verbose", "--results-dir", str(results),
                environment=self.environment,
            )  # fmt: skip
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        run = json.loads((results / "latest" / "run.json").read_text())
        found = {row["model"]: row for row in run["checks"]}
        self.assertEqual(found["distilgpt2"]["status"], "passed")
        refused = found["gpt2"]
        self.assertEqual(
            (refused["status"], refused["error_type"], refused["stage"]),
            ("error", "access_denied", "download"),
        )
        self.assertIn("gpt2", refused["hint"])
        self.assertIn(LOGIN, self.hub.seen, "the client did send it")
        written = [path for path in self.folder.rglob("*") if path.is_file() and path != login]
        self.assertGreater(len(written), 10)
        lines = b"\n".join(watched.found)
        if watched.can_look:
            self.assertIn(str(results).encode(), lines, "the command itself was seen")
        for token in (TOKEN, LOGIN):
            self.assertNotIn(token, done.stdout + done.stderr)
            self.assertNotIn(token.encode(), lines)
            for path in written:
                self.assertNotIn(token.encode(), path.read_bytes(), path)


class CommandLines:
    """While entered, collects the arguments of every process there is, as `ps` would show them."""

    def __init__(self) -> None:
        self.can_look = Path("/proc/self/cmdline").exists()
        self.found: set[bytes] = set()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> CommandLines:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.02):
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                with contextlib.suppress(OSError):  # it has ended meanwhile
                    self.found.add(path.read_bytes())
