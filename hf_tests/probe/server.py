"""A process that has only imported, and is forked for every job.

``python -m hf_tests.probe.server CHANNEL`` talks in JSON, one message a packet, over the socket
CHANNEL. Asked to, it forks a copy of itself with a socket of its own; a copy runs one job at a
time, each in a fork of the copy. So torch, transformers and the rest are imported once, which is
nearly all that starting a job costs, however many jobs run beside each other.

multiprocessing's own forkserver does not serve: it passes over a failed import in silence, gives
its children no process group to end them by, and cannot say what it has loaded.

A fork is only sound while its parent has one thread and no device context, so the server does
nothing but import, and proves it with a canary before it serves. Server and copies leave when the
other end of their socket is closed, as it is when the runner dies, and a copy ends its job first.
"""

from __future__ import annotations

import contextlib
import ctypes
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
from pathlib import Path
from typing import Any, NoReturn

from hf_tests import stream
from hf_tests.job import Job
from hf_tests.probe import worker

PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
MESSAGE_BYTES = 1 << 20
CANARY_TIMEOUT_S = 60.0
CANARY_SIDE = 512  # of a matrix, large enough for torch to split the product among threads


def main() -> int:
    """Import, prove fit, then make copies until the other end of the channel is closed."""
    channel = socket.socket(fileno=int(sys.argv[1]))
    channel.set_inheritable(False)
    request = json.loads(channel.recv(MESSAGE_BYTES))
    worker.preload(request["device"], request["classes"], request["families"])
    reason = _unfit(request["device"])
    _reply(channel, event="unfit" if reason else "ready", reason=reason)
    if reason is not None:
        return 1
    gc.collect()
    gc.freeze()  # children share these objects' pages for as long as no collection touches them
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for a copy's end
    while True:
        message, descriptors, _, _ = socket.recv_fds(channel, MESSAGE_BYTES, 1)
        if not message:
            return 0
        copy = os.fork()
        if copy == 0:
            channel.close()
            _become_copy(socket.socket(fileno=descriptors[0]))
        os.close(descriptors[0])
        _reply(channel, event="copied", pid=copy)


def _become_copy(channel: socket.socket) -> NoReturn:
    """In a copy: run the jobs that it is given, and leave."""
    status = 1
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        _become_reaper()
        while message := channel.recv(MESSAGE_BYTES):
            _serve(json.loads(message), channel)
        status = 0
    except BaseException:  # noqa: BLE001 - a copy must never return into the server's loop
        traceback.print_exc()
    finally:
        os._exit(status)


def _serve(request: dict[str, Any], channel: socket.socket) -> None:
    """Fork a child for a job, say its process id, wait for it, and say how it ended."""
    child = os.fork()
    if child == 0:
        _become_worker(request, channel)
    notice = os.pidfd_open(child)
    _reply(channel, event="started", pid=child)
    # Nothing is said to a copy while its job runs, but that the runner has gone.
    if channel.fileno() in select.select([notice, channel.fileno()], [], [])[0]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
    os.close(notice)
    _, status = os.waitpid(child, 0)
    _end_orphans(child)
    _reply(channel, event="ended", pid=child, status=os.waitstatus_to_exitcode(status))


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


def _become_worker(request: dict[str, Any], channel: socket.socket) -> NoReturn:
    """In the child: take on the job's session, folder, output and variables, run it, and leave."""
    status = 1
    try:
        os.setsid()
        channel.close()
        log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        null = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((null, 0), (log, 1), (log, 2)):
            os.dup2(source, target)
        os.chdir(request["temporary"])
        os.environ.clear()
        os.environ.update(request["environment"])
        tempfile.tempdir = None  # what the server may have looked up is not the job's
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


def _reply(channel: socket.socket, **fields: Any) -> None:
    channel.send(json.dumps(fields).encode())


if __name__ == "__main__":
    sys.exit(main())
