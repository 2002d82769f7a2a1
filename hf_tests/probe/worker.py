"""One job in a process of its own: ``python -m hf_tests.probe.worker STREAM < JOB``.

It runs the very TestCase that ``python -m unittest`` runs, for one model on one device, and
streams every result as soon as there is one.
"""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import importlib
import os
import random
import signal
import sys
import unittest
from collections.abc import Sequence
from pathlib import Path

from hf_tests import dependencies, outcome, stream
from hf_tests.family import FamilyTestCase, describe
from hf_tests.isolation import process
from hf_tests.job import Job, result_for
from hf_tests.outcome import CheckResult
from hf_tests.probe import limits

TESTS = {
    "pipeline": "test_pipeline",
    "from_pretrained": "test_from_pretrained",
    "openvino": "test_with_openvino",
}
"""The TestCase's method for each method of a job."""

DUMP_MARGIN_S = 1.0  # the stacks are written this long before the parent ends the process


class StreamRecorder:
    """Writes what the TestCase does to the job's stream."""

    def __init__(self, writer: stream.Writer) -> None:
        self._writer = writer
        self.methods: set[str] = set()

    def started(self, job: Job, method: str) -> None:
        """A check begins: should the process die, it dies in this one."""
        del job
        self._writer.write("check_started", method=method)

    def finished(self, result: CheckResult) -> None:
        """A check has ended."""
        self.methods.add(result.method)
        self._writer.result(result)


def preload(
    device: str,
    classes: Sequence[str] = (),
    families: Sequence[str] = (),
    requirements: Sequence[str] = (),
) -> None:
    """Import what a job on the device needs, where it is installed.

    ``classes`` are names of transformers' classes whose modules are imported too, ``families``
    those whose own modules are, ``requirements`` those that jobs will ask about. What fails to
    import is left alone: the check that needs it says so.
    """
    names = ["torch", "transformers", "transformers.pipelines", "PIL.ImageFile"]
    if device.startswith("openvino"):
        # The last three are what a conversion would import, one job after the other.
        names += ["openvino", "optimum.intel.openvino"]
        names += ["optimum.exporters.openvino", "nncf.torch", "openvino.frontend.pytorch"]
    if families:
        names += [f"hf_tests.test_{family}" for family in families]
        names += [f"hf_tests.probe.{name}" for name in ("direct", "pipeline", "openvino")]
    for name in names:
        with contextlib.suppress(Exception):
            importlib.import_module(name)
    transformers = sys.modules.get("transformers")
    for name in classes if transformers is not None else ():
        with contextlib.suppress(Exception):
            getattr(transformers, name)
    if requirements:
        _look_up(requirements, device)


def _look_up(requirements: Sequence[str], device: str) -> None:
    """Look up beforehand what every fork would look up once.

    These are the installed versions, and transformers' table of how the weights of older
    checkpoints are renamed: a quarter of what a small model's job took.
    """
    method = "openvino" if device.startswith("openvino") else "from_pretrained"
    with contextlib.suppress(Exception):  # what is wrong with it, the check says that needs it
        dependencies.unmet_for(requirements, method)
        dependencies.versions()
    with contextlib.suppress(Exception):  # 4.57 has no such table
        from transformers import conversion_mapping

        conversion_mapping.get_checkpoint_conversion_mapping("")


def run(job: Job, writer: stream.Writer) -> None:
    """Run all checks of a job; one result a method stands in the stream afterwards."""
    recorder = StreamRecorder(writer)
    preload(job.device)
    # What the imports have left lives as long as the process. A collection, of which a conversion
    # asks for several, need not look at it: that takes 0.3 s each, and copies pages of a fork.
    gc.freeze()
    _seed(job.seed)
    _set_threads(len(job.cores))
    writer.write("ready")
    try:
        suite = _suite(job, recorder)
    except Exception as error:  # noqa: BLE001 - a family's module may fail in any way
        _fail_rest(job, recorder, error)
    else:
        unittest.TextTestRunner(stream=sys.stderr, verbosity=2).run(suite)
        _fail_rest(job, recorder, RuntimeError("the test ended without a result"))
    writer.write("end")


def _seed(seed: int) -> None:
    """Give every job the same random state, however its process came to be."""
    random.seed(seed)
    numpy, torch = sys.modules.get("numpy"), sys.modules.get("torch")
    if numpy is not None:
        numpy.random.seed(seed)
    if torch is not None:
        torch.manual_seed(seed)


def _set_threads(count: int) -> None:
    """As many threads as the job has cores; 0 leaves torch's own choice."""
    torch = sys.modules.get("torch")
    if torch is not None and count:
        torch.set_num_threads(count)
        torch.set_num_interop_threads(count)


def _suite(job: Job, recorder: StreamRecorder) -> unittest.TestSuite:
    module = importlib.import_module(f"hf_tests.test_{job.model.family}")
    cases = [
        value
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, FamilyTestCase)
        and value.family == job.model.family
    ]
    if not cases:
        raise LookupError(f"{module.__name__} has no TestCase of the family {job.model.family}")
    suite = unittest.TestSuite()
    for case in cases:
        case.jobs, case.recorder = (job,), recorder
        suite.addTests(case(TESTS[method]) for method in job.methods)
    return suite


def _fail_rest(job: Job, recorder: StreamRecorder, error: Exception) -> None:
    for method in job.methods:
        if method not in recorder.methods:
            fields = describe(error, job, "import", method)
            recorder.finished(result_for(job, method, outcome.ERROR, stage="import", **fields))


def _dump_stacks_after(seconds: float) -> None:
    """Have every thread's stack written to the log then, even out of native code that hangs.

    By a signal: faulthandler's own timer reads the stacks beside the thread that changes them, and
    of 900 processes that were importing 13 died of it, by a signal none.
    """
    if hasattr(signal, "setitimer"):
        faulthandler.register(signal.SIGALRM, all_threads=True)
        signal.setitimer(signal.ITIMER_REAL, seconds)
    else:
        faulthandler.dump_traceback_later(seconds)


def _dump_no_stacks() -> None:
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, 0)
        faulthandler.unregister(signal.SIGALRM)
    else:
        faulthandler.cancel_dump_traceback_later()


def work(job: Job, writer: stream.Writer) -> int:
    """Run a job whose process is its own by now; returns the exit status.

    It is 0 whatever the results, and `stream.DISK_FULL` where they could not be written.
    """
    limits.apply(job)
    faulthandler.enable()
    _dump_stacks_after(max(job.timeout_s - DUMP_MARGIN_S, 0.1))
    try:
        writer.write("start", pid=os.getpid(), birth=process.birth(os.getpid()))
        run(job, writer)
    except OSError as error:
        # The log is on the same disk: what is printed there can be the first to find it full.
        if writer.fault is None and error.errno not in stream.FULL_ERRORS:
            raise
        writer.fault = writer.fault or error
    _dump_no_stacks()
    writer.close()
    return 0 if writer.fault is None else stream.DISK_FULL


def main() -> int:
    """Read the job from standard input and run it."""
    writer = stream.Writer(Path(sys.argv[1]))
    limits.end_with_parent()
    status = work(Job.from_json(sys.stdin.read()), writer)
    if status == stream.DISK_FULL:
        # What is left in their buffers has no room, and at the end Python would say so by 120.
        sys.stdout = sys.stderr = None
    return status


if __name__ == "__main__":
    sys.exit(main())
