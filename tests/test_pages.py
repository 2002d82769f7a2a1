"""Pages that a fork shares: which ones it wrote to, and copies of them made beforehand."""

from __future__ import annotations

import os
import subprocess
import sys
import unittest
from array import array
from pathlib import Path

from hf_tests.probe import pages

FORKS = """
import ctypes, mmap, os, sys
from hf_tests.probe import pages

block = mmap.mmap(-1, 64 * mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
for page in range(64):
    block[page * mmap.PAGESIZE] = 1
first = ctypes.addressof(ctypes.c_char.from_buffer(block)) // mmap.PAGESIZE
written = pages.Written()

def own(work):
    reading, writing = os.pipe()
    if os.fork() == 0:
        work()
        with open(writing, "wb") as file:
            file.write(written.by_this_process())
        os._exit(0)
    os.close(writing)
    with open(reading, "rb") as file:
        told = file.read()
    os.wait()
    numbers = pages.array("Q", told)
    return told, sorted(number - first for number in numbers if 0 <= number - first < 64)

def write():
    for page in (3, 4, 40):
        block[page * mmap.PAGESIZE] = 2

told, after = own(write)
print(after)
written.learn(told)
print(own(written.copy_beforehand)[1])
print(own(lambda: None)[1])
print(set(block[:: mmap.PAGESIZE]))
"""

ENLARGED = """
import os
from pathlib import Path
from hf_tests.probe import pages

def large():
    rollup = Path("/proc/self/smaps_rollup").read_text()
    return int(rollup.split("AnonHugePages:")[1].split()[0]) // 2048

block = bytearray(os.urandom(1 << 20)) * 64
before, total = large(), sum(block[::4096])
made = pages.enlarge()
print(made, large() - before, sum(block[::4096]) == total)
"""


def lines(code: str) -> list[str]:
    """What a fresh interpreter prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    if done.returncode:
        raise AssertionError(done.stderr)
    return done.stdout.splitlines()


@unittest.skipUnless(sys.platform == "linux", "other systems do not tell of pages")
class TestForks(unittest.TestCase):
    def test_what_one_fork_wrote_to_is_the_next_one_s_before_it_writes(self) -> None:
        after, copied, idle, values = lines(FORKS)
        self.assertEqual(after, "[3, 4, 40]")
        self.assertEqual(copied, "[3, 4, 40]")
        self.assertEqual(idle, "[]", "a fork that prepares nothing shares them all")
        self.assertEqual(values, "{1}", "the parent's own are as they were")

    @unittest.skipUnless(
        Path("/sys/kernel/mm/transparent_hugepage").exists()
        and tuple(map(int, os.uname().release.split(".")[:2])) >= (6, 1),
        "a kernel without large pages, or that makes none on request",
    )
    def test_memory_in_large_pages_holds_what_it_held(self) -> None:
        ((made, seen, same),) = (line.split() for line in lines(ENLARGED))
        self.assertGreaterEqual(int(made), 31, "of 64 MiB, less what is not on a boundary")
        self.assertGreaterEqual(int(seen), 31)
        self.assertEqual(same, "True")


class TestWritten(unittest.TestCase):
    def test_what_half_of_the_jobs_wrote_to_is_likely(self) -> None:
        written = pages.Written()
        for told in ([10, 11, 20], [10, 11, 30], [10, 12]):
            written.learn(array("Q", told).tobytes())
        self.assertEqual(written._likely, [(10, 2)])

    def test_no_more_jobs_are_asked_than_needed(self) -> None:
        written = pages.Written()
        for _ in range(pages.JOBS):
            self.assertTrue(written.wanted)
            written.learn(array("Q", [1]).tobytes())
        self.assertFalse(written.wanted)

    def test_what_a_job_tells_need_not_be_true(self) -> None:
        """Half a number, far too many, none: as if it had told nothing. Wrong ones do no harm."""
        written = pages.Written()
        for told in (b"", b"123", array("Q", range(pages.MOST + 1)).tobytes()):
            written.learn(told)
        self.assertEqual((written._asked, written._likely), (0, []))
        written.learn(array("Q", [1, 2**50, 2**64 - 1]).tobytes())
        self.assertEqual(written.copy_beforehand(), 0)


if __name__ == "__main__":
    unittest.main()
