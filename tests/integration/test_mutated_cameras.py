"""Good conversations with cameras, changed at random: only frames or our errors come of it, and in time.

Seeded, so that a failure comes again. What only looks like a camera crashes decoders more than noise does.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.support.http_camera import HttpCamera, a_jpeg
from tests.support.onvif import OnvifDevice, SimulatedProfile
from tests.support.rtsp import RtspServer, draw_clip

from tocsin.clocks import SystemClock
from tocsin.core.errors import ForeignHostError, SourceError
from tocsin.core.observation import CameraId
from tocsin.ports import STARE, Rates, Source
from tocsin.sources.http import HttpSource
from tocsin.sources.onvif import describe
from tocsin.sources.rtsp import RtspSource

RTSP_RUNS = 240
HTTP_RUNS = 200
ONVIF_RUNS = 30
WATCHED_S = 0.8
LONGEST_S = 12.0
"""Twice the opening, the silence or all of ONVIF's calls, on a machine that runs several of them at once."""


class Mutation:
    """Changes some of the pieces that it is given: bytes set, cut out, put in, doubled, or cut off."""

    def __init__(self, seed: int, share: float) -> None:
        self._rng = random.Random(seed)
        self._share = share

    def __call__(self, piece: bytes) -> bytes:
        rng = self._rng
        if not piece or rng.random() > self._share:
            return piece
        out = bytearray(piece)
        for _ in range(rng.choice([1, 1, 2, 8])):
            at, length = rng.randrange(len(out) + 1), rng.choice([1, 1, 2, 4, 60, 900])
            match rng.randrange(6):
                case 0:
                    out[at : at + length] = rng.randbytes(length)
                case 1:
                    del out[at : at + length]
                case 2:
                    out[at:at] = rng.randbytes(length)
                case 3:
                    out[at:at] = out[at : at + length]
                case 4:
                    out[at : at + 1] = rng.choice(
                        [b"\0", b"\xff", b"$", b"\r\n", b"-1", b"99999999999", b":"]
                    )
                case _:
                    if rng.random() < 0.2:
                        del out[at:]
        return bytes(out)


def outcome(source: Source) -> tuple[str, float]:
    """What came of a camera that is watched for a while, frames, the code of its error, or both; and when."""
    began_s = time.monotonic()
    found = "nothing"
    try:
        for frame in source.frames():
            assert frame.picture.shape == (frame.info.height_px, frame.info.width_px, 3)
            assert max(frame.picture.shape[:2]) <= 640
            found = "frames"
            if time.monotonic() - began_s > WATCHED_S:
                break
    except SourceError as error:
        ended = error.code if error.hint else "without a hint"
        found = ended if found == "nothing" else f"frames, {ended}"
    finally:
        source.close()
    return found, time.monotonic() - began_s


def told(runs: int, run: Callable[[int], tuple[str, float]], at_once: int = 8) -> Counter[str]:
    """How often each outcome came, of so many seeds."""
    with ThreadPoolExecutor(at_once) as pool:
        found = list(pool.map(run, range(runs)))
    assert max(took_s for _, took_s in found) < LONGEST_S
    outcomes = Counter(what for what, _ in found)
    assert not outcomes.keys() & {"nothing", "without a hint", "frames, without a hint"}
    return outcomes


def seen(outcomes: Counter[str]) -> int:
    return sum(count for outcome, count in outcomes.items() if outcome.startswith("frames"))


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_rtsp(codec: str, tmp_path: Path) -> None:
    path = tmp_path / "yard.mp4"
    if codec == "libx265":
        x265 = {"x265-params": "repeat-headers=1:bframes=0:log-level=none:pools=1"}
        clip = draw_clip(
            path, seconds=0.4, fps=25, width=160, height=120, gop=5, codec=codec, ground=None, **x265
        )
    else:
        clip = draw_clip(path, seconds=0.4, width=160, height=120, gop=5)

    def run(seed: int) -> tuple[str, float]:
        with RtspServer(clip) as server:
            server.speed = 4.0
            server.mangle = Mutation(seed, 0.03)
            source = RtspSource(
                CameraId("yard"),
                server.url,
                clock=SystemClock(),
                open_timeout_s=1.0,
                read_timeout_s=0.7,
                rates=Rates(1.0, 50.0),
                gaze=STARE,
            )
            return outcome(source)

    found = told(RTSP_RUNS // 2, run)
    assert seen(found) > 0.1 * found.total(), found
    assert found["frames"] < 0.9 * found.total(), found


@pytest.mark.parametrize("stream", [False, True], ids=["snapshots", "stream"])
def test_http(stream: bool) -> None:
    pictures = [a_jpeg(number, 160, 120) for number in range(3)]

    def run(seed: int) -> tuple[str, float]:
        change = Mutation(seed, 0.3)

        async def mutated(camera: HttpCamera, writer: asyncio.StreamWriter) -> None:
            if not stream:
                body = change(pictures[0])
                head = b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nTransfer-Encoding: chunked\r\n\r\n"
                writer.write(change(head) + change(b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)))
                return
            kind = b"multipart/x-mixed-replace; boundary=shot"
            writer.write(change(b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\n\r\n" % kind))
            for number in range(40):
                picture = pictures[number % 3]
                part = b"--shot\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(picture)
                writer.write(change(part + picture + b"\r\n"))
                await writer.drain()
                await asyncio.sleep(0.02)

        with HttpCamera(pictures, stream=stream) as camera:
            camera.answers = mutated
            source = HttpSource(
                CameraId("yard"),
                camera.url,
                clock=SystemClock(),
                rates=Rates(1.0, 10.0),
                gaze=STARE,
                open_timeout_s=1.0,
                read_timeout_s=0.7,
            )
            return outcome(source)

    found = told(HTTP_RUNS // 2, run)
    assert seen(found) > 0.1 * found.total(), found
    assert found["frames"] < 0.9 * found.total(), found


def test_onvif() -> None:
    def run(seed: int) -> tuple[str, float]:
        change = Mutation(seed, 0.4)
        with OnvifDevice([SimulatedProfile("main", stream="rtsp://127.0.0.1/main")]) as device:

            def raw(operation: str) -> tuple[int, dict[str, str], bytes]:
                status, headers, body = device.usual(operation, "ProfileToken>main<")
                return status, headers, change(body)

            device.raw = raw
            began_s = time.monotonic()
            try:
                described = asyncio.run(describe(device.address, clock=SystemClock(), call_timeout_s=2.0))
            except (SourceError, ForeignHostError) as error:
                found = error.code
            else:
                found = "frames"
                for profile in described.profiles:
                    assert profile.stream in ("", "rtsp://127.0.0.1/main") or "127.0.0.1" in profile.stream
                    assert all(text.isprintable() for text in (profile.name, profile.token, profile.codec))
            return found, time.monotonic() - began_s

    found = told(ONVIF_RUNS, run, 2)
    assert 0.1 * found.total() < found["frames"] < 0.9 * found.total(), found
