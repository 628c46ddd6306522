"""From packets to the frames that are looked at, decoding no more than that takes.

On patrol only key packets are decoded, each for itself; the rest is kept, encoded, until the next one.
A stare decodes everything, and begins with what was kept: so it starts at the last key packet, which
is where decoding must start. Begun anywhere else, 31 frames came out broken and unflagged; begun
there, every frame is the same, bit for bit, as in a decode from the beginning (H.264 and H.265 with and
without B-frames and open GOPs, MPEG-4, VP9: tests/unit/sources/test_lens.py).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from tocsin.core.sampling import longest_gap_s
from tocsin.ports import Gaze, Rates
from tocsin.sources.decoders import Decoders

KEPT_BYTES: Final = 4_000_000
"""Encoded packets that are kept; beyond it a stare waits for the next key packet. 4 MB is 4 s at 8 Mbit/s."""

KEPT_GAPS: Final = 1.5
"""How long they are kept, in longest gaps; decoding them is what delays a stare's first looks."""

MISTRUST: Final = 4
MOST_MISTRUST: Final = 1024
"""A key packet that gives no whole picture by itself: everything is decoded for so many of them, and four
times as many with each further one. It may be damage; but streams that refresh line by line mark as key
packets what is none (x264's intra-refresh)."""

EARLY_FRAME: Final = 0.02
EARLY_KEY: Final = 0.25
"""How early a look may be, in intervals: a frame by a rounding error; a key packet by more, as the next
may be far: with one every 0.95 s and a look due every second, each second one would be left out."""


class Looks:
    """Picks about so many frames a second, evenly, whatever the camera's own rate is."""

    def __init__(self) -> None:
        self._last_s: float | None = None
        self._planned_s = 0.0
        self._rate = 0.0

    def due(self, at_s: float, looks_per_s: float, *, key: bool = False) -> bool:
        """Whether the frame at this time is one to look at. One that is not later than the last is not.

        `key`: there are only key packets to choose from.
        """
        interval_s = 1.0 / looks_per_s
        if self._last_s is None:
            self._last_s = self._planned_s = at_s
            self._rate = looks_per_s
            return True
        if looks_per_s != self._rate or key:
            self._rate, self._planned_s = looks_per_s, self._last_s
        early = EARLY_KEY if key else EARLY_FRAME
        if at_s <= self._last_s or at_s < self._planned_s + (1.0 - early) * interval_s:
            return False
        self._planned_s += interval_s
        if self._planned_s + interval_s <= at_s:  # after a gap: start anew, do not catch up
            self._planned_s = at_s
        self._last_s = at_s
        return True


@dataclass(frozen=True, slots=True)
class Due:
    """A decoded frame that is to be looked at; `index` counts the stream's frames."""

    frame: VideoFrame
    index: int
    at_s: float
    skipped: int


