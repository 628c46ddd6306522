"""Many cameras for little CPU: `python -m benchmarks.rtsp_farm CLIP --cameras 40`, RTSP over TCP on loopback.

Each camera has a port of its own. The first line on stdout tells the ports; then one line of JSON for each
command on stdin: `figures`, or `fault NUMBER KIND` with a kind of `Fault`. It ends when stdin does. It is a
process of its own so that it can be pinned to a core, and its CPU told apart from what is measured.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
import sys
import time
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, Self

from benchmarks.children import Asked
from benchmarks.rtp import Footage

HOST: Final = "127.0.0.1"
SLOTS: Final = 8
"""So many times a picture's duration pictures are sent: cameras in between each other, as real ones are."""

BACKLOG_BYTES: Final = 2_000_000
"""A client that has not taken so much gets no more pictures until it has, and then the next key frame."""

FLOOD: Final = 100
"""A flooding camera sends so many times its rate, as far as the socket takes it."""


class Fault(StrEnum):
    """What is wrong with a camera."""

    NONE = "none"
    KILLED = "killed"
    """Connections are closed, and new ones refused."""
    STOPPED = "stopped"
    """As by SIGSTOP: connections stay, and new ones come about, but nothing is sent or answered."""
    BLACK_HOLE = "black-hole"
    """As by a pulled cable: nothing is sent, and new connections hang."""
    FLOODING = "flooding"


class Session(asyncio.Protocol):
    """One connection to one camera."""

    def __init__(self, camera: Camera) -> None:
        self.camera = camera
        self.playing = False
        self.transport: asyncio.Transport
        self._given = bytearray()
        self._waits = False
        self._index = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.camera.sessions.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.camera.sessions.discard(self)

    def data_received(self, data: bytes) -> None:
        self._given += data
        while (request := self._request()) is not None:
            method, headers = request
            more, body = self.camera.answer(method, headers)
            lines = ["RTSP/1.0 200 OK", f"CSeq: {headers.get('cseq', '0')}", *more]
            if body:
                lines += ["Content-Type: application/sdp", f"Content-Length: {len(body)}"]
            self.transport.write(("\r\n".join(lines) + "\r\n\r\n" + body).encode())
            self.playing = self.playing or method == "PLAY"
            if method == "TEARDOWN":
                self.transport.close()

    def send(self, index: int) -> None:
        """The picture with this index, unless the client is too far behind."""
        if not self.playing:
            return
        footage = self.camera.farm.footage
        behind = self.transport.get_write_buffer_size() > BACKLOG_BYTES
        self._waits = behind or (self._waits and not footage.keyframe(index))
        if self._waits:
            self.camera.farm.dropped += 1
            return
        burst = footage.burst(index)
        self.camera.farm.sent_bytes += len(burst)
        self.transport.write(burst)

    def flood(self, index: int, count: int) -> None:
        """As many pictures at once as may be: their stamps run on, a picture's duration for each."""
        self._index = max(self._index, index)
        for _ in range(count):
            if self.transport.get_write_buffer_size() > BACKLOG_BYTES // 8:
                return
            self.send(self._index)
            self._index += 1

    def _request(self) -> tuple[str, dict[str, str]] | None:
        """The next whole request; the client's RTCP packets in between are skipped."""
        while self._given.startswith(b"$") and len(self._given) >= 4:
            size = 4 + int.from_bytes(self._given[2:4], "big")
            if len(self._given) < size:
                return None
            del self._given[:size]
        end = self._given.find(b"\r\n\r\n")
        if end < 0 or self._given.startswith(b"$"):
            return None
        lines = self._given[:end].decode("latin-1").split("\r\n")
        del self._given[: end + 4]
        headers = {k.strip().lower(): v.strip() for k, _, v in (line.partition(":") for line in lines[1:])}
        return lines[0].split(" ")[0], headers


