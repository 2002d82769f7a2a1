"""What a run says about where and how it ran, and what it keeps to itself."""

from __future__ import annotations

import json
import os
import subprocess
import unittest
from unittest import mock

from hf_tests import condition, dependencies, gpu_driver, hardware
from hf_tests.nightly import metadata
from tests import support

SECRET = "hf_thisIsNobodysBusiness"


class TestOfRun(unittest.TestCase):
    def test_only_listed_variables(self) -> None:
        environment = {"OMP_NUM_THREADS": "2", "HF_TOKEN": SECRET, "MY_KEY": SECRET}
        found = metadata.of_run("id", metadata.now(), {}, "fork", environment)
        self.assertEqual(found["environment"], {"OMP_NUM_THREADS": "2"})
        self.assertNotIn(SECRET, json.dumps(found))

    def test_no_listed_variable_holds_a_secret(self) -> None:
        for name in metadata.VARIABLES:
            self.assertNotRegex(name, "TOKEN(?!IZERS)|SECRET|PASSWORD|_KEY|PROXY|ENDPOINT")

    def test_build_of_torch_is_that_of_the_installed_one(self) -> None:
        done = support.run("-c", "import torch; print(torch.__version__, torch.version.cuda)")
        build = dependencies.torch_build()
        self.assertEqual([build["version"], str(build.get("cuda"))], done.stdout.split())

    def test_the_machine_before_and_after(self) -> None:
        before = metadata.of_run("id", metadata.now(), {}, "fork")["before"]
        after = metadata.at_end()["after"]
        for found in (before, after):
            self.assertGreater(found["free_memory_mb"], 0)
            self.assertEqual(len(found["load"]), 3)
        self.assertEqual(before["affinity"], after["affinity"])


class TestCommit(unittest.TestCase):
    def test_clean_changed_and_none(self) -> None:
        folder = support.temporary_folder(self)
        self.assertIsNone(metadata.commit(folder))
        git = ("git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@example.org")
        for arguments in (("init", "-q"), ("add", "."), ("commit", "-qm", "first")):
            (folder / "file").write_text("one")
            subprocess.run([*git, *arguments], check=True)
        found = metadata.commit(folder)
        assert found is not None
        self.assertRegex(found, "^[0-9a-f]{40}$")
        (folder / "file").write_text("two")
        self.assertEqual(metadata.commit(folder), f"{found}+changes")


class TestThrottles(unittest.TestCase):
    def test_counts_of_all_cores_and_packages(self) -> None:
        folder = support.temporary_folder(self)
        with mock.patch.object(condition, "CPUS", folder):
            self.assertIsNone(condition.processor_throttles())
            for core, name, count in ((0, "core", 3), (0, "package", 4), (1, "core", 5)):
                path = folder / f"cpu{core}" / "thermal_throttle" / f"{name}_throttle_count"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(f"{count}\n")
            self.assertEqual(condition.processor_throttles(), 12)

    def test_gpu_says_why_it_is_slow(self) -> None:
        """A command of the driver's name, since its own needs a GPU to answer."""
        folder = support.temporary_folder(self)
        command = folder / "nvidia-smi"
        command.write_text(
            "#!/bin/sh\necho '0, GPU-1, Not Active, Active, Not Active, Not Active'\n"
        )
        command.chmod(0o755)
        with mock.patch.dict("os.environ", {"PATH": f"{folder}:/bin:/usr/bin"}):
            self.assertEqual(condition.gpu_slowdown("cuda:0"), "hw thermal slowdown")
            command.write_text("#!/bin/sh\necho 'No devices were found'; exit 6\n")
            self.assertIsNone(condition.gpu_slowdown("cuda:0"))


class TestGpuDriver(unittest.TestCase):
    """With a program in the place of the driver's tool, since not every machine has a GPU."""

    def setUp(self) -> None:
        folder = support.temporary_folder(self)
        command = folder / "nvidia-smi"
        command.write_text(
            "#!/bin/sh\n"
            "echo '0, GPU-8932f937-d72c, NVIDIA A, 1000, 580.1'\n"
            "echo '1, GPU-72cb4a0e-a1f1, NVIDIA B, [N/A], 580.1'\n"
            "echo '2, GPU-72ff0000-0001, NVIDIA C, 3000, 580.1'\n"
        )
        command.chmod(0o755)
        path = mock.patch.dict("os.environ", {"PATH": f"{folder}:/bin:/usr/bin"})
        path.start()
        self.addCleanup(path.stop)
        os.environ.pop(gpu_driver.VISIBLE, None)

    def names(self, visible: str) -> list[str]:
        """Which GPUs there are for CUDA where it may see these."""
        os.environ[gpu_driver.VISIBLE] = visible
        return [name for (name,) in self.ask().values()]

    def ask(self, device: str | None = None) -> dict[str, list[str]]:
        """Ask for names; the tool in its place always answers three fields."""
        found = gpu_driver.ask(("name", "memory.total", "driver_version"), device)
        return {gpu: row[:1] for gpu, row in found.items()}

    def test_counts_as_cuda_does(self) -> None:
        self.assertEqual(
            self.ask(), {"cuda:0": ["NVIDIA A"], "cuda:1": ["NVIDIA B"], "cuda:2": ["NVIDIA C"]}
        )
        self.assertEqual(self.ask("cuda"), {"cuda:0": ["NVIDIA A"]})
        self.assertEqual(self.ask("cuda:3"), {})
        self.assertEqual(self.names("2,0"), ["NVIDIA C", "NVIDIA A"])
        self.assertEqual(self.ask("cuda"), {"cuda:0": ["NVIDIA C"]})

    def test_ends_at_what_cuda_does_not_know(self) -> None:
        self.assertEqual(self.names(""), [])
        self.assertEqual(self.names("-1"), [])
        self.assertEqual(self.names("1,7,0"), ["NVIDIA B"])
        self.assertEqual(self.names("1,1"), ["NVIDIA B"])
        self.assertEqual(self.names("GPU-8932"), ["NVIDIA A"])
        self.assertEqual(self.names("GPU-72"), [])  # two begin with it
        self.assertEqual(self.names("GPU-"), [])

    def test_devices_are_those_that_cuda_shows(self) -> None:
        os.environ[gpu_driver.VISIBLE] = "1"
        hardware.detect.cache_clear()
        self.addCleanup(hardware.detect.cache_clear)
        devices = [item for item in hardware.detect().devices if item.kind == "cuda"]
        self.assertEqual(devices, [hardware.Device("cuda:0", "NVIDIA B", None, "580.1")])


if __name__ == "__main__":
    unittest.main()
