"""A small Hub on loopback: enough of the protocol for the real client, and it misbehaves if asked.

``hub.repositories["someone/model"] = folder`` publishes a folder; ``hub.misbehave(...)`` says what
goes wrong with which requests.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import json
import re
import socket
import struct
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

COMMIT = "89abcdef0123456789abcdef0123456789abcdef"
LARGE = (".safetensors", ".bin", ".model")
"""Files that the Hub keeps in its large store, which knows them by SHA-256."""

ROUTES = (
    ("info", re.compile(r"/api/models/(?P<repository>.+?)(?:/revision/(?P<revision>[^/]+))?")),
    ("file", re.compile(r"/(?P<repository>.+?)/resolve/(?P<revision>[^/]+)/(?P<name>.+)")),
)


@dataclass
class Fault:
    """What goes wrong with requests whose path contains ``part``, ``times`` times (None: always).

    ``method`` is GET or HEAD, empty for both. With a ``status`` that is the answer, with
    ``headers``. Otherwise the file is given, after ``delay_s``; with ``cut`` the connection is
    reset after so many bytes of the body; with ``short`` the body lacks its last byte and nothing
    says so; with ``tamper`` its last byte is another one.
    """

    part: str
    times: int | None = None
    method: str = ""
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    cut: int | None = None
    short: bool = False
    tamper: bool = False


@dataclass(frozen=True)
class _Answer:
    status: int
    headers: dict[str, str]
    content: bytes = b""


class Hub:
    """Serves folders as repositories, each with the one commit `COMMIT` under ``main``.

    ``revisions`` are more names of that commit, by repository; ``gated`` are the repositories that
    only a token of ``tokens`` opens. ``requests`` keeps the method and path of everything that was
    asked for, ``times`` when that was (`time.monotonic`), ``seen`` the tokens that came with it.
    """

    def __init__(self) -> None:
        self.repositories: dict[str, Path] = {}
        self.revisions: dict[str, set[str]] = {}
        self.gated: set[str] = set()
        self.tokens: set[str] = set()
        self.seen: set[str] = set()
        self.requests: list[str] = []
        self.times: list[float] = []
        self._faults: list[Fault] = []
        self._lock = threading.Lock()
        hub = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_HEAD(self) -> None:
                hub.answer(self)

            def do_GET(self) -> None:
                hub.answer(self)

            def log_message(self, *words: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """What HF_ENDPOINT is set to."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def misbehave(self, part: str, **how: Any) -> None:
        """Let requests go wrong from now on: the fields of `Fault`."""
        self._faults.append(Fault(part, **how))

    def behave(self) -> None:
        """Let everything go well again."""
        self._faults.clear()

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, request: http.server.BaseHTTPRequestHandler) -> None:
        """Answer one request: what a repository has, or a file of it."""
        path = unquote(request.path.partition("?")[0])
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        with self._lock:
            self.requests.append(f"{request.command} {path}")
            self.times.append(time.monotonic())
            self.seen |= {token} - {""}
            fault = self._fault(request.command, path)
        if fault is not None and fault.status:
            _send(request, _Answer(fault.status, fault.headers))
            return
        answer = self._answer(path, token)
        if fault is not None:
            time.sleep(fault.delay_s)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # who asked has given up
            _send(request, answer, fault)

    def _fault(self, method: str, path: str) -> Fault | None:
        for fault in self._faults:
            if fault.part in path and fault.method in ("", method) and fault.times != 0:
                fault.times = None if fault.times is None else fault.times - 1
                return fault
        return None

    def _answer(self, path: str, token: str) -> _Answer:
        for kind, route in ROUTES:
            found = route.fullmatch(path)
            if found is None:
                continue
            name, revision = found["repository"], found["revision"] or "main"
            folder = self.repositories.get(name)
            if folder is None:
                return _Answer(404 if token in self.tokens else 401, _error("RepoNotFound"))
            if revision not in {"main", COMMIT} | self.revisions.get(name, set()):
                return _Answer(404, _error("RevisionNotFound"))
            if kind == "info":
                return self._info(name, folder)
            if name in self.gated and token not in self.tokens:
                return _Answer(403 if token else 401, _error("GatedRepo"))
            return _file(folder, found["name"])
        return _Answer(404, _error("RepoNotFound"))

    def _info(self, name: str, folder: Path) -> _Answer:
        siblings = []
        for path in sorted(item for item in folder.rglob("*") if item.is_file()):
            entry: dict[str, Any] = {"rfilename": path.relative_to(folder).as_posix()}
            entry |= {"size": path.stat().st_size, "blobId": _etag(path)[:40]}
            if path.suffix in LARGE:
                large = {"sha256": _etag(path), "size": path.stat().st_size, "pointerSize": 130}
                entry["lfs"] = large
            siblings.append(entry)
        document = {
            "id": name,
            "modelId": name,
            "sha": COMMIT,
            "siblings": siblings,
            "gated": "auto" if name in self.gated else False,
            "private": False,
            "tags": [],
            "downloads": 0,
            "likes": 0,
        }
        content = json.dumps(document).encode()
        return _Answer(200, {"Content-Type": "application/json"}, content)


def _file(folder: Path, name: str) -> _Answer:
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()) or not path.is_file():
        return _Answer(404, _error("EntryNotFound"))
    headers = {"ETag": f'"{_etag(path)}"', "Accept-Ranges": "bytes"}
    return _Answer(200, headers, path.read_bytes())


def _etag(path: Path) -> str:
    content = path.read_bytes()
    if path.suffix in LARGE:
        return hashlib.sha256(content).hexdigest()
    # git's own name of a file
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def _error(code: str) -> dict[str, str]:
    return {"X-Error-Code": code, "X-Error-Message": code}


def _send(
    request: http.server.BaseHTTPRequestHandler, answer: _Answer, fault: Fault | None = None
) -> None:
    status, headers, content = answer.status, dict(answer.headers), answer.content
    wanted = re.fullmatch(r"bytes=(\d+)-", request.headers.get("Range", ""))
    if fault is not None and request.command == "GET" and status == 200:
        if fault.short:
            content = content[:-1]
        if fault.tamper:
            content = content[:-1] + bytes([content[-1] ^ 1])
    if wanted is not None and status == 200:
        first, size = int(wanted[1]), len(content)
        status, content = 206, content[first:]
        headers["Content-Range"] = f"bytes {first}-{size - 1}/{size}"
    request.send_response(status)
    request.send_header("Content-Length", str(len(content)))
    request.send_header("X-Repo-Commit", COMMIT)
    for name, value in headers.items():
        request.send_header(name, value)
    request.end_headers()
    if request.command != "GET":
        return
    if fault is not None and fault.cut is not None and status in (200, 206):
        request.wfile.write(content[: fault.cut])
        request.wfile.flush()
        # Closed with nothing left to linger for, the connection is reset, not ended.
        request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        request.close_connection = True
        request.connection.close()
        return
    request.wfile.write(content)
