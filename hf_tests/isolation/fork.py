"""A fork of a process that has only imported, for every job; see `hf_tests.probe.server`."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hf_tests.isolation import environment, process
from hf_tests.isolation.base import EXITED, SIGNALLED, Ending
from hf_tests.isolation.watch import Watch
from hf_tests.job import Job

START_TIMEOUT_S = 180.0  # importing everything from a cold disk
FORK_TIMEOUT_S = 60.0  # milliseconds, but for a machine that stalls
COMMAND = (sys.executable, "-m", "hf_tests.probe.server")


class Unfit(Exception):
    """The server cannot be forked from; the message says why."""


class ServerDied(Exception):
    """The server's end of the pipe was closed."""


class ForkLauncher:
    """Keeps one server for each kind of device and forks every job from its own.

    What ``jobs`` will need is imported by the servers beforehand.
    """

    name = "fork"
    notes: tuple[str, ...] = ()

    def __init__(self, jobs: Sequence[Job] = (), command: Sequence[str] = COMMAND) -> None:
        self._classes = sorted({job.model.class_name for job in jobs})
        self._families = sorted({job.model.family for job in jobs})
        self._command = tuple(command)
        self._servers: dict[tuple[str, bool], Server] = {}

    def run(self, job: Job, stream: Path, log: Path, tick: Callable[[], bool]) -> Ending:
        """See `isolation.base.Launcher.run`. Raises Unfit where no sound server can be had."""
        job = job.replace(isolation=self.name)
        with process.temporary_folder() as temporary:
            request = {
                "job": job.to_json(),
                "stream": str(stream.resolve()),
                "log": str(log.resolve()),
                "temporary": str(temporary),
                "environment": environment.of_job(job, temporary),
            }
            launched, server, child = self._start(job, request)
            reason, status = _watch(server, child, Watch(job, launched, tick))
            if server.dead:
                # Nobody has ended what the job may have left in sessions of its own.
                process.end_escaped(temporary)
                self._forget(job)
        wall = time.monotonic() - launched
        if reason == EXITED and status is not None and status < 0:
            reason = SIGNALLED
        return Ending(reason, status, launched, wall, self.name)

    def close(self) -> None:
        """End all servers."""
        for server in self._servers.values():
            server.close()
        self._servers.clear()

    def _start(self, job: Job, request: dict[str, Any]) -> tuple[float, Server, int]:
        """Have the job forked; when, by which server, and its process id. Raises Unfit."""
        for _ in range(2):
            launched = time.monotonic()
            server = self._server(job)
            try:
                return launched, server, server.fork(request)
            except ServerDied:
                # It died between jobs; nothing of this one has run yet.
                self._forget(job)
        raise Unfit("the server dies when it is asked to fork")

    def _server(self, job: Job) -> Server:
        key = _key(job)
        if key not in self._servers:
            request = {
                "device": job.device,
                "classes": self._classes,
                "families": self._families,
            }
            self._servers[key] = Server(job, request, self._command)
        return self._servers[key]

    def _forget(self, job: Job) -> None:
        server = self._servers.pop(_key(job), None)
        if server is not None:
            server.close()


def _key(job: Job) -> tuple[str, bool]:
    """What a server's imports and environment depend on."""
    return job.device.partition(":")[0], environment.downloads(job)


class Server:
    """The parent's end of one server process."""

    def __init__(self, job: Job, request: dict[str, Any], command: Sequence[str]) -> None:
        receiving, replies = os.pipe()
        self._receiving = receiving
        self._buffer = b""
        self.dead = False
        self._process = subprocess.Popen(
            [*command, str(replies)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment.of_job(job, Path(tempfile.gettempdir())),
            pass_fds=(replies,),
            start_new_session=True,
        )
        os.close(replies)
        try:
            self._send(request)
            answer = self.receive(time.monotonic() + START_TIMEOUT_S)
        except ServerDied:
            answer = {"reason": "the server ended before it was ready"}
        if answer is None or answer.get("event") != "ready":
            self.close()
            reason = "the server did not get ready" if answer is None else str(answer["reason"])
            raise Unfit(reason)

    def fork(self, request: dict[str, Any]) -> int:
        """Have a job's process forked; returns its id. Raises ServerDied."""
        self._send(request)
        answer = self.receive(time.monotonic() + FORK_TIMEOUT_S)
        if answer is None or answer.get("event") != "started":
            raise ServerDied
        return int(answer["pid"])

    def receive(self, until: float) -> dict[str, Any] | None:
        """The next reply; None when none has come by that time. Raises ServerDied."""
        while b"\n" not in self._buffer:
            left = until - time.monotonic()
            if left <= 0 or not select.select([self._receiving], [], [], left)[0]:
                return None
            part = os.read(self._receiving, 65536)
            if not part:
                self.dead = True
                raise ServerDied
            self._buffer += part
        line, _, self._buffer = self._buffer.partition(b"\n")
        reply: dict[str, Any] = json.loads(line)
        return reply

    def close(self) -> None:
        """End the server and wait for its end."""
        self.dead = True
        process.signal_group(self._process.pid, process.SIGKILL)
        self._process.wait()
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
        with contextlib.suppress(OSError):
            os.close(self._receiving)

    def _send(self, request: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write((json.dumps(request) + "\n").encode())
            self._process.stdin.flush()
        except OSError as error:
            self.dead = True
            raise ServerDied from error


def _watch(server: Server, child: int, watch: Watch) -> tuple[str, int | None]:
    """Wait for the child's end, and bring it about when it is time; why, and the exit status.

    The status is None where the server died first: nobody else may ask for it.
    """
    reason = None
    with process.end_notice(child) as notice:
        try:
            answer = None
            while answer is None:
                reason = watch.reason(child)
                if reason is not None:
                    answer = _end(server, child)
                else:
                    answer = server.receive(min(watch.deadline, time.monotonic() + process.TICK_S))
            status = int(answer["status"])
        except ServerDied:
            # The child lives on without its server, and is only to be waited for.
            reason = reason or _wait_alone(notice, child, watch)
            status = None
    # Children that the process left behind are still in its group.
    process.signal_group(child, process.SIGKILL)
    return reason or EXITED, status


def _end(server: Server, child: int) -> dict[str, Any]:
    """End a child politely and then not; returns the server's word of its end."""
    process.signal_group(child, signal.SIGTERM)
    answer = server.receive(time.monotonic() + process.GRACE_S)
    while answer is None:
        process.signal_group(child, process.SIGKILL)
        answer = server.receive(time.monotonic() + process.GRACE_S)
    return answer


def _wait_alone(notice: int | None, child: int, watch: Watch) -> str | None:
    """Wait for a child whose server has died; why it must be ended, None when it has."""
    while notice is not None and not select.select([notice], [], [], process.TICK_S)[0]:
        reason = watch.reason(child)
        if reason is not None:
            return reason
    return None