class Lens:
    """One stream's decoder, from its first packet on. Belongs to one thread."""

    def __init__(
        self,
        stream: VideoStream,
        rates: Rates,
        gaze: Gaze,
        looks: Looks,
        time_of: Callable[[float | None, int], float],
        first: int = 0,
    ) -> None:
        """`time_of`: the time of a frame from its own stamp in seconds, if it has one, and its index.

        `first`: the index of the first packet.
        """
        self._decoders = Decoders(stream)
        self._time_base = float(stream.time_base or 0)
        self._rates = rates
        self._gaze = gaze
        self._looks = looks
        self._wanted = Looks()
        self._time_of = time_of
        self._long_gap_s = longest_gap_s(rates.patrol_looks_per_s)
        self._gaps_s: deque[float] = deque(maxlen=2)
        self._key_s: float | None = None
        self._kept: list[Packet[Any]] = []
        self._kept_bytes = 0
        self._kept_index = 0
        self._kept_whole = False
        self._bad_keys = self._mistrust = 0
        self._all = True  # everything is being decoded, up to the last packet
        self._next = first  # the index of the frame that the decoder gives next
        self._skipped = 0
        self.behind = False
        """Set by the source: the machine does not keep up, so a stare looks no oftener than a patrol."""
        self.pictures = 0
        """Frames decoded so far, looked at or not."""

    def take(self, packet: Packet[Any], index: int, at_s: float) -> Iterator[Due]:
        """What is to be looked at now that this packet has come; `index` counts the stream's packets.

        `at_s` is when the packet came, or is due, on a clock that only goes forward.
        """
        if packet.is_keyframe:
            if self._key_s is not None:
                self._gaps_s.append(at_s - self._key_s)
            self._key_s = at_s
            self._kept, self._kept_bytes, self._kept_index, self._kept_whole = [], 0, index, True
            self._keep(packet, at_s)
            yield from self._key(packet, index, at_s)
            self._mistrust = max(0, self._mistrust - 1)
            return
        self._keep(packet, at_s)
        if self._all:  # until the next key packet, even when the stare is over
            yield from self._frames(packet)
        elif self._kept_whole and self._closely(at_s):
            self._all, self._next = True, self._kept_index
            for kept in tuple(self._kept):
                yield from self._frames(kept)

    def end(self) -> Iterator[Due]:
        """The frames that the decoder still held when the stream ended."""
        if self._all:
            yield from self._due(self._decoders.rest())

    def stamp_s(self, pts: int | None) -> float | None:
        return None if pts is None else pts * self._time_base

    def _key(self, packet: Packet[Any], index: int, at_s: float) -> Iterator[Due]:
        if self._closely(at_s):
            if not self._all:
                self._all, self._next = True, index
            yield from self._frames(packet)
            return
        if self._all:
            yield from self._due(self._decoders.rest())
            self._all = False
        time_s = self._time_of(self.stamp_s(packet.pts), index)
        if not self._looks.due(time_s, self._rates.patrol_looks_per_s, key=True):
            return
        whole = [frame for frame in self._decoders.alone(packet) if frame.key_frame][:1]
        if whole:
            self._bad_keys = 0
            self.pictures += 1
            # Not held while it is looked at, nor until the next one: 3 MB of each 1080p camera.
            yield Due(whole.pop(), index, time_s, self._left_out())
            return
        self._bad_keys += 1
        self._mistrust = min(MISTRUST**self._bad_keys, MOST_MISTRUST)
        self._all, self._next = True, index
        yield from self._frames(packet)

    def _closely(self, at_s: float) -> bool:
        """Whether everything is to be decoded."""
        return (
            self._gaze.staring
            or self._mistrust > 0
            or not self._gaps_s
            or max(self._gaps_s) > self._long_gap_s
            or self._key_s is None
            or at_s - self._key_s > self._long_gap_s
        )

    def _keep(self, packet: Packet[Any], at_s: float) -> None:
        if not self._kept_whole or self._key_s is None:
            return
        self._kept.append(packet)
        self._kept_bytes += packet.size
        if self._kept_bytes > KEPT_BYTES or at_s - self._key_s > KEPT_GAPS * self._long_gap_s:
            self._kept, self._kept_whole = [], False

    def _frames(self, packet: Packet[Any]) -> Iterator[Due]:
        yield from self._due(self._decoders.after(packet))

    def _due(self, frames: Iterable[VideoFrame]) -> Iterator[Due]:
        for frame in frames:
            index, self._next = self._next, self._next + 1
            self.pictures += 1
            at_s = self._time_of(self.stamp_s(frame.pts), index)
            staring = self._gaze.staring
            wanted = staring and self._wanted.due(at_s, self._rates.stare_looks_per_s)
            closely = staring and not self.behind
            rate = self._rates.stare_looks_per_s if closely else self._rates.patrol_looks_per_s
            if self._looks.due(at_s, rate):
                yield Due(frame, index, at_s, self._left_out())
            elif wanted and self.behind:
                self._skipped += 1

    def _left_out(self) -> int:
        skipped, self._skipped = self._skipped, 0
        return skipped
