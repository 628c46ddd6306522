"""A drill before one camera: a drawn plume over its own pictures, through its own detectors and rule.

Beside the real watching, and never in its way: the camera's thread hands over a frame that it is done with,
and another eye looks, in a thread of its own, one drill at a time. Nothing of a drilled frame gets out but
its edge and redacted pictures (invariant 4).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import structlog

from tocsin.core.drills import EDGE_PREFIX, SOURCE_PREFIX, DrillStage, Stamp
from tocsin.core.errors import TocsinError
from tocsin.core.hazards import Catalogue, Family, HazardCode, Signal
from tocsin.core.observation import CameraId, Edge, EdgeId, EdgeKind
from tocsin.core.zones import Zones
from tocsin.plume import Plume, clouds
from tocsin.ports import Clock, Frame, Picture
from tocsin.watch.emitter import Emitter
from tocsin.watch.eye import Eye, Seen
from tocsin.watch.orders import Rehearse, Rehearsed, Take
from tocsin.watch.strip import StripPicture
from tocsin.watch.worker import CameraWorker

log = structlog.get_logger()

LOOKS_PER_S: Final = 5.0
"""At most: as close as a stare, and half of what one may take of a core."""
FRAME_WITHIN_S: Final = 15.0
"""A camera on patrol is looked at once a second; one that has no picture for so long is silent."""
PLUME_S: Final = 30.0
"""How long the plume is shown. The demonstration's is confirmed within 6 s of its flames."""
FLAME_FROM_S: Final = 1.0
HIT: Final = 0.5
"""The suspicion of a look that counts as a hit by its rule; see `watch.eye.Seen`."""
STOP_WITHIN_S: Final = 5.0
KEPT: Final = 8
"""Drills whose end goes on being told."""

SEATS: Final = ((0.5, 0.7), (0.735, 0.62), (0.265, 0.62), (0.5, 0.9), (0.8, 0.9), (0.2, 0.9))
"""Where it may burn, in shares of the picture: the first that no mask and no ignore zone hides."""
_FLAME: Final = HazardCode("flame")


@dataclass(frozen=True, slots=True)
class Borrowed:
    """What a drill looks with: an eye of its own, and the camera's looks a second in a stare."""

    eye: Eye
    looks_per_s: float
    catalogue: Catalogue


Borrow = Callable[[Take, Zones], Borrowed | None]
"""Makes it for one camera; None where no detector of the camera looks for fire. Raises TocsinError kinds."""


class Rehearsals:
    """The drills of one reader; belongs to its thread."""

    def __init__(self, borrow: Borrow, emitter: Emitter, clock: Clock) -> None:
        self._borrow = borrow
        self._emitter = emitter
        self._clock = clock
        self._begun: dict[str, _Rehearsal] = {}
        self._refused: dict[str, Rehearsed] = {}

    def begin(self, order: Rehearse, take: Take | None, worker: CameraWorker | None, zones: Zones) -> None:
        """Once for each drill. `take` and `worker` are None where the camera is not watched just now."""
        if order.drill in self._begun or order.drill in self._refused:
            return
        taken = Stamp(DrillStage.TAKEN, self._clock.now())
        try:
            borrowed, why = None, "the camera is not watched just now"
            if take is not None and worker is not None:
                borrowed, why = (
                    self._borrow(take, zones),
                    "no detector of this camera looks for smoke or flame",
                )
            if any(one.runs for one in self._begun.values()):
                borrowed, why = None, "another drill runs here"
        except TocsinError as error:
            borrowed, why = None, f"its detectors could not be set up ({error.what})"
        if borrowed is None or worker is None:
            self._refused[order.drill] = Rehearsed(order.drill, (taken,), why, over=True)
        else:
            one = _Rehearsal(order, taken, borrowed, worker, zones, self._emitter, self._clock)
            self._begun[order.drill] = one
            one.start()
        for kept in (self._begun, self._refused):
            while len(kept) > KEPT:
                kept.pop(next(iter(kept)))

    def told(self) -> tuple[Rehearsed, ...]:
        return (*(one.told for one in self._begun.values()), *self._refused.values())

    def stop(self) -> None:
        for one in self._begun.values():
            one.stop()


@dataclass(slots=True)
class _Looks:
    """What was tried, to be told where nothing was confirmed."""

    count: int = 0
    size: str = ""
    brightness: float = 0.0
    best: float = 0.0
    named: str = ""
    hidden: bool = False

    def take(self, picture: Picture, seen: Seen) -> None:
        self.count += 1
        self.size = f"{picture.shape[1]}x{picture.shape[0]} px"
        self.brightness = float(np.mean(picture[::8, ::8]))
        for hazard, one in seen.observed.items():
            if one.confidence > self.best:
                self.best, self.named = one.confidence, hazard

    def text(self, over_s: float) -> str:
        if not self.count:
            return "no picture of the camera came"
        said = (
            f"the detector was at most {self.best:.0%} sure of {self.named}" if self.named else "nothing seen"
        )
        hidden = "; masks or ignore zones hide every place where it could burn" if self.hidden else ""
        light = f"brightness {self.brightness:.0f} of 255"
        return f"{self.count} looks over {over_s:.0f} s at {self.size}, {light}: {said}{hidden}"


