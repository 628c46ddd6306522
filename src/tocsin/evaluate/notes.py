"""What is kept of a clip while it is replayed, and how its alarms are held against its labels."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final

from tocsin.core.errors import SourceCodecError
from tocsin.core.hazards import Catalogue, Family, HazardCode
from tocsin.core.observation import Edge, EdgeKind, Observation, Region
from tocsin.evaluate.boxes import around
from tocsin.evaluate.duty import Taken
from tocsin.evaluate.labels import HAZARDS, Clip
from tocsin.evaluate.results import ClipResult, LookNote, Raised
from tocsin.ports import Picture
from tocsin.redact import redact
from tocsin.watch.looking import Looked

TROUBLES: Final = frozenset({Family.SIGHT, Family.SYSTEM})


class Notes:
    """Takes every look and every edge of one clip, in order; then makes its result."""

    def __init__(self, clip: Clip, catalogue: Catalogue) -> None:
        self._clip = clip
        self._catalogue = catalogue
        self._start: datetime | None = None
        self._looks: list[LookNote] = []
        self._raised: list[Raised] = []
        self._troubles: list[tuple[HazardCode, float]] = []
        self._worst: tuple[tuple[float, float], Picture, Region | None] | None = None

    def look(self, looked: Looked) -> None:
        """To be told of a look before its edges."""
        info = looked.frame.info
        if self._start is None:
            self._start = info.at
        seen = looked.seen.observed
        sure = {hazard: float(seen[hazard].confidence) for hazard in HAZARDS if hazard in seen}
        self._looks.append(LookNote(info.index, self._seconds(info.at), sure, looked.staring))
        present = self._clip.present(info.index)
        if present and not self._clip.ignored(info.index):
            self._remember(looked, present)

    def _remember(self, looked: Looked, present: frozenset[HazardCode]) -> None:
        """Keeps the look that would show a miss best: the surest, and of equals the one in the middle."""
        seen, frame = looked.seen.observed, looked.frame.info.index
        spans = [one for one in self._clip.intervals if one.first <= frame <= one.last]
        off_centre = min(abs(2 * frame - one.first - one.last) for one in spans)
        key = (max((seen[one].confidence for one in present if one in seen), default=0.0), -float(off_centre))
        if self._worst is None or key > self._worst[0]:
            region = around(self._clip.boxes.get(frame, ())) or _region(seen, present)
            self._worst = (key, looked.frame.picture, region)

    def edge(self, edge: Edge, taken: Taken, looked: Looked) -> None:
        """To be told of each edge with what triage made of it."""
        if edge.kind is not EdgeKind.CONFIRMED or taken.signal is None:
            return
        family = self._catalogue.get(edge.hazard).family
        at_s = self._seconds(edge.captured_at)
        if family in TROUBLES:
            self._troubles.append((edge.hazard, at_s))
            return
        pictures = (one for one in looked.seen.pictures if one.edge_id == edge.id and one.role == "at")
        shown = next(pictures, None)
        first = self._clip.first_frame
        there = first is not None and family is Family.FIRE and self._there(edge, looked.frame.info.index)
        self._raised.append(
            Raised(
                hazard=edge.hazard,
                signal=taken.signal,
                new=taken.new,
                at_s=at_s,
                since_s=self._seconds(edge.since),
                after_s=max(0.0, at_s - self._time_of(first)) if first is not None and there else None,
                ignored=self._clip.ignored(looked.frame.info.index),
                confidence=float(edge.confidence),
                reason=edge.reason,
                picture=None if shown is None else shown.picture,
            )
        )

    def _there(self, edge: Edge, frame: int) -> bool:
        """Whether the labels see a hazard at any time between the edge's first sign and its confirmation."""
        times = [one.at_s for one in self._looks]
        first = self._looks[min(bisect_left(times, self._seconds(edge.since)), len(times) - 1)].frame
        return any(one.first <= frame and first <= one.last for one in self._clip.intervals)

    def result(self) -> ClipResult:
        """All that came of the clip but thresholds and CPU times. Raises SourceCodecError without looks."""
        if not self._looks:
            raise SourceCodecError("it has no picture", where=self._clip.file)
        ends = [*(one.at_s for one in self._looks[1:]), self._looks[-1].at_s + 1.0 / self._clip.fps]
        held = [replace(one, holds_s=end - one.at_s) for one, end in zip(self._looks, ends, strict=True)]
        first = self._clip.first_frame
        clear_s = sum(
            one.holds_s
            for one in held
            if not self._clip.present(one.frame) and not self._clip.ignored(one.frame)
        )
        made = ClipResult(
            clip=self._clip,
            looks=tuple(held),
            raised=tuple(self._raised),
            thresholds={},
            seconds=ends[-1],
            clear_seconds=clear_s,
            hazard_at_s=None if first is None else self._time_of(first),
            troubles=tuple(self._troubles),
        )
        if made.hazardous and not made.alarmed and self._worst is not None:
            _key, picture, region = self._worst
            made = replace(made, missed=redact(picture, region))
        return made

    def _seconds(self, at: datetime) -> float:
        assert self._start is not None, "an edge comes of a look"
        return (at - self._start).total_seconds()

    def _time_of(self, frame: int) -> float:
        """When the frame was, by the file's own time stamps where it lies between two looks."""
        frames = [one.frame for one in self._looks]
        behind = bisect_left(frames, frame)
        if behind == len(frames):
            last = self._looks[-1]
            return last.at_s + (frame - last.frame) / self._clip.fps
        after = self._looks[behind]
        if after.frame == frame or behind == 0:
            return after.at_s
        before = self._looks[behind - 1]
        share = (frame - before.frame) / (after.frame - before.frame)
        return before.at_s + share * (after.at_s - before.at_s)


def _region(seen: Mapping[str, Observation], hazards: frozenset[HazardCode]) -> Region | None:
    """Where the surest of these hazards was seen."""
    found = [seen[hazard] for hazard in hazards if hazard in seen]
    return max(found, key=lambda one: one.confidence).region if found else None
