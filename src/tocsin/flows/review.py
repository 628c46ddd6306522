"""Learning from answered alarms: which were false and why, and their pictures with labels.

Nothing here speaks of who answered: what leaves is about cameras, hazards and causes.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from tocsin.core.advice import Judged
from tocsin.core.alarm import Alarm
from tocsin.core.causes import Causes, Shown
from tocsin.core.errors import PictureError
from tocsin.core.hazards import HazardCode
from tocsin.core.observation import Edge, EdgeKind, Region, SourceKind
from tocsin.flows.operate import FALSE, REAL
from tocsin.ports_store import PictureRecord, Pictures, Store
from tocsin.redact import cropped

BATCH: Final = 200
"""Alarms that are read at once: their edges are some hundred bytes each."""

BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)

LABELS: Final = {"flame": "fire", "smoke": "smoke"}
"""Hazards that the labelled footage has a word for."""

NONE: Final = "none"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which resolved alarms to look at; what is empty narrows nothing.

    `camera` is `watcher/camera` or the camera's id alone. `false` None means both, false and real.
    """

    since: datetime = BEGINNING
    camera: str = ""
    hazard: str = ""
    cause: str = ""
    false: bool | None = None

    def wants(self, judged: Judged) -> bool:
        cameras = (judged.camera, judged.camera.partition("/")[2])
        return (
            (not self.camera or self.camera in cameras)
            and (not self.hazard or self.hazard == judged.hazard)
            and (not self.cause or self.cause == judged.cause)
            and (self.false is None or self.false == judged.false)
        )


@dataclass(frozen=True, slots=True)
class Reviewed:
    """One resolved alarm, as far as one camera saw one hazard in it.

    `confidence` is that of the surest look when it was confirmed. `edges` are the confirmed ones;
    `beside` what the same camera saw first of other hazards in the same alarm, such as smoke with flame.
    """

    alarm: Alarm
    judged: Judged
    confidence: float
    edges: tuple[Edge, ...]
    beside: tuple[Edge, ...]


@dataclass(frozen=True, slots=True)
class Box:
    """Where a label is, in pixels of the stored picture, from its top left."""

    label: str
    x_px: float
    y_px: float
    width_px: float
    height_px: float


@dataclass(frozen=True, slots=True)
class Labelled:
    """A redacted picture with its label. `boxes` None: the label is known, its place is not.

    `crop` is the hazard's region alone, redacted too.
    """

    name: str
    jpeg: bytes
    crop: bytes | None
    label: str
    boxes: tuple[Box, ...] | None
    scene: str
    width_px: int
    height_px: int
    notes: str


@dataclass(frozen=True, slots=True)
class Skipped:
    """What of an alarm is not handed out, and why."""

    number: int
    why: str