@dataclass(slots=True)
class _Rehearsal:
    order: Rehearse
    taken: Stamp
    borrowed: Borrowed
    worker: CameraWorker
    zones: Zones
    emitter: Emitter
    clock: Clock
    told: Rehearsed = field(init=False)
    _latest: Frame | None = field(default=None, init=False)
    _came: threading.Event = field(default_factory=threading.Event, init=False)
    _stop: threading.Event = field(default_factory=threading.Event, init=False)
    _thread: threading.Thread = field(init=False)

    def __post_init__(self) -> None:
        self.told = Rehearsed(self.order.drill, (self.taken,))
        self._thread = threading.Thread(target=self._run, name="drill")

    @property
    def runs(self) -> bool:
        return self._thread.is_alive()

    def start(self) -> None:
        self.worker.tap = self._offer
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._came.set()
        self._thread.join(STOP_WITHIN_S)

    def _offer(self, frame: Frame) -> None:
        self._latest = frame
        self._came.set()

    def _stamp(self, stage: DrillStage, said: str = "") -> None:
        if all(one.stage != stage for one in self.told.stamps):
            stamp = Stamp(stage, self.clock.now(), said)
            self.told = replace(self.told, stamps=(*self.told.stamps, stamp))

    def _run(self) -> None:
        why = ""
        try:
            why = self._show()
        except Exception as error:
            # A drill that fails is its result, and never the reader's end.
            log.exception("drill-failed", camera=self.order.camera)
            why = f"{type(error).__name__} while looking"
        finally:
            self.worker.tap = None
            self._latest = None
            self.told = replace(self.told, not_detected=why, over=True)

    def _show(self) -> str:
        """Shows the plume until it is confirmed; otherwise what was tried."""
        tried = _Looks()
        self._came.wait(FRAME_WITHIN_S)
        first = self._latest
        if first is None or self._stop.is_set():
            return tried.text(0.0)
        plume, tried.hidden = _plume(first.picture, self.zones)
        began_s = self.clock.monotonic_s()
        every_s = 1.0 / min(LOOKS_PER_S, self.borrowed.looks_per_s)
        best: tuple[Edge, tuple[StripPicture, ...]] | None = None
        while not self._stop.is_set():
            at_s = self.clock.monotonic_s()
            if at_s - began_s > PLUME_S:
                break
            picture, seen = self._look(plume, at_s - began_s, tried.count)
            self._stamp(DrillStage.FIRST_FRAME)
            tried.take(picture, seen)
            if seen.suspicion >= HIT or any(self._of_fire(edge) for edge in seen.edges):
                self._stamp(DrillStage.FIRST_SIGN)
            for edge in filter(self._of_fire, seen.edges):
                best = edge, tuple(one for one in seen.pictures if one.edge_id == edge.id)
                if self.borrowed.catalogue.get(edge.hazard).signal is Signal.ALARM:
                    return self._send(*best)
            self._stop.wait(max(0.0, every_s - (self.clock.monotonic_s() - at_s)))
        if best is not None:
            return self._send(*best)
        return tried.text(self.clock.monotonic_s() - began_s)

    def _look(self, plume: Plume, t_s: float, index: int) -> tuple[Picture, Seen]:
        frame = self._latest
        assert frame is not None, "the first frame came, and none is taken back"
        picture = plume.paint(frame.picture.copy(), t_s)
        info = replace(
            frame.info, at=self.clock.now(), clock_s=self.clock.monotonic_s(), index=index, skipped=0
        )
        # Judged as it came: the eye paints masks into it.
        return picture, self.borrowed.eye.look(Frame(info, picture.copy()))

    def _of_fire(self, edge: Edge) -> bool:
        family = self.borrowed.catalogue.get(edge.hazard).family
        return edge.kind is EdgeKind.CONFIRMED and family is Family.FIRE

    def _send(self, edge: Edge, pictures: tuple[StripPicture, ...]) -> str:
        """One edge alone, the gravest: lesser signs before it would call people twice."""
        self._stamp(DrillStage.CONFIRMED, f"{edge.hazard}: {edge.reason}")
        named = EdgeId(f"{EDGE_PREFIX}{self.order.drill}")
        mine = tuple(replace(one, edge_id=named) for one in pictures)
        self.emitter.emit(Seen(edges=(replace(edge, id=named),), pictures=mine))
        if self.emitter.flush() == 0:
            self._stamp(DrillStage.SPOOLED)
        return ""


def _plume(picture: Picture, zones: Zones) -> tuple[Plume, bool]:
    """The plume at the first seat that is looked at, and whether there is none."""
    rng = np.random.default_rng(1)
    soft, fine = clouds(rng, 1.7), clouds(rng, 1.25)
    made: Plume | None = None
    for seat in SEATS:
        plume = Plume(picture, soft, fine, seat, 0.0, FLAME_FROM_S, PLUME_S + 1.0)
        hidden = zones.hides(plume.region) or zones.ignored(_FLAME, plume.region)
        if not hidden:
            return plume, False
        made = made or plume
    assert made is not None
    return made, True


def drill_source(camera: CameraId) -> str:
    """The source that a drill's edge bears, at its watcher."""
    return f"{SOURCE_PREFIX}{camera}"
