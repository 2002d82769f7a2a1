"""A fork of a process that has only imported, for every job; see `hf_tests.probe.server`."""

from __future__ import annotations

import collections
import contextlib
import itertools
import json
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hf_tests.isolation import cgroup, environment, process
from hf_tests.isolation.base import EXITED, OVER_MEMORY, SIGNALLED, Ending
from hf_tests.isolation.watch import Watch
from hf_tests.job import Job

START_TIMEOUT_S = 180.0  # importing everything from a cold disk
FORK_TIMEOUT_S = 60.0  # milliseconds, but for a machine that stalls
MESSAGE_BYTES = 1 << 20
COMMAND = (sys.executable, "-m", "hf_tests.probe.server")

BASE = "cpu"
"""The kind of device whose imports all others build upon."""

Key = tuple[str, bool]


class Unfit(Exception):
    """The server cannot be forked from; the message says why."""


class ServerDied(Exception):
    """The other end of the channel was closed."""


def wanted_by(jobs: Sequence[Job]) -> dict[str, list[str]]:
    """What jobs will need, by the names of the arguments of `hf_tests.probe.worker.preload`."""
    needs = (job.model.needs(job.weights, method) for job in jobs for method in job.methods)
    return {
        "classes": sorted({job.model.class_name for job in jobs}),
        "families": sorted({job.model.family for job in jobs}),
        "requirements": sorted(set(itertools.chain.from_iterable(needs))),
    }


class ForkLauncher:
    """Keeps one server for each kind of device, and forks every job from a copy of it.

    The processor's server is the base, of which those of other kinds are forks.

    What ``jobs`` will need is imported by the servers beforehand. `run` may be called by several
    threads; each call has a copy for itself.
    """

    name = "fork"

    def __init__(self, jobs: Sequence[Job] = (), command: Sequence[str] = COMMAND) -> None:
        self.notes: tuple[str, ...] = ()
        self.startup_s: dict[str, float] = {}
        self._wanted = wanted_by(jobs)
        self._planned = collections.Counter(_key(job) for job in jobs)
        self._command = tuple(command)
        self._locks: dict[Key, threading.Lock] = collections.defaultdict(threading.Lock)
        self._servers: dict[Key, Server] = {}
        self._unfit: dict[Key, str] = {}
        self._idle: dict[Key, list[Copy]] = collections.defaultdict(list)
        self._busy: set[Copy] = set()

    def run(self, job: Job, stream: Path, log: Path, tick: Callable[[], bool]) -> Ending:
        """See `isolation.base.Launcher.run`. Raises Unfit where no sound server can be had."""
        job = job.replace(isolation=self.name)
        with process.temporary_folder() as temporary, cgroup.of_job(job) as group:
            request = {
                "job": job.to_json(),
                "stream": str(stream.resolve()),
                "log": str(log.resolve()),
                "temporary": str(temporary),
                "environment": environment.of_job(job, temporary),
            }
            launched, copy, child = self._start(job, request)
            self._busy.add(copy)
            if group is not None:
                group.add(child)
            reason, status = _watch(copy, child, Watch(job, launched, tick, group))
            self._busy.discard(copy)
            if copy.dead:
                # Nobody has ended what the job may have left in sessions of its own.
                process.end_escaped(temporary)
                copy.close()
            else:
                self._idle[_key(job)].append(copy)
            wall = time.monotonic() - launched
            if reason == EXITED and status is not None and status < 0:
                reason = OVER_MEMORY if group is not None and group.ran_out() else SIGNALLED
        return Ending(reason, status, launched, wall, self.name)

    def close(self) -> None:
        """End the jobs that still run, the copies that run them, and all servers."""
        for copy in [*self._busy, *(copy for copies in self._idle.values() for copy in copies)]:
            copy.close()
        for server in self._servers.values():
            server.close()
        self._busy.clear()
        self._idle.clear()
        self._servers.clear()

    def _start(self, job: Job, request: dict[str, Any]) -> tuple[float, Copy, int]:
        """Have the job forked; when, by which copy, and its process id. Raises Unfit."""
        for _ in range(2):
            copy = self._copy(job)
            launched = time.monotonic()
            try:
                answer = copy.ask(request, launched + FORK_TIMEOUT_S)
                return launched, copy, int(answer["pid"])
            except ServerDied:
                # It died between jobs; nothing of this one has run yet.
                copy.close()
        raise Unfit("the server dies when it is asked to fork")

    def _copy(self, job: Job) -> Copy:
        """An idle copy of the job's server, or a new one. Raises Unfit."""
        key = _key(job)
        with self._locks[key]:
            if self._idle[key]:
                return self._idle[key].pop()
            if key in self._unfit:
                raise Unfit(self._unfit[key])
            try:
                for _ in range(2):
                    try:
                        return self._server(job).fork_copy()
                    except ServerDied:
                        if key in self._servers:
                            self._servers.pop(key).close()
                raise Unfit("the server dies when it is asked for a copy")
            except Unfit as reason:
                self._unfit[key] = str(reason)  # others that wait here need not find out again
                raise

    def _server(self, job: Job) -> Server:
        """The job's server, or a new one. Raises Unfit, and ServerDied where its base has died."""
        key = kind, downloads = _key(job)
        if key not in self._servers:
            start = time.monotonic()
            planned = self._planned[key]
            request = {"device": job.device, "wanted": self._wanted, "jobs": planned}
            if kind == BASE:
                server = Server.start(job, request, self._command)
            else:
                with self._locks[BASE, downloads]:
                    base = self._server(job.replace(device=BASE))
                    start = time.monotonic()
                    try:
                        server = base.fork_server(request)
                    except ServerDied:
                        self._servers.pop((BASE, downloads)).close()
                        raise
            self.startup_s[kind] = self.startup_s.get(kind, 0.0) + time.monotonic() - start
            self._servers[key] = server
        return self._servers[key]


