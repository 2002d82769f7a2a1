"""What it costs that a fork shares its parent's memory until it writes to it.

Every page that a fork writes to first is copied, one at a time and in the way of its threads, at
about 6 us each: 40 ms of a small model's job. Which pages these are hardly depends on the job: of
some 8,000, nine jobs in ten write to the same 5,400, the reference counts of what all of them
call. So the first few jobs say which they were, and later forks have them copied before they are
given a job: many at a time, at about 1 us each.

And every page that they share costs at the fork and at the fork's end: some 30 ms for a process of
900 MiB that has imported, and a third of that where the kernel keeps its memory in large pages.
"""

from __future__ import annotations

import collections
import contextlib
import ctypes
import functools
import mmap
from array import array
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import cast

MAPS = Path("/proc/self/maps")
PAGEMAP = Path("/proc/self/pagemap")
MADV_POPULATE_WRITE = 23  # linux/mman.h, since Linux 5.14
MADV_COLLAPSE = 25  # since Linux 6.1
LARGE_PAGE = 2 * 1024 * 1024
PRESENT, EXCLUSIVE = 1 << 63, 1 << 56  # proc(5), pagemap: it is there, and not shared
NUMBER = "Q"  # as pagemap has them: 8 bytes

JOBS = 5
"""How many jobs are asked; a page that half of them wrote to is likely to be one of the next's."""

MOST = 16384
"""A job that wrote to more pages is not like others, or does not tell the truth."""

WORTH_JOBS = 80
"""Large pages cost a second, and save 10 to 17 ms a job."""


class Written:
    """The pages that jobs write to, as their processes' parent learns of them.

    The parent keeps it; its forks have a copy, as it was when they were forked.
    """

    def __init__(self) -> None:
        self._shared = [
            (first // mmap.PAGESIZE, end // mmap.PAGESIZE) for first, end, _ in _writable()
        ]
        self._jobs: collections.Counter[int] = collections.Counter()
        self._asked = 0
        self._likely: list[tuple[int, int]] = []

    @property
    def wanted(self) -> bool:
        """Whether more jobs are to tell."""
        return self._asked < JOBS

    def by_this_process(self) -> bytes:
        """In a fork: the numbers of those of its parent's pages that are its own by now.

        Empty where the system does not tell.
        """
        own = array(NUMBER)
        with contextlib.suppress(OSError), PAGEMAP.open("rb", buffering=0) as pagemap:
            for first, end in self._shared:
                pagemap.seek(first * own.itemsize)
                entries = array(NUMBER, pagemap.read((end - first) * own.itemsize))
                own.extend(
                    first + index
                    for index, entry in enumerate(entries)
                    if entry & PRESENT and entry & EXCLUSIVE
                )
        return own.tobytes()

    def learn(self, told: bytes) -> None:
        """Take what a job's process has told; it ran foreign code and may tell anything."""
        pages = array(NUMBER)
        if not told or len(told) % pages.itemsize or len(told) > MOST * pages.itemsize:
            return
        pages.frombytes(told)
        self._jobs.update(set(pages))
        self._asked += 1
        self._likely = _runs(
            sorted(page for page, jobs in self._jobs.items() if 2 * jobs >= self._asked)
        )

    def copy_beforehand(self) -> int:
        """In a fork: have the pages copied that it will probably write to; returns how many."""
        copied = 0
        for first, count in self._likely:
            # Where it fails, the pages are copied when they are written to.
            if _advise(first * mmap.PAGESIZE, count * mmap.PAGESIZE, MADV_POPULATE_WRITE):
                copied += count
        return copied


def enlarge() -> int:
    """Have the kernel keep this process's memory in large pages; returns how many it has made.

    What is written to after a fork is copied in small ones all the same.
    """
    made = 0
    for first, end, name in _writable():
        first = -(-first // LARGE_PAGE) * LARGE_PAGE
        end = end // LARGE_PAGE * LARGE_PAGE
        if name in ("", "[heap]") and first < end:
            made += (end - first) // LARGE_PAGE * _advise(first, end - first, MADV_COLLAPSE)
    return made


def _advise(address: int, size: int, advice: int) -> bool:
    """madvise(2); false where it fails, and on systems that have none."""
    madvise = _madvise()
    return madvise is not None and madvise(address, size, advice) == 0


@functools.cache
def _madvise() -> Callable[[int, int, int], int] | None:
    with contextlib.suppress(AttributeError, OSError, TypeError):
        found = ctypes.CDLL(None).madvise
        found.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
        return cast("Callable[[int, int, int], int]", found)
    return None


def _writable() -> list[tuple[int, int, str]]:
    """Start, end and name of each private writable mapping of this process; none elsewhere."""
    found = []
    with contextlib.suppress(OSError):
        for line in MAPS.read_text().splitlines():
            addresses, access, _, _, _, *name = line.split(maxsplit=5)
            if access == "rw-p":
                first, end = (int(address, 16) for address in addresses.split("-"))
                found.append((first, end, "".join(name)))
    return found


def _runs(pages: Iterable[int]) -> list[tuple[int, int]]:
    """Pages that follow each other, as the first one's number and how many."""
    found: list[tuple[int, int]] = []
    for page in pages:
        if found and page == sum(found[-1]):
            found[-1] = found[-1][0], found[-1][1] + 1
        else:
            found.append((page, 1))
    return found
