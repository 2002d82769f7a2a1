"""The ``from_pretrained`` method: processor and model loaded apart, the model called directly."""

from __future__ import annotations

from collections.abc import Sequence

from hf_tests.job import Job
from hf_tests.probe import (
    classes,
    devices,
    inference,
    integrity,
    loading,
    quality,
    reference,
    tasks,
)
from hf_tests.probe.properties import base as properties
from hf_tests.probe.record import Record


def check(job: Job, record: Record, family: Sequence[properties.Holds] = ()) -> None:
    """Load, run, time and judge the job's model with its class's ``from_pretrained``.

    ``family`` are the properties that its family's models have, asked for at the end. Raises
    WrongOutput, CorruptCheckpoint, or whatever the libraries raise.
    """
    task = tasks.get(job.model.task)
    folder = loading.checkpoint(job, record)
    peak = loading.begin(job, record, folder)
    with record.timed("tokenizer", "load_time"):
        with record.timed("tokenizer", "tokenizer_load_time"):
            processor = loading.processor(job, folder)
        with record.timed("model", "model_load_time"):
            network, info = classes.model_class(job, folder).from_pretrained(
                folder,
                output_loading_info=True,
                use_safetensors=True,  # a pickle could run code
                dtype=devices.dtype_of(job),
            )
        with record.timed("move", "device_time"):
            network = network.eval().to(devices.torch_device(job.device))
            devices.synchronize(job.device)
    record.stage = "model"
    integrity.check_loading(info)
    integrity.check_values(network)
    integrity.check_tokenizer(processor, network.config)
    loading.note_network(record, network)
    subject = tasks.Subject(job.model, network, processor)
    record.stage = "tokenizer"
    plain = task.inputs(subject)
    inputs = inference.on_device(network, plain)
    outputs = inference.measure(job, record, subject, inputs, peak)
    expected = reference.of(job, record, folder, processor, plain, network, outputs)
    inference.compare(job, record, subject, inputs, expected, outputs)
    properties.hold(family, job, record, subject, inputs, outputs)
    quality.measure(job, record, subject)
    inference.batches(job, record, subject, inputs, expected)
