"""Memory: a known amount is found again, of this process alone, however it came to be."""

from __future__ import annotations

import os
import sys
import unittest
import unittest.mock

from hf_tests.probe import memory
from tests import support

AMOUNT_MB = 256
ALLOCATE = """
import sys
from hf_tests.probe.memory import PeakMemory
before = bytearray(b"x") * (100 << 20)  # a level to begin with
peak = PeakMemory()
block = bytearray(b"x") * (int(sys.argv[1]) << 20)
del block
print(peak.growth_mb())
"""


class TestPeak(unittest.TestCase):
    def assert_found(self, growth: float | None) -> None:
        assert growth is not None
        self.assertAlmostEqual(growth, AMOUNT_MB, delta=0.05 * AMOUNT_MB)

    def test_in_a_fresh_process(self) -> None:
        done = support.run("-c", ALLOCATE, str(AMOUNT_MB))
        self.assert_found(float(done.stdout))

    def test_in_a_fork_of_a_larger_process(self) -> None:
        """The peak that it inherits is not its own."""
        inherited = bytearray(b"x") * (3 * AMOUNT_MB << 20)
        del inherited
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            peak = memory.PeakMemory()
            block = bytearray(b"x") * (AMOUNT_MB << 20)
            del block
            os.write(writing, str(peak.growth_mb()).encode())
            os._exit(0)
        os.close(writing)
        os.waitpid(child, 0)
        with os.fdopen(reading) as said:
            self.assert_found(float(said.read()))

    def test_nothing_is_next_to_nothing(self) -> None:
        done = support.run("-c", ALLOCATE, "0")
        self.assertLess(float(done.stdout), 2.0)

    def test_without_psutil(self) -> None:
        with unittest.mock.patch.dict(sys.modules, {"psutil": None}):
            self.assertGreater(memory.resident_mb() or 0.0, 1.0)
            with unittest.mock.patch.object(memory, "STATUS", memory.STATUS.with_name("none")):
                self.assertIsNone(memory.resident_mb())
                self.assertIsNone(memory.PeakMemory().growth_mb())


class TestModelSize(unittest.TestCase):
    def test_parameters_and_buffers_once_in_their_own_size(self) -> None:
        import torch

        network = torch.nn.Module()
        network.wide = torch.nn.Parameter(torch.zeros(1024, 256))  # 1 MiB
        network.tied = network.wide
        network.low = torch.nn.Parameter(torch.zeros(1024, 512, dtype=torch.bfloat16))  # 1 MiB
        network.register_buffer("table", torch.zeros(1024, 128, dtype=torch.float64))  # 1 MiB
        count, size = memory.model_size(network)
        self.assertEqual((count, size), (1024 * 256 + 1024 * 512, 3.0))
