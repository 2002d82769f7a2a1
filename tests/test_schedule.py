"""Several jobs at a time, second attempts, and runs that are cut off: with real processes."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import sys
import unittest
import unittest.mock
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from typing import Any

from hf_tests import hardware, outcome
from hf_tests.history import noise, record
from hf_tests.isolation import accelerator
from hf_tests.isolation.interruption import Interruption
from hf_tests.isolation.spawn import SpawnLauncher
from hf_tests.job import Job
from hf_tests.nightly import durations, resources, run, store, summary
from hf_tests.nightly.plan import Plan
from hf_tests.nightly.progress import QUIET, Lines
from hf_tests.nightly.resources import Resources
from hf_tests.nightly.schedule import JobOutcome, Schedule
from tests import support

MEETING = """
# Passes where as many processes as are named in the reason are here at the same time.
me = Path(os.environ["MEETING"]) / str(os.getpid())
me.touch()
deadline = time.monotonic() + {seconds}
most = 0
while time.monotonic() < deadline:
    most = max(most, len(list(me.parent.iterdir())))
    time.sleep(0.01)
me.unlink()
give("passed", reason=str(most))
"""

ONE_AT_A_TIME = run.Conduct()


def jobs(count: int, device: str = "cpu", **changes: Any) -> list[Job]:
    """Jobs of as many invented models."""
    job = support.job("bert-base-uncased", device, **changes)
    return [
        job.replace(model=dataclasses.replace(job.model, id=f"model-{index}"))
        for index in range(count)
    ]


class ScheduleCase(unittest.TestCase):
    def setUp(self) -> None:
        self.results = support.temporary_folder(self) / "results"
        self.meeting = support.temporary_folder(self)

    def execute(
        self,
        chosen: Sequence[Job],
        code: str,
        conduct: run.Conduct = ONE_AT_A_TIME,
        suspects: Callable[[store.RunFolder], Collection[run.Check]] | None = None,
    ) -> run.Finished:
        """A whole run of jobs whose processes do ``code``."""
        folder = store.RunFolder.create(self.results)
        with unittest.mock.patch.dict(os.environ, {"MEETING": str(self.meeting)}):
            finished = run.execute(
                Plan(tuple(chosen), ""),
                hardware.Hardware("", "", "", "", 1, None, ()),
                SpawnLauncher((sys.executable, "-c", support.PRELUDE + code)),
                folder,
                {},
                Lines(len(chosen), QUIET),
                conduct=conduct,
                suspects=suspects,
            )
        document = json.loads((folder.path / "run.json").read_text())
        support.validate("run", document)
        for row in document["checks"]:
            support.validate("model", json.loads((folder.path / row["file"]).read_text()))
        return finished


class TestJobsAtOnce(ScheduleCase):
    def run_jobs(self, chosen: Sequence[Job], available: Resources, code: str) -> list[JobOutcome]:
        folder = store.RunFolder.create(self.results)
        launcher = SpawnLauncher((sys.executable, "-c", support.PRELUDE + code))
        watcher = Lines(len(chosen), QUIET)
        with (
            unittest.mock.patch.dict(os.environ, {"MEETING": str(self.meeting)}),
            Interruption() as interruption,
        ):
            schedule = Schedule(launcher, folder, watcher, interruption, available)
            return list(schedule.run(chosen, {}))

    def most(self, done: Sequence[JobOutcome]) -> int:
        """The most processes that were there at a time, as they themselves saw it."""
        return max(int(result.reason or 0) for item in done for result in item.results)

    def test_as_many_at_a_time_as_there_are_slots(self) -> None:
        for slots in (1, 3):
            groups = [(0,)] * slots if slots > 1 else [()]
            done = self.run_jobs(jobs(6), Resources(groups, None), MEETING.format(seconds=0.4))
            self.assertEqual(self.most(done), slots)
            self.assertEqual(len(done), 6)
            for item in done:
                assert item.ending is not None
                self.assertEqual(item.ending.beside, slots - 1)
                for result in item.results:
                    self.assertEqual((result.status, result.jobs_beside), ("passed", slots - 1))

    def test_an_accelerator_has_one_job_at_a_time_and_two_have_two(self) -> None:
        groups = [(0,)] * 4
        code = MEETING.format(seconds=0.4)
        same = jobs(2, "cuda") + jobs(2, "cuda:0")
        self.assertEqual(self.most(self.run_jobs(same, Resources(groups, None), code)), 1)
        both = jobs(2, "cuda:0") + jobs(2, "cuda:1")
        self.assertEqual(self.most(self.run_jobs(both, Resources(groups, None), code)), 2)

    def test_memory_that_is_not_there_is_waited_for(self) -> None:
        groups = [(0,)] * 4
        code = MEETING.format(seconds=0.4)
        for needs, most in ((100.0, 4), (400.0, 2), (900.0, 1), (5000.0, 1)):
            available = Resources(groups, 1000.0, lambda: 1000.0)
            done = self.run_jobs(jobs(4, needs_mb=needs), available, code)
            self.assertEqual(self.most(done), most, needs)
        full = Resources(groups, 1000.0, lambda: 50.0)  # others have taken it meanwhile
        self.assertEqual(self.most(self.run_jobs(jobs(4, needs_mb=100.0), full, code)), 1)

    def test_each_has_cores_of_its_own(self) -> None:
        code = (
            "from hf_tests.probe import limits; limits.apply(job)\n"
            "time.sleep(0.3); cores = sorted(os.sched_getaffinity(0))\n"
            "give('passed', reason=json.dumps([cores, os.environ['OMP_NUM_THREADS']]))"
        )
        available = resources.of_machine(2)
        done = self.run_jobs(jobs(2), available, code)
        said = [json.loads(item.results[0].reason or "") for item in done]
        first, second = (set(cores) for cores, _ in said)
        self.assertEqual(first & second, set())
        for cores, threads in said:
            self.assertEqual(len(cores), int(threads))
            self.assertEqual(len(cores), hardware.available_cores() // 2)

    def test_torch_has_as_many_threads_as_cores(self) -> None:
        """In the real worker: the library was imported before the job had its cores."""
        code = (
            "from hf_tests.probe import worker; import torch\n"
            "torch.set_num_threads(7); worker._set_threads(len(job.cores))\n"
            "give('passed', reason=str(torch.get_num_threads()))"
        )
        (done,) = self.run_jobs(jobs(1), Resources([(0,), (1,)], None), code)
        self.assertEqual(done.results[0].reason, "1")

    def test_a_fault_of_our_own_is_raised_whoever_waits(self) -> None:
        groups = [(0,), (1,)]
        for chosen in (groups, [()]):
            shutil.rmtree(self.results, ignore_errors=True)
            folder = store.RunFolder.create(self.results)
            with Interruption() as interruption:
                launcher = SpawnLauncher(("/no/such/program",))
                watcher = Lines(2, QUIET)
                schedule = Schedule(
                    launcher, folder, watcher, interruption, Resources(chosen, None)
                )
                with self.assertRaises(FileNotFoundError):
                    list(schedule.run(jobs(2), {}))


class TestClaims(unittest.TestCase):
    def test_what_is_released_can_be_claimed_again(self) -> None:
        available = Resources([(0,), (1,)], 1000.0, lambda: None)
        (job,) = jobs(1, "cuda")
        for _ in range(3):
            claim = available.claim(job)
            assert claim is not None
            self.assertEqual((claim.cores, claim.memory_mb), ((0,), 500.0))
            self.assertIsNone(available.claim(job))
            available.release(claim)

    def test_a_limit_of_its_own_is_kept(self) -> None:
        claim = Resources([()], 1000.0).claim(jobs(1, memory_limit_mb=3000.0)[0])
        assert claim is not None
        self.assertEqual(claim.memory_mb, 3000.0)
        unknown = Resources([()], None).claim(jobs(1)[0])
        assert unknown is not None
        self.assertIsNone(unknown.memory_mb)

    def test_core_groups_share_nothing(self) -> None:
        cores = hardware.available_cores()
        for count in range(1, cores + 1):
            groups = hardware.core_groups(count)
            every = [core for group in groups for core in group]
            self.assertEqual(len(groups), count)
            self.assertEqual(len({len(group) for group in groups}), 1)
            self.assertEqual(len(every), len(set(every)))
            self.assertGreater(len(every), cores - count)


class TestLongestFirst(ScheduleCase):
    def test_by_earlier_runs_and_the_unknown_before_all(self) -> None:
        code = "time.sleep(0.2 * int(job.model.id[-1])); give('passed')"
        self.execute(jobs(3), code)
        seconds = durations.earlier(self.results)
        self.assertEqual(len(seconds), 3)
        chosen = jobs(4)
        names = [job.model.id for job in durations.longest_first(chosen, seconds)]
        self.assertEqual(names, ["model-3", "model-2", "model-1", "model-0"])
        for path in self.results.glob("*/run.json"):
            path.write_text('{"jobs": [{"name": 1}]}')
        self.assertEqual(durations.earlier(self.results), {})

    def test_files_keep_the_plan_s_order(self) -> None:
        self.execute(jobs(3), "time.sleep(0.1 * int(job.model.id[-1])); give('passed')")
        finished = self.execute(jobs(3), "give('passed')", run.Conduct(2, longest_first=True))
        self.assertEqual(
            [item.job.model.id for item in finished.outcomes], ["model-0", "model-1", "model-2"]
        )


class TestModelFiles(ScheduleCase):
    """A model's file is written once, with all of its devices, or with what there is at the end."""

    CODE = (
        "models = Path(sys.argv[1]).parent.parent / 'models'\n"
        "give('passed', reason=str(len(list(models.rglob('*.json')))))"
    )

    def chosen(self) -> list[Job]:
        return [job for pair in zip(jobs(2), jobs(2, "openvino"), strict=True) for job in pair]

    def test_after_the_last_job_of_its_model(self) -> None:
        finished = self.execute(self.chosen(), self.CODE)
        seen = [item.results[0].reason for item in finished.outcomes]
        self.assertEqual(seen, ["0", "0", "1", "1"])

    def test_a_fault_of_our_own_loses_nothing_that_was_measured(self) -> None:
        class Faulty(Lines):
            def begin(self, job: Job) -> None:
                if job.device == "openvino":
                    raise LookupError("a fault")

        folder = store.RunFolder.create(self.results)
        with self.assertRaises(LookupError):
            run.execute(
                Plan(tuple(self.chosen()), ""),
                hardware.Hardware("", "", "", "", 1, None, ()),
                SpawnLauncher((sys.executable, "-c", support.PRELUDE + self.CODE)),
                folder,
                {},
                Faulty(4, QUIET),
            )
        (path,) = folder.models.rglob("*.json")
        self.assertEqual(
            list(json.loads(path.read_text())["results"]), ["pipeline_cpu", "from_pretrained_cpu"]
        )


