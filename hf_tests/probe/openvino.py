"""The ``openvino`` method: the checkpoint converted, and run by OpenVINO."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from hf_tests.job import Job
from hf_tests.outcome import NOT_APPLICABLE, Quality
from hf_tests.probe import (
    conversions,
    devices,
    exporters,
    inference,
    integrity,
    loading,
    memory,
    quality,
    reference,
    tasks,
)
from hf_tests.probe.record import Record, Skip

PRECISION = {"": "f32", "float32": "f32", "bfloat16": "bf16", "float16": "f16"}
"""OpenVINO's names. It computes in bfloat16 by default where the processor can."""

FORCED = "one pass over the reference's tokens"
"""What is run of a model that generates, where its graph cannot."""


def check(job: Job, record: Record) -> None:
    """Convert, compile, run, time and judge the job's model with OpenVINO.

    Raises what `direct.check` raises.
    """
    lacks = devices.openvino_lacks(job)
    if lacks is not None:
        raise Skip(lacks, "unsupported", of_dtype=True)
    task = tasks.get(job.model.task)
    folder = loading.checkpoint(job, record)
    with record.timed("tokenizer", "tokenizer_load_time"):
        processor = loading.processor(job, folder)
    inputs = task.inputs(tasks.Subject(job.model, None, processor))
    properties = _properties(job)

    def load() -> tasks.Subject:
        return tasks.Subject(job.model, reference.load(folder, job), processor)

    with record.timed("import"):
        exporter: exporters.Exporter | None = exporters.optimum(job, task, folder, properties)
    expected = reference.find(job, inputs)
    is_forced = False
    if exporter is None:
        is_one_pass = task.is_one_pass
        if not is_one_pass and not exporters.generates(job, task):
            is_one_pass = True
            # The tokens are a part of what the graph is made for.
            known = expected or reference.make(job, record, folder, processor, inputs)
            expected = known
            is_forced = known.tokens is not None
            if is_forced:
                given = task.pass_inputs(job.model, load, inputs, known.tokens)
                task = tasks.ForcedPass(task)
                inputs = {**given, tasks.TOKENS: known.tokens}
                expected = dataclasses.replace(known, tokens=None)
        exporter = exporters.ConvertModel(
            job, task, folder, processor, inputs, properties, is_one_pass
        )
    if expected is None:
        with record.timed("model"):
            reference.audit(folder, job)
    peak = loading.begin(job, record, folder)
    with record.timed("conversion"):
        record.note(conversion_path=exporter.path)  # also of a conversion that fails
        made = conversions.obtain(job, Path(folder), exporter.options, exporter.convert)
        program = made.facts.get("program")
        if program:
            way = f"{exporter.path} of {program}"
            record.note(conversion_path=f"{way}, {FORCED}" if is_forced else way)
        record.note(conversion_time=made.seconds, conversion_cached=made.cached)
    with record.timed("compile", "model_load_time"):
        network = exporter.load(made.folder, made.facts)
    with record.timed("compile", "compile_time"):
        network.compile()
    found = record.measurement
    parts = (found.tokenizer_load_time, found.model_load_time, found.compile_time)
    record.note(
        load_time=sum(part or 0.0 for part in parts),
        memory_after_load_mb=memory.settled_mb(),
        model_size_mb=constants_mb(network),
        dtype=job.dtype or "float32",
    )
    integrity.check_tokenizer(processor, network.config)
    subject = tasks.Subject(job.model, network, processor)
    outputs = inference.measure(job, record, subject, inputs, peak, task)
    # Torch's own run of the model comes after OpenVINO's: it has been seen to disturb it.
    expected = expected or reference.make(job, record, folder, processor, inputs)
    record.note(num_parameters=expected.num_parameters)
    inference.compare(job, record, subject, inputs, expected, outputs, task)
    if is_forced:
        record.quality = Quality(NOT_APPLICABLE, reason=f"the graph is for {FORCED}")
    else:
        quality.measure(job, record, subject)
    inference.batches(job, record, subject, inputs, expected, task)


def _properties(job: Job) -> dict[str, str]:
    """OpenVINO's properties for a job: the precision, and its threads where it has own cores.

    Without a folder of its own choice it keeps nothing of what it compiles.
    """
    config = {"INFERENCE_PRECISION_HINT": PRECISION[job.dtype], "CACHE_DIR": ""}
    if job.cores and devices.openvino_name(job.device) == "CPU":
        config["INFERENCE_NUM_THREADS"] = str(len(job.cores))
    return config


def constants_mb(network: Any) -> float | None:
    """MiB of the constants in all graphs of a converted model, in their real element types.

    None where optimum-intel does not show the graphs.
    """
    graphs = getattr(network, "ov_models", None) or getattr(network, "ov_submodels", None)
    if isinstance(graphs, dict):
        graphs = list(graphs.values())
    if not graphs:
        return None
    size = 0
    for graph in graphs:
        for node in graph.get_ops():
            if node.get_type_name() == "Constant":
                size += node.get_byte_size()
    return size / memory.MIB
