"""What jobs that run beside each other must not share: cores, accelerators, memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hf_tests import hardware
from hf_tests.job import Job

RESERVE_MB = 512.0  # of memory that no job may take
RESERVE_SHARE = 0.05

SHARED = frozenset({"cpu", "openvino", "openvino:cpu"})
"""Devices that are divided by cores; of any other a job takes the whole."""


@dataclass(frozen=True)
class Claim:
    """What one running job has: its cores, an accelerator, and memory in MiB, if that is known."""

    cores: tuple[int, ...]
    accelerator: str | None
    memory_mb: float | None


class Resources:
    """Gives each job cores of its own, an accelerator alone, and memory that is there.

    ``groups`` are the cores of each job that may run at a time, an empty one meaning all of them;
    ``memory_mb`` is what all of them together may take, None where nobody can tell, and ``free_mb``
    says what is free at the moment.
    """

    def __init__(
        self,
        groups: Sequence[tuple[int, ...]],
        memory_mb: float | None,
        free_mb: Callable[[], float | None] = hardware.free_memory_mb,
    ) -> None:
        self.slots = len(groups)
        self._groups = list(groups)
        self._accelerators: set[str] = set()
        self._memory_mb = memory_mb
        self._free_mb = free_mb
        self._claimed: list[float] = []

    def claim(self, job: Job) -> Claim | None:
        """What the job will run on; None where it has to wait.

        Unless it has a limit of its own, it gets an equal share of the memory, or what it is
        thought to need where that is more. While no other job runs, none has to wait for memory.
        """
        accelerator = accelerator_of(job.device)
        if not self._groups or accelerator in self._accelerators:
            return None
        memory = job.memory_limit_mb
        if self._memory_mb is not None:
            if memory is None:
                memory = min(max(self._memory_mb / self.slots, job.needs_mb), self._memory_mb)
            if self._claimed and not self._has(memory, job.needs_mb):
                return None
        self._claimed.append(memory or 0.0)
        if accelerator is not None:
            self._accelerators.add(accelerator)
        return Claim(self._groups.pop(0), accelerator, memory)

    def _has(self, memory: float, needs: float) -> bool:
        """Whether that much is neither claimed by other jobs nor used by other programs."""
        assert self._memory_mb is not None
        free = self._free_mb()
        if free is not None and free < needs:
            return False
        # The tolerance is for the rounding of shares that add up to all of it.
        return sum(self._claimed) + memory <= self._memory_mb * (1 + 1e-9)

    def release(self, claim: Claim) -> None:
        """Take back what a job had."""
        self._groups.append(claim.cores)
        self._groups.sort()
        self._claimed.remove(claim.memory_mb or 0.0)
        if claim.accelerator is not None:
            self._accelerators.discard(claim.accelerator)


def accelerator_of(device: str) -> str | None:
    """The accelerator that a job on the device has alone; None for the processor.

    ``cuda`` and ``cuda:0`` are the same one.
    """
    if device in SHARED:
        return None
    return "cuda:0" if device == "cuda" else device


def of_machine(jobs_at_once: int) -> Resources:
    """This machine, divided among so many jobs; a single one keeps all cores."""
    groups = hardware.core_groups(jobs_at_once) if jobs_at_once > 1 else ((),)
    return Resources(groups, _free_less_reserve_mb())


def _free_less_reserve_mb() -> float | None:
    """What jobs may take so that the machine does not swap; None where nobody can tell."""
    free, total = hardware.free_memory_mb(), hardware.total_memory_mb()
    if free is None or total is None:
        return None
    return max(free - max(RESERVE_MB, RESERVE_SHARE * total), 0.5 * free)
