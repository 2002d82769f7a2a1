"""The Hub's faults: the real client against a Hub on loopback that misbehaves, in one run."""

from __future__ import annotations

import hashlib
import json
import shutil
import unittest
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from hf_tests.probe import checkpoints
from tests import support, test_faults
from tests.hub import COMMIT, Hub
from tests.test_faults import MODEL, WEIGHTS

OWNER = "someone"
HEALTHY = ("healthy", "healthy-too")
TOKEN = "hf_PlantedSecretThatMustNotBeWritten"
NOWHERE = "http://[100::1]:9"
"""In the block of addresses that is for discarding (RFC 6666): nothing answers there."""

CHECK = "from_pretrained_cpu"
SLOW_S, PATIENCE_S = 3.0, 1  # of the Hub, and of the client

IMPATIENT = """
import runpy, sys
from hf_tests.nightly import downloads
downloads.ATTEMPTS, downloads.FIRST_WAIT_S = 2, 0.05
sys.argv[0] = "runner.py"
runpy.run_path("runner.py", run_name="__main__")
"""
"""The command with fewer attempts and shorter waits; tests/test_downloads.py looks at theirs."""

Spoil = Callable[[Hub, str], object]


@dataclass(frozen=True)
class Fault:
    """What goes wrong with a repository, and what must be said of it; empty where it heals."""

    name: str
    spoil: Spoil
    kind: str
    says: str
    status: str = "error"
    entry: tuple[tuple[str, Any], ...] = ()
    stage: str = "download"


def answer(part: str, **how: Any) -> Spoil:
    """Requests for that part of the repository go wrong: `tests.hub.Fault`."""

    def act(hub: Hub, name: str) -> None:
        where = f"api/models/{name}" if part == "api" else f"{name}/resolve/{COMMIT}/{part}"
        hub.misbehave(where, **how)

    return act


def none_such(hub: Hub, name: str) -> None:
    del hub.repositories[name]


def healthy(hub: Hub, name: str) -> None:
    del hub, name


def elsewhere(hub: Hub, name: str) -> None:
    """The large file lies on a server that cannot be reached."""
    content = (hub.repositories[name] / WEIGHTS).read_bytes()
    headers = {
        "Location": f"{NOWHERE}/{WEIGHTS}",
        "X-Linked-Etag": hashlib.sha256(content).hexdigest(),
        "X-Linked-Size": str(len(content)),
    }
    answer(WEIGHTS, status=302, headers=headers)(hub, name)


def pickle_only(hub: Hub, name: str) -> None:
    folder = hub.repositories[name]
    (folder / WEIGHTS).rename(folder / "pytorch_model.bin")


REFUSED = {"X-Error-Message": "Invalid credentials in Authorization header"}
GATED = {"X-Error-Code": "GatedRepo", "X-Error-Message": "Access is restricted"}
DISABLED = {"X-Error-Message": "Access to this resource is disabled."}

FAULTS = (
    Fault("401-login", answer("api", status=401, headers=REFUSED), "access_denied", "401"),
    Fault("403-gated", answer("", status=403, headers=GATED), "access_denied", "403|restricted",
          entry=(("gated", True),)),
    Fault("403-disabled", answer("api", status=403, headers=DISABLED), "access_denied", "disabled"),
    Fault("404-repository", none_such, "model_not_found", "404"),
    Fault("404-revision", healthy, "model_not_found", "404", entry=(("revision", "v9"),)),
    Fault("429-for-ever", answer("api", status=429, headers={"Retry-After": "0"}), "network",
          "429"),
    Fault("429-once", answer("api", status=429, headers={"Retry-After": "1"}, times=1), "none", "",
          "passed", stage="judgement"),
    Fault("500-for-ever", answer("api", status=500), "network", "500"),
    Fault("500-then-well", answer("api", status=500, times=1), "none", "", "passed",
          stage="judgement"),
    Fault("reset-in-mid-file", answer(WEIGHTS, method="GET", cut=100_000, times=1), "none", "",
          "passed", stage="judgement"),
    Fault("wrong-checksum", answer(WEIGHTS, method="GET", tamper=True), "corrupt_checkpoint",
          "SHA-256 [0-9a-f]{64}, and the Hub promised"),
    Fault("too-slow", answer(WEIGHTS, method="GET", delay_s=SLOW_S), "network", "."),
    Fault("slow-and-well", answer(WEIGHTS, method="GET", delay_s=PATIENCE_S / 2), "none", "",
          "passed", stage="judgement"),
    Fault("no-route", elsewhere, "network", "(?i)no route|unreachable|timed? ?out"),
    Fault("pickle-only", pickle_only, "unsupported", "as a pickle only", "skipped"),
)  # fmt: skip
"""Each is a repository of its own."""


