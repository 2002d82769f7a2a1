"""Fork where it is sound, spawn everywhere else."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from hf_tests.isolation import environment
from hf_tests.isolation.base import Ending
from hf_tests.isolation.fork import ForkLauncher, Unfit
from hf_tests.isolation.spawn import SpawnLauncher
from hf_tests.job import Job

FORKED = frozenset({"cpu", "openvino"})
"""Kinds of devices without a context that a fork would break."""


class AutoLauncher:
    """Forks jobs of the CPU and of OpenVINO on Linux; spawns all others.

    Once a server proves unfit, everything is spawned, and ``notes`` says why.
    """

    name = "auto"

    def __init__(self, fork: ForkLauncher, spawn: SpawnLauncher) -> None:
        self._fork = fork
        self._spawn = spawn
        self.startup_s = fork.startup_s
        self.notes: tuple[str, ...] = ()
        self._may_fork = sys.platform == "linux"
        if not self._may_fork:
            self.notes = (f"spawn, since fork is unsound on {sys.platform}",)

    def run(self, job: Job, stream: Path, log: Path, tick: Callable[[], bool]) -> Ending:
        """See `isolation.base.Launcher.run`."""
        kind = job.device.partition(":")[0]
        if self._may_fork and kind in FORKED and not environment.downloads(job):
            try:
                return self._fork.run(job, stream, log, tick)
            except Unfit as reason:
                # Jobs that were forked before may still run beside this one; let them.
                self._may_fork = False
                self.notes = (f"spawn, since the fork server is unfit: {reason}",)
        return self._spawn.run(job, stream, log, tick)

    def close(self) -> None:
        """End what the launchers keep."""
        self._fork.close()
