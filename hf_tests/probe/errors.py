"""From an exception to its error type.

Types of exceptions decide first, over the whole chain of causes; messages only where the libraries
raise a bare type.
"""

from __future__ import annotations

import errno
import os
import re
import unittest
from collections.abc import Iterator
from dataclasses import dataclass

from hf_tests import stream
from hf_tests.probe.judge import NotFinite, WrongOutput


@dataclass(frozen=True)
class Diagnosis:
    """An error type of `outcome.ERROR_TYPES`, and which cause of it; see `hf_tests.hints`."""

    kind: str
    case: str = ""


TYPES = {
    "CorruptCheckpoint": Diagnosis("corrupt_checkpoint"),
    "SafetensorError": Diagnosis("corrupt_checkpoint"),
    "StrictDataclassFieldValidationError": Diagnosis("corrupt_checkpoint"),
    "StrictDataclassClassValidationError": Diagnosis("corrupt_checkpoint"),
    "FileMetadataError": Diagnosis("network"),
    "KeyboardInterrupt": Diagnosis("interrupted"),
    "MemoryError": Diagnosis("out_of_memory"),
    "OutOfMemoryError": Diagnosis("out_of_memory", "cuda"),
    "GatedRepoError": Diagnosis("access_denied", "gated"),
    "DisabledRepoError": Diagnosis("access_denied", "disabled"),
    "LocalTokenNotFoundError": Diagnosis("access_denied"),
    "PermissionError": Diagnosis("access_denied", "folder"),
    "RepositoryNotFoundError": Diagnosis("model_not_found"),
    "RevisionNotFoundError": Diagnosis("model_not_found", "revision"),
    "LocalEntryNotFoundError": Diagnosis("network"),
    "EntryNotFoundError": Diagnosis("model_not_found"),
    "HFValidationError": Diagnosis("model_not_found"),
    "OfflineModeIsEnabled": Diagnosis("network", "offline"),
    "HfHubHTTPError": Diagnosis("network"),
    "TransportError": Diagnosis("network"),
    "RequestException": Diagnosis("network"),
    "ConnectionError": Diagnosis("network"),
    "TimeoutError": Diagnosis("network"),
    "ModuleNotFoundError": Diagnosis("missing_dependency"),
    "UnaskedCode": Diagnosis("remote_code_required"),
    "ForeignCode": Diagnosis("remote_code_required", "elsewhere"),
    "PackageNotFoundError": Diagnosis("missing_dependency"),
    "AcceleratorError": Diagnosis("cuda_error"),
    "OpConversionFailure": Diagnosis("conversion"),
    "OpValidationFailure": Diagnosis("conversion"),
    "NotImplementedFailure": Diagnosis("conversion"),
    "NotImplementedError": Diagnosis("unsupported"),
}
"""By the class's name or a base's, so that no library has to be imported to know its errors."""

ERRNOS = {
    **dict.fromkeys(stream.FULL_ERRORS, Diagnosis("disk_full")),
    errno.ENOMEM: Diagnosis("out_of_memory"),
    errno.EROFS: Diagnosis("access_denied", "folder"),
    errno.ENETUNREACH: Diagnosis("network"),
    errno.EHOSTUNREACH: Diagnosis("network"),
}

HTTP = {
    401: Diagnosis("access_denied"),
    403: Diagnosis("access_denied", "gated"),
    404: Diagnosis("model_not_found"),
    429: Diagnosis("network", "rate_limit"),
}
"""By the status of the response that an exception of a client carries."""

CUDA_MEMORY = Diagnosis("out_of_memory", "cuda")

DTYPE = Diagnosis("unsupported", "dtype")
DTYPE_WORDS = (
    "not implemented for '(Half|BFloat16|Float|Double)'|Cannot convert a MPS Tensor to float64|"
    "does not support (bfloat16|float64|float16)|Unsupported dtype (BFloat16|Half)|mixed dtype|"
    "expected m1 and m2 to have the same dtype|expected scalar type \\w+ but found (BFloat16|Half)"
)
"""An operator without this dtype, or a model whose code makes float32 where it was given less."""

CUDA_CASES = (
    (CUDA_MEMORY, r"out of memory|CU(BLAS|DNN|SPARSE|SOLVER)_STATUS_(ALLOC_FAILED|NOT_ENOUGH)"),
    (Diagnosis("cuda_error", "device_assert"), "device-side assert"),
    (Diagnosis("cuda_error", "illegal_access"), "illegal memory access|misaligned address"),
    (Diagnosis("cuda_error", "no_kernel"), "no kernel image|not compatible with the current"),
    (Diagnosis("cuda_error", "no_device"), "invalid device ordinal|no CUDA-capable device"),
    (Diagnosis("cuda_error", "no_driver"), "NVIDIA driver|driver version|not compiled with CUDA|"
     "No CUDA GPUs are available|CUDA driver initialization failed"),
)  # fmt: skip
"""What torch says of CUDA, all of it as one type and with a text."""

