"""A small Hub on loopback: enough of the protocol for the real client to download from it."""

from __future__ import annotations

import hashlib
import http.server
import json
import threading
from pathlib import Path
from typing import Any
from urllib.parse import unquote

COMMIT = "89abcdef0123456789abcdef0123456789abcdef"


class Hub:
    """Serves folders as repositories: ``repositories["someone/model"] = folder``.

    ``requests`` keeps the method and path of everything that was asked for.
    """

    def __init__(self) -> None:
        self.repositories: dict[str, Path] = {}
        self.requests: list[str] = []
        hub = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_HEAD(self) -> None:
                hub.answer(self, body=False)

            def do_GET(self) -> None:
                hub.answer(self, body=True)

            def log_message(self, *words: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """What HF_ENDPOINT is set to."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, request: http.server.BaseHTTPRequestHandler, body: bool) -> None:
        """Answer one request: a repository's list of files, or a file."""
        path = unquote(request.path.partition("?")[0])
        self.requests.append(f"{request.command} {path}")
        for name, folder in self.repositories.items():
            if path in (f"/api/models/{name}", f"/api/models/{name}/revision/main"):
                files = [{"rfilename": item.name} for item in sorted(folder.iterdir())]
                listing: dict[str, Any] = {
                    "id": name,
                    "modelId": name,
                    "sha": COMMIT,
                    "siblings": files,
                }
                listing |= {"private": False, "tags": [], "downloads": 0, "likes": 0}
                self._send(request, 200, json.dumps(listing).encode(), body)
                return
            for revision in ("main", COMMIT):
                prefix = f"/{name}/resolve/{revision}/"
                file = folder / Path(path.removeprefix(prefix)).name
                if path.startswith(prefix) and file.is_file():
                    self._send(request, 200, file.read_bytes(), body)
                    return
            if path.startswith(f"/{name}/resolve/"):
                self._send(request, 404, b"", body, {"X-Error-Code": "EntryNotFound"})
                return
        self._send(request, 404, b"", body, {"X-Error-Code": "RepoNotFound"})

    def _send(
        self,
        request: http.server.BaseHTTPRequestHandler,
        status: int,
        content: bytes,
        body: bool,
        headers: dict[str, str] | None = None,
    ) -> None:
        request.send_response(status)
        request.send_header("Content-Length", str(len(content)))
        request.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        request.send_header("X-Repo-Commit", COMMIT)
        for name, value in (headers or {}).items():
            request.send_header(name, value)
        request.end_headers()
        if body:
            request.wfile.write(content)
