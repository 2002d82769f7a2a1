"""From an exception to its type and to the sentence that says what to do.

Types of exceptions decide first; messages only where the libraries raise a bare type.
"""

from __future__ import annotations

import errno
import os
import unittest
from collections.abc import Iterator

from hf_tests import dependencies
from hf_tests.job import Job
from hf_tests.probe.integrity import CorruptCheckpoint
from hf_tests.probe.judge import WrongOutput

HUB_ERRORS = {
    "GatedRepoError": "access_denied",
    "DisabledRepoError": "access_denied",
    "RepositoryNotFoundError": "model_not_found",
    "RevisionNotFoundError": "model_not_found",
    "LocalEntryNotFoundError": "network",
    "EntryNotFoundError": "model_not_found",
    "OfflineModeIsEnabled": "network",
    "HfHubHTTPError": "network",
}
"""Exceptions of huggingface_hub by class name, so that they are known without importing it."""

MESSAGES = (
    ("out_of_memory", ("CUDA out of memory", "can't allocate memory", "not enough memory",
                       "bad_alloc")),
    ("cuda_error", ("CUDA error", "CUDA driver", "CUBLAS_STATUS", "CUDNN_STATUS",
                    "Found no NVIDIA driver")),
    ("remote_code_required", ("trust_remote_code",)),
    ("corrupt_checkpoint", ("size mismatch for", "does not appear to have a file named",
                            "Error no file named", "ignore_mismatched_sizes")),
    ("model_not_found", ("is not a valid model identifier", "is not a local folder")),
    ("unsupported", ("Unrecognized configuration class", "does not recognize this architecture",
                     "custom or unsupported architecture")),
)  # fmt: skip
"""Words of messages by error type, for exceptions whose class says nothing."""

HINTS = {
    "missing_dependency": "Install what the message names, then run again.",
    "cuda_error": "CUDA_LAUNCH_BLOCKING=1 shows the failing call; nvidia-smi the driver's state.",
    "out_of_memory": "Use a smaller model, another device, or free memory first.",
    "model_not_found": "Check the id and the revision in the registry.",
    "access_denied": "Accept the licence on the model's page and log in: hf auth login",
    "network": "Check the connection, or run without it: --weights tiny",
    "corrupt_checkpoint": "Compare the checkpoint's files with their source, or save it again.",
    "remote_code_required": "This model needs code of its own, which is never run unasked.",
    "unsupported": "This version of the library has no such model; try another version.",
    "conversion": "The exporter itself says more: optimum-cli export openvino -m {model} DIR",
    "wrong_output": "It runs and is wrong: compare with the last good versions of the libraries.",
    "disk_full": "Free some disk space, or give another folder: --cache-dir, --results-dir",
    "other": "The traceback says where.",
}


def classify(error: BaseException, stage: str | None = None) -> str:
    """The error type of `outcome.ERROR_TYPES` for an exception and all its causes.

    ``stage`` is where it was raised; an otherwise unknown error of a conversion is "conversion".
    """
    chain = list(_causes(error))
    for item in chain:
        found = _by_type(item)
        if found is not None:
            return found
    for item in chain:
        text = str(item)
        for kind, words in MESSAGES:
            if any(word in text for word in words):
                return kind
    for item in chain:
        if isinstance(item, ImportError):
            return "missing_dependency"
    return "conversion" if stage == "conversion" else "other"


def hint(kind: str, job: Job) -> str:
    """What to do about an error of that type, with the command that shows it again."""
    text = HINTS[kind].format(model=job.model.id)
    if kind == "missing_dependency":
        unmet = dependencies.unmet(job.model.dependencies)
        text = unmet if unmet else text
    return f"{text} To repeat: {job.command}"


def is_judgement(error: BaseException) -> bool:
    """Whether an exception says that the output was wrong, and not that running it failed.

    Besides WrongOutput that is an assertion of a TestCase; an assertion inside a library is an
    error of that library.
    """
    if isinstance(error, WrongOutput):
        return True
    if not isinstance(error, AssertionError):
        return False
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    module = frame.tb_frame.f_globals.get("__name__", "") if frame is not None else ""
    return module.startswith((unittest.__name__, "hf_tests.test_"))


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or current.__context__


def _by_type(error: BaseException) -> str | None:
    names = [cls.__name__ for cls in type(error).__mro__]
    if is_judgement(error):
        return "wrong_output"
    if os.strerror(errno.ENOSPC) in str(error):  # safetensors says so in an error of its own
        return "disk_full"
    if isinstance(error, CorruptCheckpoint) or "SafetensorError" in names:
        return "corrupt_checkpoint"
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    if isinstance(error, MemoryError) or "OutOfMemoryError" in names:
        return "out_of_memory"
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "disk_full"
    for name in names:
        if name in HUB_ERRORS:
            return HUB_ERRORS[name]
    if isinstance(error, ModuleNotFoundError):
        return "missing_dependency"
    if isinstance(error, (ConnectionError, TimeoutError)) or "TransportError" in names:
        return "network"
    if "AcceleratorError" in names:
        return "cuda_error"
    if isinstance(error, NotImplementedError):
        return "unsupported"
    return None
