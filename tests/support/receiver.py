"""A web server on loopback that takes signed pages, and misbehaves on demand.

The signature is checked by code of its own, written after the Standard Webhooks specification
(1.0.0, "Signature scheme"), so that the sender cannot agree with itself on something else.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

SECRET_BYTES = bytes(range(32))
SECRET = "whsec_" + base64.b64encode(SECRET_BYTES).decode()


@dataclass(frozen=True, slots=True)
class Received:
    """One request as it came in; `headers` by their names in small letters."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def page_id(self) -> str:
        return self.headers.get("webhook-id", "")

    @property
    def page(self) -> dict[str, Any]:
        return json.loads(self.body)

    @property
    def verified(self) -> bool:
        """Whether one of its signatures is right for its id, timestamp and body."""
        timestamp = self.headers.get("webhook-timestamp", "")
        signed = f"{self.page_id}.{timestamp}.".encode() + self.body
        expected = base64.b64encode(hmac.new(SECRET_BYTES, signed, hashlib.sha256).digest()).decode()
        given = self.headers.get("webhook-signature", "").split()
        return timestamp.isdigit() and any(hmac.compare_digest(one, f"v1,{expected}") for one in given)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server says. `instead` takes over the connection: it is handed a function that sends
    bytes and answers whether the other side still takes them."""

    status: int = 204
    headers: dict[str, str] = field(default_factory=dict[str, str])
    body: bytes = b""
    instead: Callable[[Callable[[bytes], bool]], object] | None = None


class _Server(ThreadingHTTPServer):
    # Joined at the end, so that no thread of one test is left to the next.
    daemon_threads = False
    request_queue_size = 128


class Receiver:
    """Use it as a context manager. `answer` may be replaced at any time."""

    def __init__(
        self, answer: Callable[[Received], Answer] | None = None, *, tls: ssl.SSLContext | None = None
    ) -> None:
        self.answer: Callable[[Received], Answer] = answer or (lambda _: Answer())
        self.ending = threading.Event()
        """Set when the server ends: what waits inside an answer waits on this."""
        self.cut_off = 0
        """Requests whose body broke off."""
        self._received: list[Received] = []
        self._lock = threading.Lock()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 30.0

            def do_POST(self) -> None:
                length = int(self.headers.get("content-length", "0"))
                body = self.rfile.read(length)
                if len(body) < length:
                    # Its sender was killed between two packets: no request, and nothing to judge.
                    self.close_connection = True
                    receiver.cut_off += 1
                    return
                got = Received(self.path, {k.lower(): v for k, v in self.headers.items()}, body)
                # First what it says, then what is kept: whoever reads `received` may count on both.
                answer = receiver.answer(got)
                with receiver._lock:  # pyright: ignore[reportPrivateUsage]
                    receiver._received.append(got)  # pyright: ignore[reportPrivateUsage]
                if answer.instead is not None:
                    self.close_connection = True
                    answer.instead(self._sent)
                    return
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                if answer.status != 204:
                    self.send_header("content-length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)

            do_GET = do_POST  # noqa: N815 - its name there

            def _sent(self, data: bytes) -> bool:
                try:
                    self.wfile.write(data)
                    self.wfile.flush()
                except OSError:
                    return False
                return not receiver.ending.is_set()

            def handle(self) -> None:
                try:
                    super().handle()
                except OSError:
                    self.close_connection = True  # a sender that was killed is part of the tests

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name there
                pass

        self._server = _Server(("127.0.0.1", 0), Handler)
        self._scheme = "http"
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
            self._scheme = "https"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, name="receiver"
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.ending.set()
        self._server.shutdown()
        self._thread.join()
        # Threads of connections end with the connection; senders close theirs before this.
        self._server.server_close()

    @property
    def port(self) -> int:
        return self._server.server_address[1]

    def url(self, path: str = "/") -> str:
        return f"{self._scheme}://127.0.0.1:{self.port}{path}"

    @property
    def received(self) -> list[Received]:
        with self._lock:
            return list(self._received)

    def ids(self) -> list[str]:
        """The page ids in the order in which they came, repeats included."""
        return [one.page_id for one in self.received]
