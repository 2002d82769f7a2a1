"""The ``pipeline`` method: transformers' own pipeline of the model's task."""

from __future__ import annotations

import copy
from typing import Any

from hf_tests import dependencies
from hf_tests.job import Job
from hf_tests.probe import (
    classes,
    devices,
    inference,
    integrity,
    loading,
    memory,
    quality,
    reference,
    tasks,
    timing,
)
from hf_tests.probe.judge import require
from hf_tests.probe.record import Record, Skip

INPUTS = {"images", "text"}
"""Inputs of pipelines that are given by name; all else that is named is an option."""


def check(job: Job, record: Record) -> None:
    """Load, run, time and judge the job's model through ``transformers.pipeline``.

    Raises Skip where this transformers has no such pipeline, and what `direct.check` raises.
    """
    from transformers import pipeline
    from transformers.pipelines import PIPELINE_REGISTRY

    name = job.model.task
    if name not in PIPELINE_REGISTRY.get_supported_tasks():
        version = dependencies.version("transformers")
        raise Skip(f"transformers {version} has no {name} pipeline", "unsupported")
    task = tasks.get(name)
    missing = dependencies.unmet(task.pipeline_dependencies)
    if missing is not None:
        raise Skip(f"the {name} pipeline needs it: {missing}", "missing_dependency")
    folder = loading.checkpoint(job, record)
    with record.timed("tokenizer"):
        processor = loading.processor(job, folder)
        without = tasks.Subject(job.model, None, processor)
        misfit = task.pipeline_misfit(without)
        if misfit is not None:
            raise Skip(misfit, "unsupported")
        plain = task.inputs(without)
    expected = reference.of(job, record, folder, processor, plain)
    peak = loading.begin(job, record, folder)
    with record.timed("model", "load_time"):
        pipe = pipeline(
            name,
            model=folder,
            device=devices.torch_device(job.device),
            dtype=devices.dtype_of(job),
            model_kwargs={"use_safetensors": True},  # a pickle could run code
            **classes.trust(job),
        )
    integrity.check_class(pipe.model, job.model.class_name)
    integrity.check_tokenizer(pipe.tokenizer, pipe.model.config)
    loading.note_network(record, pipe.model)
    answer = _run(job, record, pipe, peak)
    record.verdict = task.judge_answer(job.model, pipe, answer)
    subject = tasks.Subject(job.model, pipe.model, processor)
    inputs = inference.on_device(pipe.model, plain)
    inference.compare(job, record, subject, inputs, expected)
    quality.measure(job, record, subject)
    for number in job.batch_sizes:
        part = record.begin_batch(number)
        part.reason = _cannot_batch(task, pipe, answer)
        if part.reason is not None:
            continue
        answers = _run(job, part, _Batched(pipe, number), memory.PeakMemory(job.device))
        require(len(answers) == number, f"{len(answers)} answers to a batch of {number}")
        for answer in answers:
            task.judge_answer(job.model, pipe, answer)
        inference.compare(job, part, subject, task.batch(inputs, number), expected)


def _run(job: Job, record: Record, pipe: Any, peak: memory.PeakMemory) -> Any:
    """The pipeline's answer, after timed trials; the stage is then that of judging it."""
    import torch

    task = tasks.get(job.model.task)
    with record.timed("inference"):
        answer, found = timing.trials(lambda: task.call(job.model, pipe), job)
    record.note_trials(found, task.work(job.model))
    record.note_memory(peak)
    record.note(threads=torch.get_num_threads())
    record.stage = "judgement"
    return answer


def _cannot_batch(task: tasks.Task, pipe: Any, answer: Any) -> str | None:
    """Why a pipeline takes one input at a time only; None where it takes several."""
    if not task.pipeline_batches:
        return f"the {task.name} pipeline takes one input at a time"
    if pipe.tokenizer is not None and pipe.tokenizer.pad_token_id is None:
        return "a pipeline makes no batches with a tokenizer that has no padding token"
    if isinstance(answer, tuple):
        return "a pipeline does not take the maps of several images apart"
    return None


class _Batched:
    """A pipeline that is asked the same several times at once, wherever it is asked once."""

    def __init__(self, pipe: Any, size: int) -> None:
        self._pipe = pipe
        self._size = size

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        for name in INPUTS & options.keys():
            options[name] = self._many(options[name])
        return self._pipe(*map(self._many, inputs), batch_size=self._size, **options)

    def _many(self, value: Any) -> list[Any]:
        # A pipeline may take parts out of a dictionary that it is given.
        return [copy.copy(value) for _ in range(self._size)]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pipe, name)