class TestRerun(ScheduleCase):
    CODE = (
        "bad = job.model.id != 'model-0' and (job.attempt == 1 or job.model.id == 'model-2')\n"
        "writer.result(result_for(job, 'pipeline', 'passed')) if job.attempt == 1 else None\n"
        "writer.result(result_for(job, 'from_pretrained', 'failed' if bad else 'passed'))"
    )

    def test_both_outcomes_are_reported(self) -> None:
        finished = self.execute(jobs(3), self.CODE, run.Conduct(rerun_failed=True))
        self.assertEqual(finished.exit_status, run.BAD, "flaky is no success")
        found = {r.model: r for r in finished.results if r.method == "from_pretrained"}
        self.assertIsNone(found["model-0"].rerun)
        for model, again, flaky in (("model-1", "passed", True), ("model-2", "failed", False)):
            result = found[model]
            assert result.rerun is not None
            self.assertEqual((result.status, result.rerun.status), ("failed", again))
            self.assertIs(result.is_flaky, flaky)
        text = summary.text(finished)
        self.assertIn("run once more: passed, so it is flaky", text)
        self.assertIn("run once more: failed again", text)
        self.assertIn("2 failed, 1 of them flaky", text)
        document = json.loads((finished.folder.path / "run.json").read_text())
        self.assertEqual(Counter(job["attempt"] for job in document["jobs"]), {1: 3, 2: 2})
        self.assertEqual(document["counts"]["total"], 6)

    def test_not_unless_asked_for(self) -> None:
        finished = self.execute(jobs(3), self.CODE)
        self.assertEqual([r.rerun for r in finished.results], [None] * 6)

    def test_suspects_are_measured_until_they_are_none(self) -> None:
        code = (
            "from hf_tests.outcome import Measurement\n"
            "times = (float(job.attempt),) * 6\n"
            "give('passed', measurement=Measurement(trial_times=times, busy_cores=0.0))"
        )

        def suspects(folder: store.RunFolder) -> set[tuple[str, str, str]]:
            """The first until it was measured three times, the second for ever."""
            found = record.read_run(folder.path).checks
            return {
                (check.model, check.device, check.method)
                for check in found
                if check.model == "model-1" or (check.model == "model-0" and len(check.again) < 2)
            }

        finished = self.execute(jobs(3), code, run.Conduct(rerun_failed=True), suspects)
        taken = record.read_run(finished.folder.path).checks
        times = {check.model: [item["median_time"] for item in check.again] for check in taken}
        self.assertEqual(times["model-0"], [2.0, 3.0])
        self.assertEqual(
            times["model-1"], [2.0 + place for place in range(noise.AGAIN + run.BUSY_TIMES)]
        )
        self.assertEqual(times["model-2"], [])
        again = [outcome.CheckResult.from_json(item.to_json()) for item in finished.results]
        self.assertEqual(again, list(finished.results))

    def test_result_survives_its_stream(self) -> None:
        result = support.result("failed", rerun=outcome.Rerun("passed"))
        again = outcome.CheckResult.from_json(json.loads(json.dumps(result.to_json())))
        self.assertEqual(again, result)


