"""What all methods do alike when they load: folder, processor, a network's size and dtype."""

from __future__ import annotations

from typing import Any

from hf_tests.job import Job
from hf_tests.probe import checkpoints, classes, integrity, memory, page_cache, tasks
from hf_tests.probe.record import Record, Skip


def checkpoint(job: Job, record: Record) -> str:
    """The folder that the job's model is loaded from.

    Raises Skip where its task has nothing to compare in the job's dtype, and what
    `checkpoints.folder_of` does.
    """
    lacks = tasks.get(job.model.task).lacks(job.dtype, job.model)
    if lacks is not None:
        raise Skip(lacks, "unsupported", of_dtype=True)
    with record.timed(checkpoints.stage_of(job)):
        record.checkpoint = str(checkpoints.folder_of(job))
    return record.checkpoint


def processor(job: Job, folder: str) -> Any:
    """The tokenizer or processor in the folder that prepares the inputs of the job's task."""
    found = tasks.get(job.model.task).load_processor(folder, **classes.trust(job))
    integrity.check_vocabulary(found)
    return found


def begin(job: Job, record: Record, folder: str) -> memory.PeakMemory:
    """Keep what is true just before the network is loaded; returns the watch on its memory."""
    record.note(page_cache_share=page_cache.share(folder))
    memory.warm_up(job.device)
    return memory.PeakMemory(job.device)


def note_network(record: Record, network: Any) -> None:
    """Keep the parameters, size and dtype of a torch network that has just been loaded."""
    record.note(memory_after_load_mb=memory.settled_mb())
    count, size = memory.model_size(network)
    dtype = str(network.dtype).removeprefix("torch.")
    record.note(num_parameters=count, model_size_mb=size, dtype=dtype)
