"""The ``pipeline`` method: transformers' own pipeline of the model's task."""

from __future__ import annotations

from hf_tests import dependencies
from hf_tests.job import Job
from hf_tests.probe import (
    devices,
    inference,
    integrity,
    loading,
    memory,
    reference,
    tasks,
    timing,
)
from hf_tests.probe.record import Record, Skip


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
        plain = task.inputs(tasks.Subject(job.model, None, processor))
    expected = reference.of(job, record, folder, processor, plain)
    peak = memory.PeakMemory(job.device)
    with record.timed("model", "load_time"):
        pipe = pipeline(
            name,
            model=folder,
            device=devices.torch_device(job.device),
            dtype=devices.dtype_of(job),
        )
    integrity.check_class(pipe.model, job.model.class_name)
    integrity.check_tokenizer(pipe.tokenizer, pipe.model.config)
    loading.note_network(record, pipe.model)
    with record.timed("inference"):
        answer, found = timing.trials(lambda: task.call(job.model, pipe), job)
    record.note_trials(found, task.work(job.model))
    record.note_memory(peak)
    record.stage = "judgement"
    record.verdict = task.judge_answer(job.model, pipe, answer)
    subject = tasks.Subject(job.model, pipe.model, processor)
    inputs = inference.on_device(pipe.model, plain)
    inference.compare(job, record, subject, inputs, expected)
