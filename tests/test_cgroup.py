"""Control groups, on machines where this process may make some: the kernel's own limit."""

from __future__ import annotations

import os
import unittest
from pathlib import Path

from hf_tests.isolation import cgroup
from tests import support, test_isolation

SHARED = """
import mmap
limit, step = 600 << 20, 16 << 20
memory = mmap.mmap(-1, limit)  # shared, which no limit of a process counts
for place in range(0, limit, step):
    memory[place : place + step] = b"x" * step
"""

TOGETHER = """
# None of them has too much, all of them have.
code = "import time; block = bytearray(b'x' * (150 << 20)); time.sleep(60)"
children = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(4)]
[child.wait() for child in children]
"""

ESCAPED = """
# In a session, with a parent and with variables of its own: nothing but its group is the job's.
if os.fork() == 0:
    os.setsid()
    child = subprocess.Popen(["sleep", "600"], env={{}}, start_new_session=True)
    Path({note!r}).write_text(str(child.pid))
    os._exit(0)
while not Path({note!r}).exists(): time.sleep(0.01)
time.sleep(0.2)
"""


@unittest.skipIf(cgroup.parent() is None, "no control groups can be made here")
class TestSpawned(test_isolation.TestEndings):
    """All endings once more, and those that only a group sees."""

    def setUp(self) -> None:
        super().setUp()
        self.addCleanup(self.assert_no_group_is_left)

    def assert_no_group_is_left(self) -> None:
        base = cgroup.parent()
        assert base is not None
        self.assertEqual(list(base.glob(f"hf-tests-{os.getpid()}-*")), [])

    def test_shared_memory(self) -> None:
        done = self.run_code(SHARED, memory_limit_mb=300.0)
        self.assert_second(done, "error", "out_of_memory", "used more memory than it may")

    def test_many_processes_together(self) -> None:
        done = self.run_code(TOGETHER, memory_limit_mb=300.0)
        self.assert_second(done, "error", "out_of_memory", "used more memory than it may")

    def test_within_the_limit(self) -> None:
        code = f"block = bytearray(b'x' * (100 << 20))\n{test_isolation.PASSED}"
        done = self.run_code(code, memory_limit_mb=300.0)
        self.assertEqual(done.results[1].status, "passed")

    def test_a_process_that_nothing_but_its_group_betrays(self) -> None:
        note = self.folder / "pid"
        done = self.run_code(ESCAPED.format(note=str(note)) + test_isolation.PASSED)
        self.assertEqual(done.results[1].status, "passed")
        self.assert_gone(int(note.read_text()))


@unittest.skipIf(cgroup.parent() is None, "no control groups can be made here")
class TestForked(TestSpawned, test_isolation.TestForkedEndings):
    """The same in children of a fork server."""


class TestWhere(unittest.TestCase):
    def test_a_process_says_which_group_it_is_in(self) -> None:
        """Wherever this runs: a folder of the hierarchy, or none; and none is made unasked."""
        base = cgroup.parent()
        if base is None:
            with cgroup.of_job(support.job("gpt2")) as group:
                self.assertIsNone(group)
        else:
            self.assertTrue((base / "cgroup.controllers").is_file())
            self.assertIn(str(os.getpid()), _members(base))


def _members(base: Path) -> list[str]:
    """The processes in a group and in those right below it."""
    files = [base / "cgroup.procs", *base.glob("*/cgroup.procs")]
    return [word for path in files for word in path.read_text().split()]


if __name__ == "__main__":
    unittest.main()
