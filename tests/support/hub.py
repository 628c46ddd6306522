"""A stand-in for the Hugging Face hub on loopback: it answers a GET of one file, and misbehaves on demand."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from types import TracebackType
from typing import Self

from tests.support.handing import Quiet, Running

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass(slots=True)
class Hub:
    """Use it as a context manager. Files lie under (repo, commit, path); its ways may be changed at any time.

    As the real one does, it answers with a redirect to where large files lie, names the commit in
    X-Repo-Commit and the file's checksum in X-Linked-ETag.
    """

    files: dict[tuple[str, str, str], bytes] = field(default_factory=dict[tuple[str, str, str], bytes])
    status: int = 0
    """Answer everything with this; 0: as it should be."""
    commit: str = ""
    """Say that this is the commit, whatever was asked for."""
    cut_after: int = -1
    """Close the connection after so many bytes of a file."""
    announced: int = -1
    """Say that the file has so many bytes; -2: say nothing, and send in chunks."""
    redirects: int = 1
    asked: list[tuple[str, str, Mapping[str, str]]] = field(
        default_factory=list[tuple[str, str, Mapping[str, str]]]
    )
    _running: Running = field(init=False)

    def __post_init__(self) -> None:
        hub = self

        class Handler(Quiet, BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 20.0

            def do_GET(self) -> None:
                hub.asked.append((self.command, self.path, dict(self.headers.items())))
                hub._answer(self)  # pyright: ignore[reportPrivateUsage]

        self._running = Running(Handler, "hub")

    def __enter__(self) -> Self:
        self._running.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running.end()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._running.port}"

    def put(self, content: bytes, repo: str = "o/m", path: str = "m.onnx", commit: str = COMMIT) -> str:
        """Keeps the file; returns its SHA-256."""
        self.files[repo, commit, path] = content
        return hashlib.sha256(content).hexdigest()

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        _, _, rest = request.path.partition("/")
        hops = 0
        if rest.startswith("cdn/"):
            _, number, rest = rest.split("/", 2)
            hops = int(number)
        owner, name, _resolve, commit, path = rest.split("/", 4)
        content = self.files.get((f"{owner}/{name}", commit, path))
        if self.status or content is None:
            request.send_response(self.status or 404)
            request.send_header("X-Error-Code", "EntryNotFound")
            request.send_header("Content-Length", "0")
            request.end_headers()
            return
        if hops < self.redirects:
            request.send_response(302)
            request.send_header("Location", f"/cdn/{hops + 1}/{rest}")
            request.send_header("X-Repo-Commit", self.commit or commit)
            request.send_header("X-Linked-ETag", f'"{hashlib.sha256(content).hexdigest()}"')
            request.send_header("X-Linked-Size", str(len(content)))
            request.send_header("Content-Length", "0")
            request.end_headers()
            return
        request.send_response(200)
        request.send_header("ETag", '"../../../escaped"')
        if self.redirects == 0:
            request.send_header("X-Repo-Commit", self.commit or commit)
        if self.announced == -2:
            request.send_header("Transfer-Encoding", "chunked")
            request.end_headers()
            for start in range(0, len(content), 65_536):
                piece = content[start : start + 65_536]
                request.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            request.wfile.write(b"0\r\n\r\n")
            return
        request.send_header("Content-Length", str(len(content) if self.announced < 0 else self.announced))
        request.end_headers()
        request.wfile.write(content if self.cut_after < 0 else content[: self.cut_after])
        if self.cut_after >= 0:
            request.close_connection = True
