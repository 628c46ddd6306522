"""Two ends of HTTP that cost little beside what is measured: a sender, and a sink in a process of its own.

    python -m benchmarks.http_ends        the sink: prints its port; `take` answers with all that came since

Both keep their connections open and speak just as much HTTP/1.1 as the other end needs. Times are of the
machine's monotonic clock, which all its processes share.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from collections.abc import Mapping
from typing import Any

_LENGTH = re.compile(rb"^content-length: *(\d+)\r$", re.IGNORECASE | re.MULTILINE)


class Sender:
    """A few connections to one server; whoever posts waits for a free one."""

    def __init__(self, host: str, port: int, headers: Mapping[str, str], connections: int = 16) -> None:
        self._address = (host, port)
        lines = [f"host: {host}:{port}", *(f"{name}: {value}" for name, value in headers.items())]
        self._headers = "\r\n".join(lines).encode()
        self._free: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter] | None] = asyncio.Queue()
        for _ in range(connections):
            self._free.put_nowait(None)

    async def ask(self, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
        """Status and body. Raises OSError or asyncio.IncompleteReadError when the server is gone."""
        connection = await self._free.get()
        try:
            if connection is None:
                connection = await asyncio.open_connection(*self._address)
            reader, writer = connection
            head = f"{method} {path} HTTP/1.1\r\ncontent-length: {len(body)}\r\n".encode()
            writer.write(head + self._headers + b"\r\n\r\n" + body)
            answer = await reader.readuntil(b"\r\n\r\n")
            length = _LENGTH.search(answer)
            content = await reader.readexactly(int(length[1])) if length else b""
            return int(answer[9:12]), content
        except BaseException:
            if connection is not None:
                connection[1].close()
            connection = None
            raise
        finally:
            self._free.put_nowait(connection)

    async def close(self) -> None:
        while not self._free.empty():
            connection = self._free.get_nowait()
            if connection is not None:
                connection[1].close()


async def _sink() -> None:
    came: list[tuple[float, str]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = _LENGTH.search(head)
                body = await reader.readexactly(int(length[1])) if length else b""
                came.append((time.monotonic(), body.decode()))
                writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        except (asyncio.IncompleteReadError, OSError):
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=1024)
    _say({"port": server.sockets[0].getsockname()[1]})
    loop = asyncio.get_running_loop()
    while line := (await loop.run_in_executor(None, sys.stdin.readline)).strip():
        assert line == "take"
        taken, came[:] = list(came), []
        _say({"came": taken})


def _say(told: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(_sink())
