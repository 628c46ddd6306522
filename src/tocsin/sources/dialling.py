"""TCP and TLS to cameras that speak HTTP, with every wait and every answer bounded.

httpx's time limits count from byte to byte: an answer that drips, one byte in two seconds, would never
run into them. And a name may lead anywhere. So connections are made here, under `httpcore`: the name is
resolved, its addresses are looked at, and what was looked at is what is connected to.
"""

from __future__ import annotations

import contextlib
import errno
import select
import socket
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from math import inf
from typing import Any

import httpcore

from tocsin.core.errors import (
    SourceError,
    SourceProtocolError,
    SourceRefusedError,
    SourceTimeoutError,
    SourceUnreachableError,
)
from tocsin.ports import Clock
from tocsin.sources.addresses import camera_addresses
from tocsin.sources.trust import tls_error


@dataclass(slots=True)
class Leash:
    """How long the answer that is being read may take, and how much it may be. Renewed for each."""

    where: str
    clock: Clock
    ends_s: float = inf
    bytes_left: int = 0
    given_s: float = 0.0

    def renew(self, seconds: float, most_bytes: int) -> None:
        self.ends_s = self.clock.monotonic_s() + seconds
        self.given_s = seconds
        self.bytes_left = most_bytes

    def left_s(self) -> float:
        """Seconds that are left. Raises SourceTimeoutError when there are none."""
        left_s = self.ends_s - self.clock.monotonic_s()
        if left_s <= 0:
            raise self.late()
        return left_s

    def spend(self, count: int) -> None:
        """Takes in that so many bytes came. Raises SourceProtocolError for more than may come."""
        self.bytes_left -= count
        if self.bytes_left < 0:
            raise SourceProtocolError(
                "its answer is larger than any picture",
                where=self.where,
                hint="check the path; choose a smaller picture on the camera",
            )

    def late(self) -> SourceTimeoutError:
        return SourceTimeoutError(
            f"no whole picture within {self.given_s:g} s",
            where=self.where,
            hint="check the camera's power and network; choose a smaller picture on it",
        )


def no_http(where: str) -> SourceProtocolError:
    """Something else than a web server at that port."""
    return SourceProtocolError(
        "what answers at that port does not speak HTTP",
        where=where,
        hint="check the port, and http or https",
    )


class Line(httpcore.NetworkStream):
    """One connection. Its reads end when the leash does, whatever time-out httpcore passes."""

    def __init__(self, connection: socket.socket, leash: Leash) -> None:
        self._socket = connection
        self._leash = leash
        self._within: Line | None = None
        self._asked = False

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Raises SourceTimeoutError and SourceProtocolError for the leash, httpcore.ReadError for a loss."""
        self._socket.settimeout(self._leash.left_s())
        try:
            read = self._socket.recv(max_bytes)
        except TimeoutError:
            raise self._leash.late() from None
        except (OSError, ValueError) as error:
            raise httpcore.ReadError(str(error)) from None
        self._leash.spend(len(read))
        if self._asked and read:
            # httpcore would wait for the end of a first line that is no HTTP, until the time is up.
            self._asked = False
            if not b"HTTP/".startswith(read[:5]):
                raise no_http(self._leash.where)
        return read

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._asked = True
        self._socket.settimeout(self._leash.left_s())
        try:
            self._socket.sendall(buffer)
        except TimeoutError:
            raise self._leash.late() from None
        except (OSError, ValueError) as error:
            raise httpcore.WriteError(str(error)) from None

    def close(self) -> None:
        self._socket.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        """Raises SourceTlsError and SourceTimeoutError."""
        failure: SourceError
        try:
            self._socket.settimeout(self._leash.left_s())  # for the handshake as a whole
            safe = ssl_context.wrap_socket(self._socket, server_hostname=server_hostname)
            self._within = Line(safe, self._leash)
            return self._within
        except TimeoutError:
            failure = self._leash.late()
        except OSError as error:
            failure = tls_error(error, self._leash.where)
        self.close()
        raise failure

    def get_extra_info(self, info: str) -> Any:
        if info == "socket":
            return self._socket
        if info == "ssl_object":
            return self._socket if isinstance(self._socket, ssl.SSLSocket) else None
        if info == "is_readable":  # httpcore's question before it uses a kept connection again
            return self._socket.fileno() < 0 or _readable(self._socket)
        return None

    def hang_up(self) -> None:
        """Wakes whoever reads from it in another thread; it is closed by its owner."""
        if self._within is not None:
            self._within.hang_up()
            return
        with contextlib.suppress(OSError):
            # Not SSLSocket's own, which takes the TLS state away from under the reader.
            socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


def _readable(connection: socket.socket) -> bool:
    poll = select.poll()  # select.select fails for file numbers from 1024 on
    poll.register(connection, select.POLLIN)
    return bool(poll.poll(0))


class Dialler(httpcore.NetworkBackend):
    """Makes the connections of one camera."""

    def __init__(self, leash: Leash) -> None:
        self._leash = leash
        self.made = 0
        """Connections made so far: the same as before a request, if that went over a kept one."""
        self._line: Line | None = None

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Raises SourceUnreachableError, SourceRefusedError, SourceTimeoutError and SourceProtocolError."""
        failure: SourceError | None = None
        addresses = camera_addresses(host, port, self._leash.where)
        for number, (family, address) in enumerate(addresses):
            within_s = self._leash.left_s() / (len(addresses) - number)
            try:
                self._line = Line(_connected(family, address, within_s), self._leash)
            except OSError as error:
                failure = self._described(error)
                continue
            self.made += 1
            return self._line
        assert failure is not None
        raise failure

    def hang_up(self) -> None:
        """Wakes a thread that waits for the camera's next bytes."""
        if self._line is not None:
            self._line.hang_up()

    def _described(self, error: OSError) -> SourceError:
        where = self._leash.where
        if isinstance(error, TimeoutError):
            return self._leash.late()
        if error.errno == errno.ECONNREFUSED:
            return SourceRefusedError(
                "the connection is refused: nothing listens at that port",
                where=where,
                hint="check the port, and that the camera's web service is switched on",
            )
        what = (error.strerror or "no connection").lower()
        return SourceUnreachableError(
            f"nobody answers: {what}", where=where, hint="check host, port, power and network"
        )


def _connected(family: int, address: tuple[Any, ...], within_s: float) -> socket.socket:
    connection = socket.socket(family, socket.SOCK_STREAM)
    try:
        connection.settimeout(within_s)
        connection.connect(address)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except BaseException:
        connection.close()
        raise
    return connection
