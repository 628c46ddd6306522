"""Cameras that speak HTTP: single JPEG pictures, asked for again and again, or a stream of them (MJPEG)."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Generator, Iterator
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

from tocsin.core.errors import SourceCodecError, SourceError, SourceProtocolError, SourceTimeoutError
from tocsin.core.observation import CameraId, FrameInfo
from tocsin.ports import PATROL, Clock, Frame, Gaze, Picture, Rates
from tocsin.sources.arrival import taken_at
from tocsin.sources.asking import Answer, Asking, broken_off, http_url
from tocsin.sources.decoding import Runs
from tocsin.sources.jpeg import MAX_JPEG_BYTES, picture_of
from tocsin.sources.lens import EARLY_FRAME, Looks
from tocsin.sources.multipart import MAX_HEAD_BYTES, MAX_PREAMBLE_BYTES, Parts
from tocsin.sources.slot import Slot
from tocsin.sources.trust import Trust
from tocsin.sources.urls import without_secrets

MOST_BAD: Final = 3
"""So many pictures in a row that cannot be decoded are a failure; fewer, and the next one is looked at.
Cheap cameras cut off a picture now and then, when they are asked for too many."""

TICK_S: Final = 0.1
"""The longest sleep: so soon a stare begins that was granted between two patrol looks."""

PART_EXTRA: Final = MAX_HEAD_BYTES + MAX_PREAMBLE_BYTES


class Stream(StrEnum):
    """How a camera gives its pictures over HTTP; AUTO: as its answer says."""

    AUTO = "auto"
    SNAPSHOT = "snapshot"
    MJPEG = "mjpeg"


class HttpSource:
    """One camera as a Source; `frames` asks it anew at each call, also after an error.

    Snapshots are asked for one at a time over a kept connection, at the patrol's or the stare's rate as
    far as the camera keeps up. An MJPEG stream is always read, by a thread of its own, and the newest
    picture wins; only what is looked at is decoded. `clock_s` and `at` are those of the arrival, `index`
    counts the pictures that came. A picture that is the same as the last one, byte for byte, is handed out
    all the same: whether it is frozen is the detectors' to say.
    """

    def __init__(
        self,
        camera: CameraId,
        url: str,
        *,
        clock: Clock,
        stream: Stream = Stream.AUTO,
        username: str | None = None,
        password: str | None = None,
        trust: Trust | None = None,
        open_timeout_s: float = 5.0,
        read_timeout_s: float = 5.0,
        rates: Rates | None = None,
        gaze: Gaze = PATROL,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`read_timeout_s`: the longest time to a stream's next whole picture.

        Raises ConfigError for a URL that is not http:// or https://, has credentials in it, or names an
        address that no camera may have.
        """
        self._where = f"camera {camera} at {without_secrets(url)}"
        self._url = http_url(url, self._where)
        self._camera = camera
        self._clock = clock
        self._stream = stream
        self._credentials = (username or "", password or "") if username or password else None
        self._trust = trust or Trust()
        if urlsplit(url).scheme == "https" or self._trust.ca_file is not None:
            self._trust.context(self._where)
        self._open_timeout_s = open_timeout_s
        self._read_timeout_s = read_timeout_s
        self._rates = rates or Rates()
        self._gaze = gaze
        self._sleep = sleep
        self._runs = Runs()

    def __repr__(self) -> str:
        return f"HttpSource({self._where})"

    def frames(self) -> Iterator[Frame]:
        """Frames until the camera fails: it never ends without an error.

        Raises SourceUnreachableError, SourceRefusedError (nothing listens, or a status of failure),
        SourceTlsError, SourceAuthError (401, 403), SourceNotFoundError (404), SourceTimeoutError (no whole
        answer in time, or broken off), SourceProtocolError (no picture: a page, nothing, another address,
        no end) and SourceCodecError (no picture that we can decode).
        """
        return self._runs.start(self._play)

    def encoded(self) -> Generator[tuple[Stream, bytes, float]]:
        """Its JPEGs undecoded, each with how it comes and when, for whoever measures.

        Snapshots are asked for at the patrol's rate; of a stream every picture is told. Raises what `frames`
        does.
        """
        asking = Asking(self._url, self._where, self._clock, self._trust, self._credentials)
        try:
            answer = asking.ask(self._open_timeout_s, MAX_JPEG_BYTES)
            kind = self._kind(answer)
            if kind is Stream.MJPEG:
                parts = Parts(answer.boundary, MAX_JPEG_BYTES, self._where)
                asking.leash.renew(self._read_timeout_s, MAX_JPEG_BYTES + PART_EXTRA)
                for chunk in answer.chunks():
                    whole = parts.feed(chunk)
                    if whole:
                        asking.leash.renew(self._read_timeout_s, MAX_JPEG_BYTES + PART_EXTRA)
                    for one in whole:
                        yield kind, one, self._clock.monotonic_s()
                raise broken_off(self._where)
            due_s = self._clock.monotonic_s()
            while True:
                yield kind, self._body(answer), self._clock.monotonic_s()
                due_s = self._wait(due_s, lambda: True)
                answer = asking.ask(self._open_timeout_s, MAX_JPEG_BYTES)
                self._kind(answer, among=(Stream.SNAPSHOT,))
        finally:
            asking.hang_up()
            asking.close()

    def close(self) -> None:
        self._runs.close()

    def _play(self, wanted: Callable[[], bool]) -> Generator[Frame]:
        asking = Asking(self._url, self._where, self._clock, self._trust, self._credentials)
        try:
            answer = asking.ask(self._open_timeout_s, MAX_JPEG_BYTES)
            kind = self._kind(answer)
            if kind is Stream.MJPEG:
                yield from self._streamed(asking, answer, wanted)
            else:
                yield from self._polled(asking, answer, wanted)
        finally:
            asking.close()

    def _polled(self, asking: Asking, answer: Answer, wanted: Callable[[], bool]) -> Generator[Frame]:
        pictures = _Pictures(self._where)
        due_s = self._clock.monotonic_s()
        index = skipped = 0
        while wanted():
            data = self._body(answer)
            picture = pictures.of(data)
            if picture is not None:
                height_px, width_px = picture.shape[:2]
                at_s = answer.arrived_s
                info = FrameInfo(
                    self._camera, taken_at(self._clock, at_s), at_s, index, width_px, height_px, True, skipped
                )
                begun_s = self._clock.monotonic_s()
                yield Frame(info, picture)
                skipped = self._left_out(begun_s)
            index += 1
            due_s = self._wait(due_s, wanted)
            if not wanted():
                return
            answer = asking.ask(self._open_timeout_s, MAX_JPEG_BYTES)
            self._kind(answer, among=(Stream.SNAPSHOT,))

    def _body(self, answer: Answer) -> bytes:
        body = bytearray()
        try:
            for chunk in answer.chunks():
                body += chunk
        finally:
            answer.close()
        if not body:
            raise SourceProtocolError(
                "its answer is empty", where=self._where, hint="check the path; restart the camera"
            )
        return bytes(body)

    def _left_out(self, begun_s: float) -> int:
        """The looks of a stare that fell due while the detectors worked, but for the one that comes now."""
        if not self._gaze.staring:
            return 0
        worked_s = self._clock.monotonic_s() - begun_s
        return max(0, int(worked_s * self._rates.stare_looks_per_s + EARLY_FRAME) - 1)

    def _wait(self, due_s: float, wanted: Callable[[], bool]) -> float:
        """Sleeps until the next look is due, in short pieces; returns when that was."""
        while wanted():
            rate = self._rates.stare_looks_per_s if self._gaze.staring else self._rates.patrol_looks_per_s
            now_s = self._clock.monotonic_s()
            left_s = due_s + 1.0 / rate - now_s
            if left_s <= 0:
                # A camera or a machine that does not keep up: no look is made up for.
                return max(due_s + 1.0 / rate, now_s - 1.0 / rate)
            self._sleep(min(left_s, TICK_S))
        return due_s

    def _streamed(self, asking: Asking, answer: Answer, wanted: Callable[[], bool]) -> Generator[Frame]:
        slot, parts = Slot(), Parts(answer.boundary, MAX_JPEG_BYTES, self._where)
        stop = threading.Event()
        reader = threading.Thread(
            target=self._read, args=(asking, answer, parts, slot, stop), name=f"camera-{self._camera}"
        )
        reader.start()
        try:
            yield from self._newest(slot, wanted)
        finally:
            stop.set()
            asking.hang_up()
            reader.join()  # bounded: its every wait ends with the leash, and this one now
            answer.close()

    def _newest(self, slot: Slot, wanted: Callable[[], bool]) -> Generator[Frame]:
        pictures, looks, last_s = _Pictures(self._where), Looks(), None
        silent_s = self._clock.monotonic_s()
        while wanted():
            arrived = slot.take(TICK_S)
            if arrived is None:
                if self._clock.monotonic_s() - silent_s > 2.0 * self._read_timeout_s:
                    raise self._silent()  # the reader should have said so
                continue
            silent_s = arrived.at_s
            staring = self._gaze.staring
            rate = self._rates.stare_looks_per_s if staring else self._rates.patrol_looks_per_s
            if not looks.due(arrived.at_s, rate):
                continue
            picture = pictures.of(arrived.encoded)
            if picture is None:
                continue
            skipped = 0
            if staring and last_s is not None:
                due = int((arrived.at_s - last_s) * rate + EARLY_FRAME)
                skipped = max(0, min(arrived.missed, due - 1))
            last_s = arrived.at_s if staring else None
            height_px, width_px = picture.shape[:2]
            at_s = arrived.at_s
            info = FrameInfo(
                self._camera,
                taken_at(self._clock, at_s),
                at_s,
                arrived.index,
                width_px,
                height_px,
                True,
                skipped,
            )
            yield Frame(info, picture)
            silent_s = self._clock.monotonic_s()

    def _read(self, asking: Asking, answer: Answer, parts: Parts, slot: Slot, stop: threading.Event) -> None:
        """The reader's thread: the stream's pictures into the slot, until it fails or is told to stop."""
        failure: SourceError = broken_off(self._where)
        try:
            asking.leash.renew(self._read_timeout_s, MAX_JPEG_BYTES + PART_EXTRA)
            for chunk in answer.chunks():
                if stop.is_set():
                    return
                whole = parts.feed(chunk)
                if whole:
                    asking.leash.renew(self._read_timeout_s, MAX_JPEG_BYTES + PART_EXTRA)
                    slot.put(whole[-1], self._clock.monotonic_s(), len(whole))
        except SourceError as error:
            failure = error
        except Exception as error:  # noqa: BLE001 - the thread's boundary: told to the one who reads
            failure = SourceError(f"{type(error).__name__} while reading its stream", where=self._where)
        slot.fail(failure)

    def _kind(self, answer: Answer, among: tuple[Stream, ...] = ()) -> Stream:
        """What the answer is. Raises SourceProtocolError, having closed it, for what is not asked for."""
        wanted = among or ((self._stream,) if self._stream is not Stream.AUTO else tuple(Stream))
        kind = answer.content_type
        if kind.startswith("multipart/"):
            found, what = Stream.MJPEG, "a stream of pictures"
        elif kind in _PICTURES:
            found, what = Stream.SNAPSHOT, "single pictures"
        else:
            found, what = None, _named(kind)
        if found is not None and found in wanted:
            return found
        answer.close()
        hint = "check the path: some cameras send a page to sign in on instead of an error"
        if found is not None:
            hint = f'set stream = "{found}" for this camera, or change the path'
        raise SourceProtocolError(f"it sends {what}", where=self._where, hint=hint)

    def _silent(self) -> SourceTimeoutError:
        return SourceTimeoutError(
            f"no whole picture for {self._read_timeout_s:g} s",
            where=self._where,
            hint="check the camera's power and network; restart it or its encoder",
        )


class _Pictures:
    """One run's pictures, decoded; a few in a row may be bad, but not the first."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._bad = MOST_BAD - 1

    def of(self, encoded: bytes) -> Picture | None:
        """None for a bad one that is passed over. Raises SourceCodecError."""
        try:
            picture = picture_of(encoded, self._where)
        except SourceCodecError:
            self._bad += 1
            if self._bad >= MOST_BAD:
                raise
            return None
        self._bad = 0
        return picture


_PICTURES: Final = frozenset(
    {"image/jpeg", "image/jpg", "image/pjpeg", "application/octet-stream", "binary/octet-stream", ""}
)
"""How cameras name a JPEG. What it really is its first bytes tell."""

_KIND: Final = re.compile(r"[a-z0-9.+-]{1,40}/[a-z0-9.+-]{1,40}")


def _named(kind: str) -> str:
    if kind in ("text/html", "application/xhtml+xml"):
        return "a web page instead of a picture"
    return f"{kind} instead of a picture" if _KIND.fullmatch(kind) else "no picture"