class Review:
    """Reads resolved alarms. Changes nothing."""

    def __init__(self, store: Store, pictures: Pictures, causes: Causes) -> None:
        self._store = store
        self._pictures = pictures
        self._causes = causes

    async def resolved(self, wanted: Wanted) -> list[Reviewed]:
        """Alarms of cameras that people closed as false or as real, by number; drills are neither."""
        found: list[Reviewed] = []
        after = 0
        async with self._store.reading() as unit:
            while alarms := await unit.alarms.resolved(wanted.since, after, BATCH):
                after = alarms[-1].number
                edges = await unit.edges.of([alarm.id for alarm in alarms])
                for alarm in alarms:
                    if alarm.outcome == FALSE or alarm.outcome in REAL:
                        found.extend(self._sights(alarm, [edge for of, edge in edges if of == alarm.id]))
        return [one for one in found if wanted.wants(one.judged)]

    def _sights(self, alarm: Alarm, edges: Sequence[Edge]) -> list[Reviewed]:
        by_sight: dict[tuple[str, HazardCode], list[Edge]] = {}
        for edge in edges:
            if edge.kind is EdgeKind.CONFIRMED and edge.source_kind is SourceKind.CAMERA:
                by_sight.setdefault((edge.source, edge.hazard), []).append(edge)
        return [
            Reviewed(
                alarm,
                Judged(
                    number=alarm.number,
                    camera=camera,
                    hazard=hazard,
                    at=seen[0].captured_at,
                    false=alarm.outcome == FALSE,
                    right=self._right(alarm),
                    cause=alarm.cause,
                    weakest=min(0.0 if edge.steady is None else edge.steady for edge in seen),
                    surest=max(edge.confidence if edge.steady is None else edge.steady for edge in seen),
                ),
                confidence=max(edge.confidence for edge in seen),
                edges=tuple(seen),
                beside=tuple(
                    others[0] for (by, what), others in by_sight.items() if by == camera and what != hazard
                ),
            )
            for (camera, hazard), seen in by_sight.items()
        ]

    def _right(self, alarm: Alarm) -> bool | None:
        if alarm.outcome != FALSE:
            return True
        shown = self._causes.get(alarm.cause).shown if alarm.cause in self._causes else Shown.UNCLEAR
        return None if shown is Shown.UNCLEAR else shown is Shown.HAZARD

    async def pictures(self, reviewed: Sequence[Reviewed]) -> AsyncGenerator[Labelled | Skipped]:
        """The redacted pictures of these, each with its label; one at a time, so that any number fits.

        False alarms are `none`, in all their pictures; but a wanted fire is a fire, and what was made to
        look like one is neither. Of a real alarm only the picture of the moment is labelled: before it
        nobody has said that it burnt already, after it the region may have grown.
        """
        for one in reviewed:
            if one.judged.hazard not in LABELS:
                yield Skipped(one.judged.number, f"{one.judged.hazard!r} has no label in this format")
                continue
            if one.judged.right is None:
                cause = one.judged.cause or "not said"
                yield Skipped(
                    one.judged.number, f"cause {cause!r}: whether the hazard was in view is not known"
                )
                continue
            edges = {edge.id: edge for edge in one.edges}
            async with self._store.reading() as unit:
                records = [r for r in await unit.pictures.of([one.alarm.id]) if r.edge_id in edges]
            if one.judged.right:
                records = [record for record in records if record.role == "at"]
            if not records:
                yield Skipped(one.judged.number, f"no picture of {one.judged.camera!r} is kept")
            for record in records:
                yield await self._labelled(one, record, edges[record.edge_id])

    async def _labelled(self, one: Reviewed, record: PictureRecord, edge: Edge) -> Labelled | Skipped:
        jpeg = await self._pictures.get(record.digest)
        if jpeg is None:
            return Skipped(one.judged.number, f"the file of picture {record.id} is missing")
        try:
            crop = None if edge.region is None else (await asyncio.to_thread(cropped, jpeg, edge.region)).jpeg
        except PictureError as error:
            return Skipped(one.judged.number, f"picture {record.id} cannot be read: {error.what}")
        label, boxes = NONE, ()
        if one.judged.right:
            seen = [edge, *(other for other in one.beside if other.hazard in LABELS)]
            labels = {LABELS[each.hazard] for each in seen}
            label = "both" if len(labels) > 1 else LABELS[edge.hazard]
            boxes = _boxes(seen, record)
        what = f"false: {one.judged.cause}" if one.judged.false else "real"
        scene = _slug(one.judged.camera)
        at = f"{record.role} the moment, {record.at:%Y-%m-%dT%H:%M:%SZ}"
        return Labelled(
            name=f"alarm{one.judged.number:06d}-{_slug(record.id)}.jpg",
            jpeg=jpeg,
            crop=crop,
            label=label,
            boxes=boxes,
            scene=scene,
            width_px=record.width_px,
            height_px=record.height_px,
            notes=f"{what}; seen as {edge.hazard}; alarm {one.judged.number}; {at}; redacted",
        )


def _boxes(seen: Sequence[Edge], record: PictureRecord) -> tuple[Box, ...] | None:
    boxes: list[Box] = []
    for edge in seen:
        if edge.region is None:
            return None
        boxes.append(_box(LABELS[edge.hazard], edge.region, record.width_px, record.height_px))
    return tuple(boxes)


def _box(label: str, region: Region, width_px: int, height_px: int) -> Box:
    x, y = region.x0 * width_px, region.y0 * height_px
    return Box(label, x, y, region.x1 * width_px - x, region.y1 * height_px - y)


def _slug(text: str) -> str:
    """A name as a file and a table may hold it: a camera's id comes from whoever has a watcher's token."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", text).strip("._-") or "camera"
