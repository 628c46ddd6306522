"""The watcher as a whole: its readers, its own eyes on their cameras' silence, its heartbeat."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime

import structlog

from tocsin.core.errors import StoreError
from tocsin.core.hazards import Catalogue, Signal
from tocsin.core.observation import CameraId, CapStatus, EdgeKind, PlaceId, SourceKind
from tocsin.core.persistence import Look
from tocsin.core.sight import DISK_CLEAR_SHARE, DISK_LOW_SHARE, CameraHealth, Heartbeat, Sight, ZoneHealth
from tocsin.core.zones import NO_ZONES, Zones
from tocsin.ports import Clock
from tocsin.watch.blindness import at_once
from tocsin.watch.crew import Crew
from tocsin.watch.dumps import no_core_dumps
from tocsin.watch.emitter import Emitter
from tocsin.watch.eye import Address, Seen, Watched
from tocsin.watch.figures import CameraReport, WatcherReport
from tocsin.watch.load import LoadMeter, Sample, cores, headroom, sample
from tocsin.watch.maintenance import OutOfServiceCameras
from tocsin.watch.orders import CameraTold
from tocsin.watch.sender import Sender
from tocsin.watch.serving import MetricsServer
from tocsin.watch.spool import Spool
from tocsin.watch.worker import Progress
from tocsin.watch.zones import KeptZones

log = structlog.get_logger()

TICK_S = 1.0
SILENT_AFTER_S = 5.0
"""No analysed frame for this long is silence; the hazard's on-delay comes on top."""
TELL_S = 60.0
"""How often the log says how the looks are spread."""


@dataclass(frozen=True, slots=True)
class Placed:
    """One camera that is to be watched.

    `recipe` is for whoever reads it: another one, and the camera is begun anew. `silent_after_s`: no analysed
    frame for so long is silence.
    """

    camera: CameraId
    name: str
    address: Address
    silent_after_s: float
    recipe: object = field(default=None, repr=False)


@dataclass(slots=True)
class Post:
    """One camera, what its reader last told, and the watch over its silence."""

    placed: Placed
    began_s: float
    silence: Watched
    told: CameraTold = field(default_factory=lambda: CameraTold(Progress()))
    held: bool = False
    """Silent with nearly all the others: told as one trouble, and not as its own."""
    stalled: bool = False
    stalls: int = 0
    seen_s: float | None = None
    seen_at: datetime | None = None
    """The last analysed frame, whichever reader has looked at it."""

    def hear(self, told: CameraTold) -> None:
        self.told = told
        if told.progress.last_look_clock_s is not None:
            self.seen_s, self.seen_at = told.progress.last_look_clock_s, told.progress.last_look_at

    def age_s(self, now_s: float) -> float:
        """Since the last analysed frame, or since the beginning if there was none."""
        return now_s - (self.began_s if self.seen_s is None else self.seen_s)

    def stall(self, silent: bool) -> None:
        """Each beginning of a silence is one stall."""
        self.stalls += silent and not self.stalled
        self.stalled = silent

    @property
    def ended(self) -> bool:
        return self.told.progress.ended

    @property
    def limit_s(self) -> float | None:
        return None if self.ended else self.placed.silent_after_s


