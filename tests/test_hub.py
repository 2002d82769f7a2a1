"""The small Hub itself, asked by the real client: it must speak and misbehave as the Hub does."""

from __future__ import annotations

import contextlib
import json
import time
import unittest
import urllib.request
from pathlib import Path
from typing import Any
from unittest import mock

import huggingface_hub
from huggingface_hub import constants, errors

from tests import support
from tests.hub import COMMIT, Hub

NAME = "someone/model"
SIZE = 300_000


class TestSmallHub(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = support.temporary_folder(self)
        self.source = self.folder / "source"
        self.source.mkdir()
        (self.source / "config.json").write_text(json.dumps({"model_type": "bert"}))
        (self.source / "model.safetensors").write_bytes(bytes(range(250)) * (SIZE // 250))
        self.hub = Hub()
        self.addCleanup(self.hub.close)
        self.hub.repositories[NAME] = self.source

    def fetch(self, name: str = NAME, **how: Any) -> Path:
        """Download the weights with the real client."""
        with mock.patch.object(constants, "HF_HUB_DISABLE_XET", True):
            found = huggingface_hub.hf_hub_download(
                name,
                "model.safetensors",
                endpoint=self.hub.url,
                cache_dir=self.folder / "cache",
                **{"token": False, **how},
            )
        return Path(found)

    def assert_fetched(self, path: Path) -> None:
        self.assertEqual(path.parent.name, COMMIT)
        self.assertEqual(path.read_bytes(), (self.source / "model.safetensors").read_bytes())

    def test_whole_files_and_what_it_knows_of_them(self) -> None:
        self.hub.revisions[NAME] = {"v1"}
        self.assert_fetched(self.fetch(revision="v1"))
        info = huggingface_hub.HfApi(endpoint=self.hub.url, token=False).model_info(
            NAME, files_metadata=True
        )
        assert info.siblings is not None
        weights = info.siblings[1]
        self.assertEqual((info.sha, weights.size), (COMMIT, SIZE))
        assert weights.lfs is not None
        stored = Path(self.fetch()).resolve().name
        self.assertEqual(weights.lfs.sha256, stored, "the cache names a large file by its hash")

    def test_what_it_does_not_have(self) -> None:
        with self.assertRaises(errors.RepositoryNotFoundError):
            self.fetch("someone/else")
        with self.assertRaises(errors.RevisionNotFoundError):
            self.fetch(revision="v9")
        (self.source / "model.safetensors").unlink()
        with self.assertRaises(errors.EntryNotFoundError):
            self.fetch()

    def test_gated(self) -> None:
        self.hub.gated, self.hub.tokens = {NAME}, {"hf_right"}
        for token in (False, "hf_wrong"):
            with self.assertRaises(errors.GatedRepoError):
                self.fetch(token=token)
        self.assert_fetched(self.fetch(token="hf_right"))
        self.assertEqual(self.hub.seen, {"hf_wrong", "hf_right"})

    def test_reset_in_mid_file(self) -> None:
        self.hub.misbehave("model.safetensors", method="GET", cut=SIZE // 2, times=1)
        with contextlib.suppress(Exception):  # some versions of the client go on by themselves
            self.fetch()
        self.assert_fetched(self.fetch())
        gets = [item for item in self.hub.requests if item.startswith("GET")]
        self.assertEqual(len(gets), 2)

    def test_the_rest_of_a_file(self) -> None:
        request = urllib.request.Request(f"{self.hub.url}/{NAME}/resolve/main/model.safetensors")
        request.add_header("Range", f"bytes={SIZE - 7}-")
        with urllib.request.urlopen(request) as answer:
            self.assertEqual((answer.status, len(answer.read())), (206, 7))

    def test_answers_that_go_wrong(self) -> None:
        self.hub.misbehave("api/models", status=500, times=1)
        api = huggingface_hub.HfApi(endpoint=self.hub.url, token=False)
        with self.assertRaises(errors.HfHubHTTPError):
            api.model_info(NAME)
        self.assertEqual(api.model_info(NAME).sha, COMMIT)
        self.hub.misbehave("model.safetensors", method="GET", short=True, times=1)
        with self.assertRaisesRegex(OSError, "[Cc]onsistency check failed"):
            self.fetch()
        self.hub.misbehave("model.safetensors", method="GET", tamper=True, times=1)
        with self.assertRaises(AssertionError):
            self.assert_fetched(self.fetch(force_download=True))
        start = time.monotonic()
        self.hub.misbehave("model.safetensors", method="GET", delay_s=0.3, times=1)
        self.assert_fetched(self.fetch(force_download=True))
        self.assertGreater(time.monotonic() - start, 0.3)
        self.hub.misbehave("model.safetensors", status=503)
        self.hub.behave()
        self.assert_fetched(self.fetch(force_download=True))
