"""Around the isolated process: start it, limit it, watch it, end it."""

from __future__ import annotations

from collections.abc import Sequence

from hf_tests.isolation.base import Launcher
from hf_tests.job import Job


def launcher_of(method: str, jobs: Sequence[Job]) -> Launcher:
    """The launcher of a method: ``auto``, ``fork``, ``spawn`` or ``none``.

    What the jobs will need is imported beforehand where a method can.
    """
    from hf_tests.isolation.auto import AutoLauncher
    from hf_tests.isolation.fork import ForkLauncher
    from hf_tests.isolation.inprocess import InProcessLauncher
    from hf_tests.isolation.spawn import SpawnLauncher

    if method == "spawn":
        return SpawnLauncher()
    if method == "none":
        return InProcessLauncher()
    fork = ForkLauncher(jobs)
    return fork if method == "fork" else AutoLauncher(fork, SpawnLauncher())
