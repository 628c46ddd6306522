"""The small HTTP server of a watcher's metrics: GET /metrics, bounded in connections and time."""

from __future__ import annotations

import ipaddress
import socket
import socketserver
import threading
from collections.abc import Callable, Iterable
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any, Final
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import structlog
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from pydantic import SecretStr

from tocsin.config_metrics import MetricsAddress, may_read
from tocsin.core.errors import ConfigError

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

log = structlog.get_logger()

MOST_AT_ONCE: Final = 8
"""Requests that are answered at one time; more are hung up on."""

WITHIN_S: Final = 5.0
"""A client that sends or takes nothing for so long is hung up on."""


class MetricsServer:
    """Listens from its making on, answers between `start` and `stop`."""

    def __init__(
        self, address: MetricsAddress, registry: CollectorRegistry, token: SecretStr | None = None
    ) -> None:
        """`token`: asked of everybody, if given. Raises ConfigError where we cannot listen, and for an
        address that other machines reach without a token."""
        if token is None and not address.loopback:
            raise ConfigError(
                f"other machines reach {address.host}, and nothing protects the metrics",
                where="[watcher] metrics",
                hint="set TOCSIN_METRICS_TOKEN, or listen on 127.0.0.1",
            )
        try:
            self._server = _server(address)
        except OSError as error:
            raise ConfigError(
                f"the metrics cannot be served there ({error.strerror or error})",
                where=f"[watcher] metrics, {address.host}:{address.port}",
                hint="is another watcher running? choose another port",
            ) from None
        self._server.set_app(_app(registry, token))
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._server.serve_forever, name="metrics")
        self._thread.start()

    def stop(self) -> None:
        """May be called twice, and without a start."""
        if self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._thread = None
        self._server.server_close()


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 16

    def __init__(self, address: tuple[str, int], family: socket.AddressFamily) -> None:
        self.address_family = family
        self._room = threading.BoundedSemaphore(MOST_AT_ONCE)
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        # The parent's asks the name service for our full name, and waits for it.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])
        self.setup_environ()

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._room.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._room.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away or said nothing is no news."""


class _Handler(WSGIRequestHandler):
    timeout = WITHIN_S

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the parent's name
        """One line per scrape would fill the log."""


def _server(address: MetricsAddress) -> _Server:
    family, _, _, _, where = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)[0]
    return _Server((str(where[0]), address.port), family)


def _app(
    registry: CollectorRegistry, token: SecretStr | None
) -> Callable[[WSGIEnvironment, StartResponse], Iterable[bytes]]:
    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        def refuse(status: str, why: str, *headers: tuple[str, str]) -> list[bytes]:
            start_response(status, [("Content-Type", "text/plain; charset=utf-8"), *headers])
            return [f"{why}\n".encode()]

        if token is not None and not may_read(str(environ.get("HTTP_AUTHORIZATION", "")), token):
            return refuse("401 Unauthorized", "send TOCSIN_METRICS_TOKEN", ("WWW-Authenticate", "Bearer"))
        if token is None and not _is_address(str(environ.get("HTTP_HOST", ""))):
            return refuse("403 Forbidden", "ask by address: http://127.0.0.1, or localhost")
        if environ.get("PATH_INFO") != "/metrics":
            return refuse("404 Not Found", "there is only /metrics")
        if environ.get("REQUEST_METHOD") != "GET":
            return refuse("405 Method Not Allowed", "only GET", ("Allow", "GET"))
        encode, content_type = choose_encoder(str(environ.get("HTTP_ACCEPT", "")))
        try:
            text = encode(registry)
        except Exception:
            log.exception("metrics-failed")
            return refuse("500 Internal Server Error", "see the watcher's log")
        start_response("200 OK", [("Content-Type", content_type)])
        return [text]

    return answer


def _is_address(host: str) -> bool:
    """A page from elsewhere can make a browser here ask us by a name of its own, not by our address."""
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return name in ("", "localhost")
    return True