class Camera:
    """One port. `ahead` pictures before the farm's own count, in the slot of that number."""

    def __init__(self, farm: Server, ahead: int, slot: int) -> None:
        self.farm = farm
        self.ahead, self.slot = ahead, slot
        self.fault = Fault.NONE
        self.sessions: set[Session] = set()
        self.port = 0
        self._listener: socket.socket | None = None
        self._fillers: list[socket.socket] = []
        self.listen()

    @property
    def url(self) -> str:
        return f"rtsp://{HOST}:{self.port}/main"

    def listen(self) -> None:
        self._listener = listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, self.port))
        listener.listen(64)
        listener.setblocking(False)
        self.port = listener.getsockname()[1]
        self.farm.loop.add_reader(listener, self._accept)

    def send(self, index: int) -> None:
        match self.fault:
            case Fault.NONE:
                for session in tuple(self.sessions):
                    session.send(index + self.ahead)
            case Fault.FLOODING:
                for session in tuple(self.sessions):
                    session.flood(index + self.ahead, FLOOD)
            case _:
                return

    def become(self, fault: Fault) -> None:
        """From now on this is wrong with it; anything that was before is mended first."""
        self._mend()
        self.fault = fault
        if fault is Fault.KILLED:
            self._deaf(close=True)
            for session in tuple(self.sessions):
                session.transport.abort()
        elif fault in (Fault.STOPPED, Fault.BLACK_HOLE):
            self._deaf()
            for session in self.sessions:
                session.transport.pause_reading()
        if fault is Fault.BLACK_HOLE:
            self._fill()

    def answer(self, method: str, headers: dict[str, str]) -> tuple[list[str], str]:
        match method:
            case "OPTIONS":
                return ["Public: OPTIONS, DESCRIBE, SETUP, PLAY, GET_PARAMETER, TEARDOWN"], ""
            case "DESCRIBE":
                return [f"Content-Base: {self.url}/"], self.farm.footage.sdp("track0")
            case "SETUP":
                return [
                    "Transport: RTP/AVP/TCP;unicast;interleaved=0-1",
                    "Session: 42;timeout=60",
                ], ""
            case _:
                return ["Session: 42"], ""

    def _accept(self) -> None:
        if self._listener is None:
            return
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return
        connection.setblocking(False)
        self.farm.adopt(connection, self)

    def _deaf(self, *, close: bool = False) -> None:
        if self._listener is None:
            return
        self.farm.loop.remove_reader(self._listener)
        if close:
            self._listener.close()
            self._listener = None

    def _fill(self) -> None:
        """With its queue full the kernel answers no connection any more: it takes one beyond the backlog."""
        assert self._listener is not None
        self._listener.listen(0)
        for _ in range(3):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex((HOST, self.port))
            self._fillers.append(filler)

    def _mend(self) -> None:
        for filler in self._fillers:
            filler.close()
        self._fillers = []
        if self._listener is None:
            self.listen()
        else:
            self.farm.loop.remove_reader(self._listener)
            self._listener.listen(64)
            self.farm.loop.add_reader(self._listener, self._accept)
        for session in self.sessions:
            session.transport.resume_reading()
        self.fault = Fault.NONE


class Server:
    """All cameras, in one loop."""

    def __init__(self, footage: Footage, cameras: int, *, in_step: bool) -> None:
        self.loop = asyncio.get_running_loop()
        self.footage = footage
        self.sent_bytes = self.dropped = 0
        self.late_s = 0.0
        self._adopting: set[asyncio.Task[Any]] = set()
        gop = footage.gop()
        starts = [0.0 if in_step else number * gop / cameras for number in range(cameras)]
        self.cameras = [Camera(self, int(at), int(at % 1.0 * SLOTS)) for at in starts]

    def adopt(self, connection: socket.socket, camera: Camera) -> None:
        task = self.loop.create_task(self.loop.connect_accepted_socket(lambda: Session(camera), connection))
        self._adopting.add(task)
        task.add_done_callback(self._adopting.discard)

    async def run(self) -> None:
        """Sends for ever. What it is late with it sends at once, as a camera's own queue would."""
        step_s = 1.0 / (self.footage.frames_per_s * SLOTS)
        slots = [[camera for camera in self.cameras if camera.slot == slot] for slot in range(SLOTS)]
        begun_s, step = self.loop.time(), 0
        while True:
            wait_s = begun_s + step * step_s - self.loop.time()
            self.late_s = max(self.late_s, -wait_s)
            if wait_s > 0 or step % SLOTS == 0:
                await asyncio.sleep(max(0.0, wait_s))
            for camera in slots[step % SLOTS]:
                camera.send(step // SLOTS)
            step += 1

    def figures(self) -> dict[str, float]:
        """`late_s` is the longest of what was late since it was asked for last."""
        late_s, self.late_s = self.late_s, 0.0
        return {
            "cpu_s": round(time.process_time(), 4),
            "sessions": sum(len(camera.sessions) for camera in self.cameras),
            "sent_mb": round(self.sent_bytes / 1e6, 1),
            "dropped": self.dropped,
            "late_s": round(late_s, 4),
        }


class Farm(Asked):
    """The farm as a process, seen from the benchmark that started it. Use it as a context manager."""

    def __init__(self, clip: Path, cameras: int, *, in_step: bool = False) -> None:
        super().__init__(
            "benchmarks.rtsp_farm",
            [str(clip), "--cameras", str(cameras), *(["--in-step"] if in_step else [])],
        )
        self.urls: list[str] = []

    def __enter__(self) -> Self:
        super().__enter__()
        self.urls = [f"rtsp://{HOST}:{port}/main" for port in self.told()["ports"]]
        return self

    def figures(self) -> dict[str, float]:
        return self.ask("figures")

    def fault(self, camera: int, fault: Fault) -> None:
        self.ask(f"fault {camera} {fault}")


async def _serve(clip: Path, cameras: int, *, in_step: bool) -> None:
    server = Server(Footage(clip), cameras, in_step=in_step)
    print(json.dumps({"ports": [camera.port for camera in server.cameras]}), flush=True)
    sending = asyncio.create_task(server.run())
    commands = asyncio.StreamReader()
    await server.loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    while line := (await commands.readline()).decode().split():
        match line:
            case ["fault", number, kind]:
                server.cameras[int(number)].become(Fault(kind))
                print("{}", flush=True)
            case _:
                print(json.dumps(server.figures()), flush=True)
        if sending.done():
            break
    sending.cancel()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clip", type=Path, help="H.264 without B-frames, beginning with a key frame")
    parser.add_argument("--cameras", type=int, default=40)
    parser.add_argument("--in-step", action="store_true", help="key frames of all cameras at the same time")
    options = parser.parse_args(arguments)
    asyncio.run(_serve(options.clip, options.cameras, in_step=options.in_step))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