MESSAGES = (
    (Diagnosis("out_of_memory"), r"(can't|Cannot) allocate memory|not enough memory|bad_alloc|"
     "MPS backend out of memory|CL_OUT_OF_(HOST_MEMORY|RESOURCES)|CL_MEM_OBJECT_ALLOCATION_FAIL|"
     "Exceeded max size of memory"),
    (Diagnosis("remote_code_required"), "trust_remote_code"),
    (Diagnosis("corrupt_checkpoint", "tokenizer"), "did not match any variant of untagged enum"),
    (Diagnosis("corrupt_checkpoint"), "size mismatch for|does not appear to have a file named|"
     "Error no file named|ignore_mismatched_sizes|is not a valid JSON file|Can't load (tokenizer|"
     "image processor|feature extractor|the model|the configuration)|Couldn't instantiate the "
     "backend tokenizer|Unrecognized (image|video) processor|Unrecognized feature extractor"),
    (Diagnosis("model_not_found"), "is not a valid model identifier|is not a local folder"),
    (DTYPE, DTYPE_WORDS),
    (Diagnosis("unsupported"), "Unrecognized (configuration class|model in)|does not recognize "
     "this architecture|custom or unsupported architecture|not implemented for|not currently "
     "implemented for the (MPS|CUDA)"),
    (Diagnosis("network"), "couldn't connect to|Can't reach the Hub|Connection reset by peer|"
     "client has been closed"),  # the Hub's own client, trying a lost line again
)  # fmt: skip
"""Patterns of messages, for exceptions whose class says nothing."""

QUOTED = re.compile(r"^(?:[\w.]+\.)?([A-Z]\w*(?:Error|Failure|Checkpoint)): (.*)", re.MULTILINE)
"""Another exception whose traceback a library has put into its own message."""

EXCUSES = (ImportError, NotImplementedError, LookupError, AttributeError)
"""What code catches to try another way. What that way then raises has another cause."""

FILES = frozenset({"JSONDecodeError", "UnicodeDecodeError", "FileNotFoundError"})
"""What a checkpoint's file that is not there or not text makes its reader raise."""


def diagnose(error: BaseException, stage: str | None = None) -> Diagnosis:
    """The error type and case of an exception and all its causes.

    ``stage`` is where it was raised (`outcome.STAGES`); it decides where nothing else does.
    """
    chain = list(_chain(error))
    for look in (_by_type, _by_message):
        for item in chain:
            found = look(item)
            if found is not None:
                return found
    for item in chain:
        if isinstance(item, ImportError):
            return Diagnosis("missing_dependency")
        if type(item).__name__ in FILES and stage in ("tokenizer", "model", "conversion"):
            return Diagnosis("corrupt_checkpoint")
    if stage == "conversion":
        return Diagnosis("conversion")
    return Diagnosis("conversion", "compile") if stage == "compile" else Diagnosis("other")


def classify(error: BaseException, stage: str | None = None) -> str:
    """The error type of `outcome.ERROR_TYPES` for an exception and all its causes."""
    return diagnose(error, stage).kind


def is_unreachable(error: BaseException) -> bool:
    """Whether an exception says that a server gave no answer, not that it refused or was not asked.

    The Hub's client wraps an answer of the Hub's, and that it is told to be offline, in the very
    type that stands for a lost connection, so the whole chain of causes is looked at.
    """
    chain = list(_chain(error))
    answered = any(getattr(item, "response", None) is not None for item in chain)
    offline = any(_by_type(item) == TYPES["OfflineModeIsEnabled"] for item in chain)
    return diagnose(error).kind == "network" and not answered and not offline


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


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The exception, what it was raised from, and then what it was raised in the handling of."""
    pending: list[tuple[BaseException, bool]] = [(error, True)]
    later: list[tuple[BaseException, bool]] = []
    seen: set[int] = set()
    while pending or later:
        item, is_cause = pending.pop(0) if pending else later.pop(0)
        if id(item) in seen or not (is_cause or not isinstance(item, EXCUSES)):
            continue
        seen.add(id(item))
        yield item
        pending += [(one, True) for one in getattr(item, "exceptions", ())]  # of a group
        if item.__cause__ is not None:
            pending.append((item.__cause__, True))
        elif item.__context__ is not None:
            later.append((item.__context__, False))


def _by_type(error: BaseException) -> Diagnosis | None:
    text = str(error)
    if is_judgement(error):
        return Diagnosis("wrong_output", "not_finite" if isinstance(error, NotFinite) else "")
    if isinstance(error, OSError) and error.errno in ERRNOS:
        return ERRNOS[error.errno]
    if os.strerror(errno.ENOSPC) in text:  # safetensors says so in an error of its own
        return Diagnosis("disk_full")
    found = _by_names([cls.__name__ for cls in type(error).__mro__], text)
    if found is not None and found.kind == "network":
        status = getattr(getattr(error, "response", None), "status_code", None)
        return HTTP.get(status, found) if isinstance(status, int) else found
    return found


def _by_names(names: list[str], text: str) -> Diagnosis | None:
    found = next((TYPES[name] for name in names if name in TYPES), None)
    if found is not None and found.kind == "cuda_error":
        return _cuda_case(text) or found
    if found is not None and found.kind == "unsupported" and re.search(DTYPE_WORDS, text):
        return DTYPE
    return found


def _by_message(error: BaseException) -> Diagnosis | None:
    text = str(error)
    for quoted in reversed(QUOTED.findall(text)):
        found = _by_names([quoted[0]], quoted[1])
        if found is not None:
            return found
    if re.search(r"\bCUDA|\bCUBLAS|\bCUDNN|NVIDIA", text):
        case = _cuda_case(text)
        if case is not None:
            return case
        if re.search(r"CUDA (error|driver)|CU(BLAS|DNN)_STATUS", text):
            return Diagnosis("cuda_error")
    for found, pattern in MESSAGES:
        if re.search(pattern, text):
            return found
    return None


def _cuda_case(text: str) -> Diagnosis | None:
    for found, pattern in CUDA_CASES:
        if re.search(pattern, text):
            return found
    return None
