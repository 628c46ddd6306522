"""The evidence strip of one camera: a few pictures before, at and after an edge, redacted here."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import cv2

from tocsin.core.observation import EdgeId, Region
from tocsin.core.zones import Polygon
from tocsin.masking import mask_out
from tocsin.ports import Frame, Picture
from tocsin.redact import RedactedPicture, redact

KEPT_LONG_PX = 640
"""Remembered frames are small: six of them take 2 MB of a 1080p camera, their colour at half the size."""
KEEP_EVERY_S = 1.0
KEEP_SLOWLY_EVERY_S = 6.0
"""A covered lens is confirmed some ten seconds after it was covered: what was there before is the
picture that helps, so some frames are kept for longer."""
KEPT = 3
BEFORE = 3
AFTER_S = (1.5, 4.0, 8.0, 15.0)


@dataclass(frozen=True, slots=True)
class StripPicture:
    """One redacted picture, ready for the spool."""

    edge_id: EdgeId
    index: int
    role: str
    at: datetime
    picture: RedactedPicture


@dataclass(frozen=True, slots=True)
class _Kept:
    at: datetime
    clock_s: float
    packed: Picture
    """I420 where both sides are even, else as it was."""

    @property
    def picture(self) -> Picture:
        return self.packed if self.packed.ndim == 3 else cv2.cvtColor(self.packed, cv2.COLOR_YUV2BGR_I420)  # type: ignore[return-value]


@dataclass(frozen=True, slots=True)
class _Owed:
    edge_id: EdgeId
    index: int
    due_s: float
    region: Region | None


class Strip:
    """Remembers the last seconds of one camera, in memory only (invariant 4)."""

    def __init__(self) -> None:
        self._recent: deque[_Kept] = deque(maxlen=KEPT)
        self._slow: deque[_Kept] = deque(maxlen=KEPT)
        self._owed: list[_Owed] = []

    def remember(self, frame: Frame) -> None:
        """Keeps about one frame a second, and one every few seconds for longer."""
        clock_s = frame.info.clock_s
        if self._recent and clock_s - self._recent[-1].clock_s < KEEP_EVERY_S:
            return
        kept = _Kept(frame.info.at, clock_s, _packed(_small(frame.picture)))
        self._recent.append(kept)
        if not self._slow or clock_s - self._slow[-1].clock_s >= KEEP_SLOWLY_EVERY_S:
            self._slow.append(kept)

    def forget(self) -> None:
        """Drops what is remembered, as it shows what is masked from now on."""
        self._recent.clear()
        self._slow.clear()

    def latest(self, masks: Sequence[Polygon] = ()) -> RedactedPicture | None:
        """The frame that was remembered last, under the masks of now: it may be older than they are.

        May be asked by any thread.
        """
        kept = tuple(self._recent)
        return redact(mask_out(kept[-1].picture.copy(), masks), None) if kept else None

    def confirmed(
        self, edge_id: EdgeId, frame: Frame, region: Region | None, since: datetime
    ) -> list[StripPicture]:
        """The pictures before and at the edge; those after it are owed.

        Before means first of all before `since`, when the hazard's first sign was seen.
        """
        kept = sorted(
            {one.clock_s: one for one in (*self._slow, *self._recent)}.values(), key=lambda one: one.at
        )
        earlier = [one for one in kept if one.at < frame.info.at]
        clean = [one for one in earlier if one.at < since][-(BEFORE - 1) :]
        developing = [one for one in earlier if one.at >= since]
        before = (clean + developing[-(BEFORE - len(clean)) :])[:BEFORE]
        made = [
            StripPicture(edge_id, index, "before", one.at, redact(one.picture, region))
            for index, one in enumerate(before)
        ]
        made.append(StripPicture(edge_id, len(made), "at", frame.info.at, redact(frame.picture, region)))
        self._owed.extend(
            _Owed(edge_id, len(made) + offset, frame.info.clock_s + after_s, region)
            for offset, after_s in enumerate(AFTER_S)
        )
        return made

    def due(self, frame: Frame) -> list[StripPicture]:
        """The pictures after earlier edges whose time has come."""
        now_s = frame.info.clock_s
        due = [owed for owed in self._owed if owed.due_s <= now_s]
        if not due:
            return []
        self._owed = [owed for owed in self._owed if owed.due_s > now_s]
        # After a pause several would show the same frame: one is enough.
        latest = {owed.edge_id: owed for owed in due}
        return [
            StripPicture(owed.edge_id, owed.index, "after", frame.info.at, redact(frame.picture, owed.region))
            for owed in latest.values()
        ]


def _packed(picture: Picture) -> Picture:
    tall, wide = picture.shape[:2]
    if tall % 2 or wide % 2:
        return picture
    return cv2.cvtColor(picture, cv2.COLOR_BGR2YUV_I420)  # type: ignore[return-value]


def _small(picture: Picture) -> Picture:
    long_px = max(picture.shape[:2])
    if long_px <= KEPT_LONG_PX:
        return picture.copy()
    scale = KEPT_LONG_PX / long_px
    return cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)  # type: ignore[return-value]
