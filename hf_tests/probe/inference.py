"""The common end of the methods that call a network themselves: run, time, judge."""

from __future__ import annotations

from typing import Any

from hf_tests.job import Job
from hf_tests.probe import memory, tasks, timing
from hf_tests.probe.record import Record


def measure(
    job: Job,
    record: Record,
    subject: tasks.Subject,
    inputs: dict[str, Any],
    peak: memory.PeakMemory,
) -> None:
    """Run the network on its inputs, keep times and memory, and judge the last outputs.

    Raises WrongOutput, or whatever the network raises.
    """
    import torch

    task = tasks.get(job.model.task)
    with record.timed("inference"), torch.inference_mode():
        outputs, times = timing.trials(
            lambda: task.run(subject, inputs), job.device, job.warmup, job.trials
        )
    record.note(trial_times=times)
    record.note_memory(peak)
    with record.timed("judgement"), torch.inference_mode():
        record.verdict = task.judge(subject, inputs, outputs)