class Supervisor:
    """Owns the readers and threads of one watcher. The tick runs in the caller's thread."""

    def __init__(
        self,
        name: str,
        placed: Sequence[Placed],
        crew: Crew,
        catalogue: Catalogue,
        spool: Spool,
        emitter: Emitter,
        make_sender: Callable[[Callable[[], Heartbeat]], Sender],
        clock: Clock,
        *,
        status: CapStatus,
        disk_free_share: Callable[[], float],
        make_metrics: Callable[[Callable[[], WatcherReport]], MetricsServer] | None = None,
        load_sample: Callable[[], Sample] = sample,
        zones: KeptZones | None = None,
        out_of_service: OutOfServiceCameras | None = None,
        changed: Callable[[], Sequence[Placed] | None] = lambda: None,
    ) -> None:
        """`make_metrics`: who serves what `report` says, if anybody is to.

        `changed` is asked at each tick: which cameras are to be watched from now on, if others than before.
        """
        self._name = name
        self._zones = zones
        self._out = out_of_service or OutOfServiceCameras(())
        self._catalogue = catalogue
        self._spool = spool
        self._emitter = emitter
        self._crew = crew
        self._changed = changed
        self._told_s = clock.monotonic_s()
        self._clock = clock
        self._disk_free_share = disk_free_share
        self._disk = Watched(catalogue.get("disk-low"))
        self._blind = Watched(catalogue.get("cameras-silent"))
        self._own_address = Address(SourceKind.SYSTEM, f"watcher {name}", PlaceId(f"watcher {name}"), status)
        self._posts: tuple[Post, ...] = ()
        self._load_sample = load_sample
        self._meter = LoadMeter(cores())
        self._take(placed)
        self._metrics = make_metrics(self.report) if make_metrics is not None else None
        self._sender = make_sender(self.heartbeat)
        self._stop = threading.Event()

    def run(self) -> bool:
        """Watches until stopped, or until every finite source has ended and its edges are delivered.

        Returns whether all ended by themselves.
        """
        no_core_dumps()
        self._crew.start()
        self._sender.start()
        if self._metrics is not None:
            self._metrics.start()
        ended = False
        try:
            while not self._stop.wait(TICK_S):
                self._guarded_tick()
                if self._posts and all(post.ended for post in self._posts):
                    ended = self._drained()
                    if ended:
                        break
        finally:
            self._end()
        return ended

    def _take(self, placed: Sequence[Placed]) -> None:
        """Watches these from now on; whoever is among them already keeps its silence and its last look."""
        before = {post.placed.camera: post for post in self._posts}
        posts: list[Post] = []
        for one in placed:
            post = before.get(one.camera)
            if post is None:
                silence = Watched(self._catalogue.get("camera-silent"))
                post = Post(one, self._clock.monotonic_s(), silence)
            post.placed = one
            posts.append(post)
        self._posts = tuple(posts)
        self._out.fix(one.camera for one in placed)
        self._crew.take({one.camera: one.recipe for one in placed}, self._zones_of)

    def _zones_of(self, camera: CameraId) -> Zones:
        return self._zones.of(camera) if self._zones is not None else NO_ZONES

    def stop(self) -> None:
        """Asks the watcher to end; safe from a signal handler."""
        self._stop.set()

    def _guarded_tick(self) -> None:
        try:
            self.tick()
        except Exception:
            # A disk that cannot be asked, say: no reason to stop watching every camera.
            log.exception("tick-failed")

    def tick(self) -> None:
        """Looks after every camera's silence and the disk; none of it depends on a camera's thread."""
        self._emitter.flush()
        now_s, now = self._clock.monotonic_s(), self._clock.now()
        self._look_after_readers(now_s)
        load = self._load_sample()
        self._meter.take(replace(load, cpu_s=load.cpu_s + self._crew.cpu_s))
        self._look_after_silence(now_s, now)
        free = self._disk_free_share()
        if now_s - self._told_s >= TELL_S:
            self._told_s = now_s
            log.info("looking", cameras=len(self._posts), **asdict(self._crew.looking()))
        confidence = 1.0 if free < DISK_LOW_SHARE else 0.6 if free < DISK_CLEAR_SHARE else 0.0
        self._own_look(self._disk, self._own_address, Look(now_s, now, confidence))

    def _look_after_readers(self, now_s: float) -> None:
        try:
            changed = self._changed()
            if changed is not None:
                self._take(changed)
            self._crew.draw(self._zones_of)
            self._crew.turn(now_s)
        except Exception:
            # No more processes to be had, say: all the more the silence must be told.
            log.exception("readers-failed")
        told = self._crew.told()
        for post in self._posts:
            if (news := told.get(post.placed.camera)) is not None:
                post.hear(news)

    def _look_after_silence(self, now_s: float, now: datetime) -> None:
        """Silence of nearly all at once is one trouble, and not one for each: no own silence is counted then.

        When it is over, those that are still silent count from there. Nor is it counted of a camera that is
        out of service; but a silence that stands clears when it is seen again.
        """
        live = [
            (post, post.limit_s is not None and post.age_s(now_s) > post.limit_s)
            for post in self._posts
            if not post.ended
        ]
        out = {post.placed.camera: self._out.until(post.placed.camera, now) is not None for post, _ in live}
        untold = [
            silent for post, silent in live if post.silence.standing is None and not out[post.placed.camera]
        ]
        lost = sum(untold)
        blind = self._blind.hazard.enabled and at_once(lost, len(untold))
        for post, silent in live:
            missed = silent and not out[post.placed.camera]
            post.stall(missed)
            post.held = silent and post.silence.standing is None and (blind or not missed)
            if not post.held and missed == silent:
                self._own_look(post.silence, post.placed.address, Look(now_s, now, 1.0 if silent else 0.0))
        why = f"{lost} of {len(untold)} cameras fell silent together"
        self._own_look(self._blind, self._own_address, Look(now_s, now, 1.0 if blind else 0.0), why)

    def heartbeat(self) -> Heartbeat:
        """What the centre is told every few seconds."""
        counts = self._spool.counts()
        return Heartbeat(
            at=self._clock.now(),
            cameras=tuple(self._health(post) for post in self._posts),
            spooled=counts.waiting,
            refused=counts.refused,
            disk_free_share=self._disk_free_share(),
            looking=self._crew.looking(),
        )

    def report(self) -> WatcherReport:
        """What the metrics say, for any thread."""
        now_s = self._clock.monotonic_s()
        cameras = tuple(self._camera_report(post, now_s) for post in self._posts)
        behind = any(one.looks.skipped_last_minute for one in cameras)
        seeing = sum(one.limit_s is not None and one.looks.age_s <= one.limit_s for one in cameras)
        spooled = refused = free = None
        with contextlib.suppress(StoreError):
            counts = self._spool.counts()
            spooled, refused = counts.waiting, counts.refused
        with contextlib.suppress(OSError):
            free = self._disk_free_share()
        load = self._meter.load
        room = headroom(load, seeing, behind=behind)
        return WatcherReport(
            self._name,
            cameras,
            self._crew.looking(),
            load,
            room,
            spooled,
            refused,
            free,
            self._crew.readers,
            self._crew.restarts,
        )

    def _camera_report(self, post: Post, now_s: float) -> CameraReport:
        silent = post.silence.standing
        standing = (*post.told.standing, *([silent] if silent else []))
        troubles = tuple(e.hazard for e in standing if self._catalogue.get(e.hazard).signal is Signal.TROUBLE)
        looks = replace(post.told.looks, age_s=max(0.0, post.age_s(now_s)), stalls=post.stalls)
        left_s = self._out.left_s(post.placed.camera, self._clock.now())
        limit_s = post.limit_s if left_s is None else None
        return CameraReport(post.placed.camera, self._sight(post), limit_s, looks, troubles, left_s)

    def _sight(self, post: Post) -> Sight:
        if post.silence.standing is not None or post.held or post.ended:
            return Sight.SILENT
        if post.seen_s is None:
            return Sight.STARTING
        return Sight.TROUBLE if post.told.troubled else Sight.SEEING

    def _health(self, post: Post) -> CameraHealth:
        placed, told = post.placed, post.told
        zones = self._zones.health(placed.camera, told.ignored) if self._zones else ZoneHealth()
        silent = post.silence.standing
        return CameraHealth(
            camera=placed.camera,
            name=placed.name,
            place=placed.address.place,
            sight=self._sight(post),
            last_look_at=post.seen_at,
            looks=told.progress.looks,
            error="the recording has ended"
            if post.ended
            else told.progress.error or told.failing or zones.error,
            standing=(*told.standing, *([silent] if silent else [])),
            since_look_s=round(max(0.0, post.age_s(self._clock.monotonic_s())), 1),
            limit_s=post.limit_s,
            zones=zones,
        )

    def _own_look(self, watched: Watched, address: Address, look: Look, why: str = "") -> None:
        if not watched.hazard.enabled:
            return
        change = watched.look(look)
        if change is None:
            return
        if why and change.kind is EdgeKind.CONFIRMED:
            change = replace(change, reason=why)
        edge = address.edge(change, watched.hazard.code)
        watched.standing = edge if change.kind is EdgeKind.CONFIRMED else None
        self._emitter.emit(Seen(edges=(edge,)))

    def _drained(self) -> bool:
        waiting = self._emitter.flush() + self._crew.unspooled()
        return waiting == 0 and self._spool.counts().waiting == 0

    def _end(self) -> None:
        self._crew.stop()
        self._emitter.flush()
        self._sender.stop()
        if self._metrics is not None:
            self._metrics.stop()
