"""A small HTTP camera on loopback: snapshots and MJPEG, with or without TLS, that misbehaves on demand.

It writes its answers byte by byte as it likes, which no library for servers would do. For tests only.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import itertools
import re
import ssl
from collections.abc import Awaitable, Callable, Sequence
from typing import cast

import cv2
import numpy as np
from tests.support.listening import Listening

NONCE = "dcd98b7102dd2f0e8b11d0f600bfb0c093"
PAGE = b"<!doctype html><title>Sign in</title><p>Please sign in.</p>"
Misbehaving = Callable[["HttpCamera", asyncio.StreamWriter], Awaitable[None]]


def a_jpeg(number: int = 0, width: int = 320, height: int = 240) -> bytes:
    """A picture of a bright square on grey ground, elsewhere for every number."""
    picture = np.random.default_rng(3).integers(90, 130, (height, width, 3), dtype=np.uint8)
    x, y = (4 * number) % (width - 40), (2 * number) % (height - 40)
    picture[y : y + 40, x : x + 40] = (40, 200, 250)
    done, encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 90])
    assert done
    return encoded.tobytes()


def lying(jpeg: bytes, width: int, height: int) -> bytes:
    """The same JPEG, with another size in its frame header."""
    at = jpeg.index(b"\xff\xc0")
    return jpeg[: at + 5] + height.to_bytes(2) + width.to_bytes(2) + jpeg[at + 9 :]


class HttpCamera(Listening):
    """Use it as a context manager. The switches below may be set at any time, from any thread."""

    def __init__(
        self,
        pictures: Sequence[bytes],
        *,
        stream: bool = False,
        username: str = "",
        password: str = "",
        digest: bool = True,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__("http-camera", tls)
        self.pictures = list(pictures)
        self.status = 200
        self.headers: list[str] = []
        """More headers of every answer."""
        self.content_type = "multipart/x-mixed-replace; boundary=shot" if stream else "image/jpeg"
        self.per_s = 25.0
        """Pictures of the stream a second."""
        self.lengths = True
        """Each part says how long it is."""
        self.stalled = False
        """Keeps the connections and sends no more."""
        self.keeps = True
        """Keeps a connection after an answer."""
        self.hangs_up = False
        """Says that it keeps the connection, and closes it."""
        self.answers: Misbehaving | None = None
        """Writes the whole answer in place of everything else."""
        self.challenge = ""
        """How it asks for a password, in place of a good challenge."""
        self.requests: list[str] = []
        """The head of every request."""
        self.connections = 0
        self.sent = 0
        """Pictures sent."""
        self._stream = stream
        self._username, self._password, self._digest = username, password, digest

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}/shot.jpg"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        self.connections += 1
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                self.requests.append(head)
                await self._answer(writer, head)
                await writer.drain()
                if not self.keeps or self.hangs_up:
                    return
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            return  # also when it is ended, which asyncio would log as a failure
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _answer(self, writer: asyncio.StreamWriter, head: str) -> None:
        if self.answers is not None:
            await self.answers(self, writer)
        elif self._username and not self._allowed(head):
            asks = f'Digest realm="test", nonce="{NONCE}", qop="auth"' if self._digest else 'Basic realm="t"'
            self.write(writer, 401, [f"WWW-Authenticate: {self.challenge or asks}"], "text/html", PAGE)
        elif self._stream and self.status == 200:
            await self._play(writer)
        else:
            body = self.pictures[self.sent % len(self.pictures)] if self.pictures else b""
            while self.stalled:
                await asyncio.sleep(0.02)
            self.write(writer, self.status, [], self.content_type, body)
            self.sent += 1

    def write(
        self, writer: asyncio.StreamWriter, status: int, more: list[str], kind: str, body: bytes
    ) -> None:
        """One whole answer."""
        lines = [f"HTTP/1.1 {status} X", *self.headers, *more]
        lines += [f"Content-Type: {kind}"] if kind else []
        lines += [f"Content-Length: {len(body)}", f"Connection: {'keep-alive' if self.keeps else 'close'}"]
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    async def _play(self, writer: asyncio.StreamWriter) -> None:
        lines = ["HTTP/1.1 200 OK", *self.headers, f"Content-Type: {self.content_type}"]
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n")
        for number in itertools.count():
            while self.stalled:
                await asyncio.sleep(0.02)
            picture = self.pictures[number % len(self.pictures)]
            length = f"Content-Length: {len(picture)}\r\n" if self.lengths else ""
            writer.write(f"--shot\r\nContent-Type: image/jpeg\r\n{length}\r\n".encode() + picture + b"\r\n")
            await writer.drain()
            self.sent += 1
            await asyncio.sleep(1.0 / self.per_s)

    def _allowed(self, head: str) -> bool:
        given = "".join(re.findall(r"(?im)^authorization: (.*?)\r?$", head))
        if not self._digest:
            secret = base64.b64encode(f"{self._username}:{self._password}".encode()).decode()
            return given == f"Basic {secret}"

        def md5(text: str) -> str:
            return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()

        parts = dict(cast("list[tuple[str, str]]", re.findall(r'(\w+)="?([^",]*)', given)))
        target = head.split(" ", 2)[1]
        secret = md5(f"{self._username}:test:{self._password}")
        rest = ":".join([NONCE, parts.get("nc", ""), parts.get("cnonce", ""), "auth", md5(f"GET:{target}")])
        return parts.get("uri") == target and parts.get("response") == md5(f"{secret}:{rest}")


def raw(answer: bytes, *, then_s: float = 30.0) -> Misbehaving:
    """Writes these bytes, and holds the connection open."""

    async def misbehave(_camera: HttpCamera, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()
        await asyncio.sleep(then_s)

    return misbehave


def endless(head: bytes, again: bytes) -> Misbehaving:
    """After the head the same bytes for ever, as fast as they are taken."""

    async def misbehave(_camera: HttpCamera, writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        while True:
            writer.write(again)
            await writer.drain()

    return misbehave


def dripping(answer: bytes, every_s: float = 0.1) -> Misbehaving:
    """The answer byte by byte."""

    async def misbehave(_camera: HttpCamera, writer: asyncio.StreamWriter) -> None:
        for at in range(len(answer)):
            writer.write(answer[at : at + 1])
            await writer.drain()
            await asyncio.sleep(every_s)

    return misbehave


def redirecting(*locations: str) -> Misbehaving:
    """Redirects to each of these in turn, the last one again and again; `{port}` is its own."""
    left = list(locations)

    async def misbehave(camera: HttpCamera, writer: asyncio.StreamWriter) -> None:
        location = left.pop(0) if len(left) > 1 else left[0]
        if not location:
            camera.answers = None
            camera.write(writer, 200, [], camera.content_type, camera.pictures[0])
            return
        to = location.format(port=camera.port)
        writer.write(f"HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n".encode())

    return misbehave
