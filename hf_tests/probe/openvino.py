"""The ``openvino`` method: the checkpoint converted by optimum-intel and run by OpenVINO."""

from __future__ import annotations

from typing import Any

from hf_tests import dependencies
from hf_tests.job import Job
from hf_tests.probe import checkpoints, classes, devices, inference, integrity, memory, tasks
from hf_tests.probe.record import Record

CONFIG = {"INFERENCE_PRECISION_HINT": "f32"}
"""OpenVINO computes in bfloat16 by default where the processor can; the reference is float32."""


def check(job: Job, record: Record) -> None:
    """Convert, compile, run, time and judge the job's model with optimum-intel.

    Raises what `direct.check` raises.
    """
    import optimum.intel

    task = tasks.get(job.model.task)
    with record.timed("checkpoint"):
        folder = str(checkpoints.folder_of(job))
        record.checkpoint = folder
    with record.timed("model"):
        count, _ = integrity.audit(folder, job.model.class_name)
    peak = memory.PeakMemory(job.device)
    with record.timed("tokenizer", "tokenizer_load_time"):
        processor = classes.transformers_class(task.processor_class).from_pretrained(folder)
    cls = getattr(optimum.intel, task.openvino_class_for(job.model.class_name))
    needed: dict[str, Any] = {}
    for item in job.model.export:
        if dependencies.applies(item.versions):
            needed |= item.arguments
    with record.timed("conversion", "conversion_time"):
        network = cls.from_pretrained(
            folder,
            export=True,
            compile=False,
            load_in_8bit=False,
            device=devices.openvino_name(job.device),
            ov_config=_config(job),
            **needed,
        )
    with record.timed("compile", "model_load_time"):
        network.compile()
    parts = (record.measurement.tokenizer_load_time, record.measurement.model_load_time)
    record.note(
        load_time=sum(part or 0.0 for part in parts),
        num_parameters=count,
        model_size_mb=constants_mb(network),
        dtype="float32",
    )
    integrity.check_tokenizer(processor, network.config)
    subject = tasks.Subject(job.model, network, processor)
    record.stage = "inputs"
    inference.measure(job, record, subject, task.inputs(subject), peak)


def _config(job: Job) -> dict[str, str]:
    """OpenVINO's properties for a job: the precision, and its threads where it has own cores."""
    config = dict(CONFIG)
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