def _key(job: Job) -> Key:
    """What a server's imports and environment depend on."""
    return job.device.partition(":")[0], environment.downloads(job)


class Channel:
    """The runner's end of a socket to a server or to a copy of one."""

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        self.dead = False

    def ask(
        self, request: dict[str, Any], until: float, descriptors: Sequence[int] = ()
    ) -> dict[str, Any]:
        """Send a request, with descriptors for the other process, and wait for the reply.

        Raises ServerDied, also where no reply comes by that time.
        """
        try:
            socket.send_fds(self._socket, [json.dumps(request).encode()], list(descriptors))
        except OSError as error:
            self.dead = True
            raise ServerDied from error
        answer = self.receive(until)
        if answer is None:
            self.dead = True
            raise ServerDied
        return answer

    def receive(self, until: float) -> dict[str, Any] | None:
        """The next reply; None when none has come by that time. Raises ServerDied."""
        left = max(0.0, until - time.monotonic())
        try:
            if not select.select([self._socket], [], [], left)[0]:
                return None
            message = self._socket.recv(MESSAGE_BYTES)
        except OSError as error:  # reset by the other end, or shut down by `close` meanwhile
            self.dead = True
            raise ServerDied from error
        if not message:
            self.dead = True
            raise ServerDied
        reply: dict[str, Any] = json.loads(message)
        return reply

    def close(self) -> None:
        """Close the channel, at which the other process leaves."""
        self.dead = True
        with contextlib.suppress(OSError):
            # Closing alone has no effect while another thread waits for the socket.
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


class Copy(Channel):
    """A copy of a server, for one job at a time."""

    def __init__(self, end: socket.socket, pid: int) -> None:
        super().__init__(end)
        self._pid = pid

    def close(self) -> None:
        """Close the channel and wait until the copy has ended its job and left."""
        with process.end_notice(self._pid) as notice:
            super().close()
            if notice is not None:
                select.select([notice], [], [], process.GRACE_S)


class Server(Channel):
    """A process that has only imported, and is forked."""

    def __init__(self, end: socket.socket, started: subprocess.Popen[bytes] | None) -> None:
        """``started`` is the process where it is a child of this one, and not a fork of another."""
        super().__init__(end)
        self._started = started

    @classmethod
    def start(cls, job: Job, request: dict[str, Any], command: Sequence[str]) -> Server:
        """Start one and wait until it is ready. Raises Unfit."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            process = subprocess.Popen(
                [*command, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=environment.of_job(job, Path(tempfile.gettempdir())),
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
        server = cls(ours, process)
        server._prepare(request)
        return server

    def fork_server(self, request: dict[str, Any]) -> Server:
        """A server that imports more than this one. Raises Unfit and ServerDied."""
        end, _ = self._fork("server")
        server = Server(end, None)
        server._prepare(request)
        return server

    def fork_copy(self) -> Copy:
        """A process for one job at a time. Raises ServerDied."""
        return Copy(*self._fork("copy"))

    def close(self) -> None:
        """Close the channel, and end the process with all forks of it where it is a child."""
        super().close()
        if self._started is not None:
            process.signal_group(self._started.pid, process.SIGKILL)
            self._started.wait()

    def _prepare(self, request: dict[str, Any]) -> None:
        """Have it import, and prove itself. Raises Unfit."""
        try:
            answer = self.ask(request, time.monotonic() + START_TIMEOUT_S)
        except ServerDied:
            answer = {"event": "died", "reason": "the server ended before it was ready"}
        except BaseException:
            self.close()
            raise
        if answer["event"] != "ready":
            self.close()
            raise Unfit(str(answer["reason"]))

    def _fork(self, what: str) -> tuple[socket.socket, int]:
        """Have the process forked; the runner's end of the fork's channel, and its process id."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            try:
                until = time.monotonic() + FORK_TIMEOUT_S
                answer = self.ask({"fork": what}, until, [theirs.fileno()])
            except ServerDied:
                ours.close()
                raise
        return ours, int(answer["pid"])


def _watch(copy: Copy, child: int, watch: Watch) -> tuple[str, int | None]:
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
                    answer = _end(copy, child)
                else:
                    answer = copy.receive(min(watch.deadline, time.monotonic() + process.TICK_S))
            status = int(answer["status"])
        except ServerDied:
            # The child lives on without its server, and is only to be waited for.
            reason = reason or _wait_alone(notice, child, watch)
            status = None
    # Children that the process left behind are still in its group.
    process.signal_group(child, process.SIGKILL)
    return reason or EXITED, status


def _end(copy: Copy, child: int) -> dict[str, Any]:
    """End a child politely and then not; returns the server's word of its end."""
    process.signal_group(child, signal.SIGTERM)
    answer = copy.receive(time.monotonic() + process.GRACE_S)
    while answer is None:
        process.signal_group(child, process.SIGKILL)
        answer = copy.receive(time.monotonic() + process.GRACE_S)
    return answer


def _wait_alone(notice: int | None, child: int, watch: Watch) -> str | None:
    """Wait for a child whose server has died; why it must be ended, None when it has."""
    while notice is not None and not select.select([notice], [], [], process.TICK_S)[0]:
        reason = watch.reason(child)
        if reason is not None:
            return reason
    return None
