"""A process that has only imported, and forks one child a job.

``python -m hf_tests.probe.server REPLIES`` reads requests as JSON lines from standard input and
writes replies as JSON lines to the descriptor REPLIES. The child of a fork finds torch,
transformers and the rest already imported, which is nearly all that starting a job costs.

multiprocessing's own forkserver does not serve: it passes over a failed import in silence, gives
its children no process group to end them by, and cannot say what it has loaded.

A fork is only sound while the parent has one thread and no device context, so the server does
nothing but import, and proves it with a canary before it serves.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import os
import select
import signal
import sys
import tempfile
import threading
import traceback
from pathlib import Path
from typing import Any

from hf_tests import stream
from hf_tests.job import Job
from hf_tests.probe import limits, worker

PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
CANARY_TIMEOUT_S = 60.0
CANARY_SIDE = 512  # of a matrix, large enough for torch to split the product among threads


def main() -> int:
    """Import, prove fit, then serve until standard input ends."""
    replies = int(sys.argv[1])
    os.set_inheritable(replies, False)
    request = json.loads(_read_line(sys.stdin.fileno()))
    limits.end_with_parent()
    worker.preload(request["device"], request["classes"], request["families"])
    reason = _unfit(request["device"])
    _reply(replies, event="unfit" if reason else "ready", reason=reason)
    if reason is not None:
        return 1
    _become_reaper()
    gc.collect()
    gc.freeze()  # children share these objects' pages for as long as no collection touches them
    while line := _read_line(sys.stdin.fileno()):
        _serve(json.loads(line), replies)
    return 0


def _serve(request: dict[str, Any], replies: int) -> None:
    """Fork one child for a job, say its process id, wait for it, and say how it ended."""
    child = os.fork()
    if child == 0:
        _become_worker(request, replies)
    _reply(replies, event="started", pid=child)
    _, status = os.waitpid(child, 0)
    _end_orphans(child)
    _reply(replies, event="ended", pid=child, status=os.waitstatus_to_exitcode(status))


def _end_orphans(child: int) -> None:
    """Kill what a job left behind; as their reaper, this process has become their parent."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    if not children.exists():  # a kernel built without CONFIG_PROC_CHILDREN
        return
    while orphans := children.read_text().split():
        for orphan in orphans:
            with contextlib.suppress(ProcessLookupError, ChildProcessError):
                os.kill(int(orphan), signal.SIGKILL)
                os.waitpid(int(orphan), 0)


def _become_reaper() -> None:
    """Have processes whose parent dies become children of this one (prctl(2))."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _become_worker(request: dict[str, Any], replies: int) -> None:
    """In the child: take on the job's session, folder, output and variables, run it, and leave."""
    status = 1
    try:
        os.setsid()
        os.close(replies)
        log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        null = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((null, 0), (log, 1), (log, 2)):
            os.dup2(source, target)
        os.chdir(request["temporary"])
        os.environ.clear()
        os.environ.update(request["environment"])
        tempfile.tempdir = None  # what the server may have looked up is not the job's
        gc.unfreeze()
        status = worker.work(Job.from_json(request["job"]), stream.Writer(Path(request["stream"])))
    except BaseException:  # noqa: BLE001 - the child must never return into the server's loop
        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


def _unfit(device: str) -> str | None:
    """Why this process must not be forked for jobs; None when a canary child lived well."""
    threads = len(list(Path("/proc/self/task").iterdir()))
    if threads != 1 or threading.active_count() != 1:
        return f"after its imports the server has {threads} threads"
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        return "an import has initialised CUDA"
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.setsid()
            _canary(device)
            status = 0
        except BaseException:  # noqa: BLE001 - the child must never return into the server's loop
            traceback.print_exc()
        finally:
            os._exit(status)
    notice = os.pidfd_open(child)
    ended = bool(select.select([notice], [], [], CANARY_TIMEOUT_S)[0])
    os.close(notice)
    if not ended:
        os.killpg(child, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if not ended:
        return f"its canary still hung after {CANARY_TIMEOUT_S:.0f} s"
    return None if status == 0 else f"its canary ended with status {status}"


def _canary(device: str) -> None:
    """What hangs or crashes in the child of an unsound fork: parallel work of each library."""
    if "torch" in sys.modules:
        import torch

        matrix = torch.ones(CANARY_SIDE, CANARY_SIDE)
        if float((matrix @ matrix).sum()) != CANARY_SIDE**3:
            raise ArithmeticError("a matrix product in the canary is wrong")
    if device.startswith("openvino") and "openvino" in sys.modules:
        import numpy as np
        import openvino
        from openvino import opset8

        value = opset8.parameter([CANARY_SIDE], np.float32)
        graph = openvino.Model([opset8.relu(value)], [value])
        compiled = openvino.Core().compile_model(graph, "CPU")
        result = compiled(np.full(CANARY_SIDE, -1.0, np.float32))[0]
        if result.any():
            raise ArithmeticError("an inference in the canary is wrong")


def _read_line(descriptor: int) -> bytes:
    """One line from a pipe; empty at its end. Byte by byte: what is read ahead would be lost."""
    line = bytearray()
    while part := os.read(descriptor, 1):
        line += part
        if part == b"\n":
            break
    return bytes(line)


def _reply(descriptor: int, **fields: Any) -> None:
    os.write(descriptor, (json.dumps(fields) + "\n").encode())


if __name__ == "__main__":
    sys.exit(main())