class TestHubFaults(unittest.TestCase):
    """One run of them all, with repositories that are well before and behind them."""

    rows: ClassVar[dict[str, dict[str, Any]]]
    entries: ClassVar[dict[str, dict[str, Any]]]
    status: ClassVar[int]
    root: ClassVar[Path]
    hub: ClassVar[Hub]

    @classmethod
    def setUpClass(cls) -> None:
        cls.root = support.class_folder(cls)
        cls.hub = Hub()
        cls.addClassCleanup(cls.hub.close)
        cls.hub.tokens = {TOKEN}
        whole = checkpoints.folder_of(support.job(MODEL))
        models: dict[str, tuple[tuple[str, Any], ...]] = {f"{OWNER}/{HEALTHY[0]}": ()}
        models |= {f"{OWNER}/{fault.name}": fault.entry for fault in FAULTS}
        models[f"{OWNER}/{HEALTHY[1]}"] = ()
        for name in (*HEALTHY, *(fault.name for fault in FAULTS)):
            cls.hub.repositories[f"{OWNER}/{name}"] = cls.root / "published" / name
            shutil.copytree(whole, cls.root / "published" / name)
        for fault in FAULTS:
            fault.spoil(cls.hub, f"{OWNER}/{fault.name}")
        program = cls.root / "impatient.py"
        program.write_text(IMPATIENT)
        cls.status, cls.rows, cls.entries = test_faults.run(
            cls.root,
            models,
            *("--all", "--weights", "hub", "--cpu-only", "--method", "from_pretrained"),
            *("--trials", "1"),
            program=str(program),
            environment={
                "PYTHONPATH": str(support.ROOT),
                "HF_HOME": str(cls.root / "home"),
                "HF_HUB_CACHE": str(cls.root / "hub"),
                "HF_ENDPOINT": cls.hub.url,
                "HF_HUB_DISABLE_XET": "1",
                "HF_HUB_ETAG_TIMEOUT": str(PATIENCE_S),
                "HF_HUB_DOWNLOAD_TIMEOUT": str(PATIENCE_S),
                "HF_TOKEN": TOKEN,
            },
        )

    def test_exit_status(self) -> None:
        self.assertEqual(self.status, 1)

    def test_other_jobs_are_unharmed(self) -> None:
        for name in HEALTHY:
            row = self.rows[f"{name} {CHECK}"]
            self.assertEqual((row["status"], row["weights"]), ("passed", "hub"), row)

    def test_each_is_told_apart(self) -> None:
        for fault in FAULTS:
            with self.subTest(fault.name):
                row = self.rows[f"{fault.name} {CHECK}"]
                shown = json.dumps({key: row[key] for key in ("status", "stage", "error")})
                self.assertEqual(row["status"], fault.status, shown)
                self.assertEqual(row["error_type"], fault.kind, shown)
                if fault.status == "skipped":
                    self.assertRegex(row["reason"], fault.says)
                    continue
                self.assertEqual(row["stage"], fault.stage, shown)
                if fault.status == "passed":
                    continue
                self.assertRegex(row["error"], fault.says)
                self.assertNotIn("\n", row["error"])
                self.assertIn(row["model"], row["hint"])
                self.assertIn("python runner.py", row["hint"])
                entry = self.entries[f"{fault.name} {CHECK}"]
                trace = entry["from_pretrained_traceback"]
                self.assertIn("Traceback (most recent call last)", trace)

    def test_hints_differ_by_what_helps(self) -> None:
        for name, words in (
            ("401-login", "hf auth login"),
            ("403-gated", "Accept the licence"),
            ("403-disabled", "has disabled"),
            ("404-revision", "no such revision"),
            ("429-for-ever", "asks to wait"),
            ("wrong-checksum", "--force-download"),
            ("no-route", "doctor"),
        ):
            with self.subTest(name):
                self.assertIn(words, self.rows[f"{name} {CHECK}"]["hint"])

    def test_what_healed_is_whole(self) -> None:
        for fault in FAULTS:
            if fault.status == "passed":
                place = f"models--{OWNER}--{fault.name}/snapshots/{COMMIT}/{WEIGHTS}"
                found = (self.root / "hub" / place).read_bytes()
                published = self.root / "published" / fault.name / WEIGHTS
                self.assertEqual(found, published.read_bytes(), fault.name)


if __name__ == "__main__":
    unittest.main()