class TestAcceleratorMemory(unittest.TestCase):
    """With a program in the place of the driver's tool, since not every machine has a GPU."""

    def setUp(self) -> None:
        folder = support.temporary_folder(self)
        self.used = folder / "used"
        tool = folder / "nvidia-smi"
        # Each look tells the first line and drops it, but for the last.
        tool.write_text(
            f'#!/bin/sh\nused=$(head -n 1 "{self.used}")\n'
            'echo "0, GPU-10, $used"; echo "1, GPU-11, $used"\n'
            f'[ "$(wc -l < "{self.used}")" -gt 1 ] && sed -i 1d "{self.used}"\nexit 0\n'
        )
        tool.chmod(0o755)
        path = unittest.mock.patch.dict(os.environ, {"PATH": f"{folder}:{os.environ['PATH']}"})
        path.start()
        self.addCleanup(path.stop)

    def test_waits_until_it_is_free(self) -> None:
        self.used.write_text("9000\n5000\n120\n")
        self.assertIsNone(accelerator.wait_until_freed("cuda:1", 100.0, 20.0))
        self.assertEqual(self.used.read_text(), "120\n")

    def test_says_what_was_not_freed(self) -> None:
        self.used.write_text("9000\n")
        self.assertEqual(
            accelerator.wait_until_freed("cuda", 100.0, 0.5),
            "8900 MiB of cuda were still in use 0 s after the job had ended",
        )

    def test_nothing_to_wait_for(self) -> None:
        self.used.write_text("N/A\n")
        self.assertIsNone(accelerator.used_mb("cuda"))
        self.assertIsNone(accelerator.used_mb("cpu"))
