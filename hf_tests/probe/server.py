"""A process that has only imported, and is forked for every job.

``python -m hf_tests.probe.server CHANNEL`` talks in JSON, one message a packet, over the socket
CHANNEL. It forks what it is asked for, each with a socket of its own:

- a copy, which runs one job at a time, each in a fork of the copy;
- a server like itself that imports what another kind of device needs besides.

So torch, transformers and the rest are imported once, which is nearly all that starting a job
costs, however many jobs run beside each other.

multiprocessing's own forkserver does not serve: it passes over a failed import in silence, gives
its children no process group to end them by, and cannot say what it has loaded.

A fork is only sound while its parent has one thread and no device context, so a server does
nothing but import, and proves it with a canary before it serves. All of them leave when the other
end of their socket is closed, as it is when the runner dies, and a copy ends its job first.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import gc
import json
import os
import select
import signal
import socket
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from hf_tests import stream
from hf_tests.job import Job
from hf_tests.probe import pages, worker

PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
MESSAGE_BYTES = 1 << 20
CANARY_TIMEOUT_S = 60.0
CANARY_SIDE = 512  # of a matrix, large enough for torch to split the product among threads


def main() -> int:
    """Import, prove fit, and serve."""
    return _serve(socket.socket(fileno=int(sys.argv[1])))


def _serve(channel: socket.socket) -> int:
    """Do what the first message says must be imported, then fork until the channel is closed."""
    channel.set_inheritable(False)
    first = channel.recv(MESSAGE_BYTES)
    if not first:
        return 0
    request = json.loads(first)
    worker.preload(request["device"], **request["wanted"])
    reason = _unfit(request["device"])
    _reply(channel, event="unfit" if reason else "ready", reason=reason)
    if reason is not None:
        return 1
    gc.collect()
    if request["jobs"] >= pages.WORTH_JOBS:
        pages.enlarge()
    gc.freeze()  # children share these objects' pages for as long as no collection touches them
    while True:
        message, descriptors, _, _ = socket.recv_fds(channel, MESSAGE_BYTES, 1)
        if not message:
            return 0
        serve = {"server": _serve, "copy": _run_jobs}[json.loads(message)["fork"]]
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for these children's end
        child = os.fork()
        if child == 0:
            channel.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            _leave_by(functools.partial(serve, socket.socket(fileno=descriptors[0])))
        os.close(descriptors[0])
        _reply(channel, event="forked", pid=child)


def _leave_by(last: Callable[[], int]) -> NoReturn:
    """In a fork: do the last that there is to do, and never return into the parent's loop."""
    status = 1
    try:
        status = last()
    except BaseException:  # noqa: BLE001 - whatever it is, it ends here
        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


class _Child:
    """A fork that waits for a job and does it."""

    def __init__(self, written: pages.Written, *others: socket.socket) -> None:
        """``others`` are the parent's sockets, which it closes.

        What it kept open of them would hide from others that the parent is gone.
        """
        self.line, its_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.pid = os.fork()
        if self.pid == 0:
            for other in (self.line, *others):
                other.close()
            _leave_by(functools.partial(_wait_and_work, its_end, written))
        its_end.close()

    def give(self, job: bytes) -> bool:
        """Hand it its job; false where it is gone, and reaped."""
        try:
            self.line.send(job)
        except OSError:
            self.line.close()
            os.waitpid(self.pid, 0)
            return False
        return True


def _run_jobs(channel: socket.socket) -> int:
    """In a copy: run the jobs that it is given until the channel is closed."""
    _become_reaper()
    written = pages.Written()
    spare: _Child | None = None
    while message := channel.recv(MESSAGE_BYTES):
        child = spare if spare is not None and spare.give(message) else None
        if child is None:
            child = _Child(written, channel)
            child.give(message)
        spare = _see_through(child, channel, written)
    return 0  # a spare one leaves as its line is closed


def _see_through(child: _Child, channel: socket.socket, written: pages.Written) -> _Child | None:
    """Say a child's process id, wait for it, and say how it ended.

    Returns the child for the next job. It is forked while this one begins, when nothing is timed.
    """
    notice = os.pidfd_open(child.pid)
    _reply(channel, event="started", pid=child.pid)
    spare: _Child | None = None
    with contextlib.suppress(OSError):  # no room for one more now; there may be when it is needed
        spare = _Child(written, channel, child.line)
    # Nothing is said to a copy while its job runs, but that the runner has gone.
    watched: list[Any] = [notice, channel]
    if channel in select.select(watched, [], [])[0]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child.pid, signal.SIGKILL)
    os.close(notice)
    _, status = os.waitpid(child.pid, 0)
    with child.line, contextlib.suppress(OSError):
        if written.wanted:
            written.learn(child.line.recv(MESSAGE_BYTES, socket.MSG_DONTWAIT))
    _end_orphans(child.pid, but=None if spare is None else spare.pid)
    _reply(channel, event="ended", pid=child.pid, status=os.waitstatus_to_exitcode(status))
    return spare


def _end_orphans(child: int, but: int | None) -> None:
    """Kill what a job left behind; as their reaper, this process has become their parent."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    if not children.exists():  # a kernel built without CONFIG_PROC_CHILDREN
        return
    while orphans := set(map(int, children.read_text().split())) - {but}:
        for orphan in orphans:
            with contextlib.suppress(ProcessLookupError, ChildProcessError):
                os.kill(orphan, signal.SIGKILL)
                os.waitpid(orphan, 0)


def _become_reaper() -> None:
    """Have processes whose parent dies become children of this one (prctl(2))."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _wait_and_work(line: socket.socket, written: pages.Written) -> int:
    """In a job's process: wait for the job, and do it."""
    written.copy_beforehand()
    with line:
        message = line.recv(MESSAGE_BYTES)
        status = _work(json.loads(message)) if message else 0
        if message and written.wanted:
            with contextlib.suppress(OSError):  # more than the line takes, or nobody listens
                line.send(written.by_this_process(), socket.MSG_DONTWAIT)
    return status


def _work(request: dict[str, Any]) -> int:
    """Take on the job's session, folder, output and variables, and run it."""
    os.setsid()
    log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    null = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((null, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.chdir(request["temporary"])
    os.environ.clear()
    os.environ.update(request["environment"])
    tempfile.tempdir = None  # what the server may have looked up is not the job's
    return worker.work(Job.from_json(request["job"]), stream.Writer(Path(request["stream"])))


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
        _leave_by(functools.partial(_canary, device))
    notice = os.pidfd_open(child)
    ended = bool(select.select([notice], [], [], CANARY_TIMEOUT_S)[0])
    os.close(notice)
    if not ended:
        os.killpg(child, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if not ended:
        return f"its canary still hung after {CANARY_TIMEOUT_S:.0f} s"
    return None if status == 0 else f"its canary ended with status {status}"


def _canary(device: str) -> int:
    """What hangs or crashes in the child of an unsound fork: parallel work of each library."""
    os.setsid()
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
    return 0


def _reply(channel: socket.socket, **fields: Any) -> None:
    channel.send(json.dumps(fields).encode())


if __name__ == "__main__":
    sys.exit(main())
