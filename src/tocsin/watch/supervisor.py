"""The watcher as a whole: its cameras' workers, its own eyes on their silence, its heartbeat."""

from __future__ import annotations

import contextlib
import resource
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime

import structlog

from tocsin.core.errors import StoreError
from tocsin.core.hazards import Catalogue, Signal
from tocsin.core.observation import CapStatus, EdgeKind, PlaceId, SourceKind
from tocsin.core.persistence import Look
from tocsin.core.sight import DISK_CLEAR_SHARE, DISK_LOW_SHARE, CameraHealth, Heartbeat, Sight, ZoneHealth
from tocsin.ports import Clock
from tocsin.watch.blindness import at_once
from tocsin.watch.emitter import Emitter
from tocsin.watch.eye import Address, Seen, Watched
from tocsin.watch.figures import CameraReport, WatcherReport
from tocsin.watch.load import LoadMeter, Sample, cores, headroom, sample
from tocsin.watch.scheduler import Stares
from tocsin.watch.sender import Sender
from tocsin.watch.serving import MetricsServer
from tocsin.watch.spool import Spool
from tocsin.watch.worker import CameraWorker
from tocsin.watch.zones import KeptZones

log = structlog.get_logger()

TICK_S = 1.0
SILENT_AFTER_S = 5.0
"""No analysed frame for this long is silence; the hazard's on-delay comes on top."""
TELL_S = 60.0
"""How often the log says how the looks are spread."""
STOP_WITHIN_S = 15.0


@dataclass(slots=True)
class Post:
    """One camera: its worker, its names, and the watch over its silence."""

    worker: CameraWorker
    name: str
    address: Address
    silent_after_s: float
    began_s: float
    silence: Watched
    held: bool = False
    """Silent with nearly all the others: told as one trouble, and not as its own."""
    health: CameraHealth | None = field(default=None)

    def age_s(self, now_s: float) -> float:
        """Since the last analysed frame, or since the beginning if there was none."""
        seen_s = self.worker.progress.last_look_clock_s
        return now_s - (self.began_s if seen_s is None else seen_s)

    @property
    def limit_s(self) -> float | None:
        return None if self.worker.progress.ended else self.silent_after_s


class Supervisor:
    """Owns the threads of one watcher. The tick runs in the caller's thread."""

    def __init__(
        self,
        name: str,
        posts: Sequence[tuple[CameraWorker, str, Address, float]],
        catalogue: Catalogue,
        spool: Spool,
        emitter: Emitter,
        stares: Stares,
        make_sender: Callable[[Callable[[], Heartbeat]], Sender],
        clock: Clock,
        *,
        status: CapStatus,
        disk_free_share: Callable[[], float],
        make_metrics: Callable[[Callable[[], WatcherReport]], MetricsServer] | None = None,
        load_sample: Callable[[], Sample] = sample,
        zones: KeptZones | None = None,
    ) -> None:
        """`make_metrics`: who serves what `report` says, if anybody is to."""
        self._name = name
        self._zones = zones
        self._catalogue = catalogue
        self._spool = spool
        self._emitter = emitter
        self._stares = stares
        self._told_s = clock.monotonic_s()
        self._clock = clock
        self._disk_free_share = disk_free_share
        self._disk = Watched(catalogue.get("disk-low"))
        self._blind = Watched(catalogue.get("cameras-silent"))
        self._own_address = Address(SourceKind.SYSTEM, f"watcher {name}", PlaceId(f"watcher {name}"), status)
        began_s = clock.monotonic_s()
        silent = catalogue.get("camera-silent")
        self._posts = [
            Post(worker, shown, address, silent_after_s, began_s, Watched(silent))
            for worker, shown, address, silent_after_s in posts
        ]
        self._load_sample = load_sample
        self._meter = LoadMeter(cores())
        self._metrics = make_metrics(self.report) if make_metrics is not None else None
        self._sender = make_sender(self.heartbeat)
        self._stop = threading.Event()

    def run(self) -> bool:
        """Watches until stopped, or until every finite source has ended and its edges are delivered.

        Returns whether all ended by themselves.
        """
        no_core_dumps()
        for post in self._posts:
            post.worker.start()
        self._sender.start()
        if self._metrics is not None:
            self._metrics.start()
        ended = False
        try:
            while not self._stop.wait(TICK_S):
                self._guarded_tick()
                if all(post.worker.progress.ended for post in self._posts):
                    ended = self._drained()
                    if ended:
                        break
        finally:
            self._end()
        return ended

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
        self._meter.take(self._load_sample())
        now_s, now = self._clock.monotonic_s(), self._clock.now()
        self._look_after_silence(now_s, now)
        free = self._disk_free_share()
        if now_s - self._told_s >= TELL_S:
            self._told_s = now_s
            log.info("looking", cameras=len(self._posts), **asdict(self._stares.figures()))
        confidence = 1.0 if free < DISK_LOW_SHARE else 0.6 if free < DISK_CLEAR_SHARE else 0.0
        self._own_look(self._disk, self._own_address, Look(now_s, now, confidence))

    def _look_after_silence(self, now_s: float, now: datetime) -> None:
        """Silence of nearly all at once is one trouble, and not one for each: no own silence is counted then.

        When it is over, those that are still silent count from there.
        """
        live = [
            (post, post.age_s(now_s) > post.silent_after_s)
            for post in self._posts
            if not post.worker.progress.ended
        ]
        untold = [silent for post, silent in live if post.silence.standing is None]
        lost = sum(untold)
        blind = self._blind.hazard.enabled and at_once(lost, len(untold))
        for post, silent in live:
            post.worker.figures.stalled(silent)
            post.held = blind and silent and post.silence.standing is None
            if not post.held:
                self._own_look(post.silence, post.address, Look(now_s, now, 1.0 if silent else 0.0))
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
            looking=self._stares.figures(),
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
        return WatcherReport(self._name, cameras, self._stares.figures(), load, room, spooled, refused, free)

    def _camera_report(self, post: Post, now_s: float) -> CameraReport:
        eye, silent = post.worker.eye, post.silence.standing
        standing = (*eye.standing, *([silent] if silent else []))
        troubles = tuple(e.hazard for e in standing if self._catalogue.get(e.hazard).signal is Signal.TROUBLE)
        looks = replace(post.worker.figures.read(now_s), age_s=max(0.0, post.age_s(now_s)))
        return CameraReport(eye.camera, self._sight(post), post.limit_s, looks, troubles)

    def _sight(self, post: Post) -> Sight:
        progress = post.worker.progress
        if post.silence.standing is not None or post.held or progress.ended:
            return Sight.SILENT
        if progress.last_look_at is None:
            return Sight.STARTING
        return Sight.TROUBLE if post.worker.eye.troubled else Sight.SEEING

    def _health(self, post: Post) -> CameraHealth:
        progress, eye = post.worker.progress, post.worker.eye
        zones = self._zones.health(eye.camera, eye.ignored) if self._zones else ZoneHealth()
        silent = post.silence.standing
        return CameraHealth(
            camera=eye.camera,
            name=post.name,
            place=post.address.place,
            sight=self._sight(post),
            last_look_at=progress.last_look_at,
            looks=progress.looks,
            error="the recording has ended"
            if progress.ended
            else progress.error or eye.failing or zones.error,
            standing=(*eye.standing, *([silent] if silent else [])),
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
        return self._emitter.flush() == 0 and self._spool.counts().waiting == 0

    def _end(self) -> None:
        for post in self._posts:
            post.worker.stop()
        for post in self._posts:
            # Joined, not daemons: a decoder's thread that is torn down at exit crashes the process.
            if not post.worker.join(STOP_WITHIN_S):
                log.error("camera-will-not-stop", camera=post.worker.eye.camera)
        self._emitter.flush()
        self._sender.stop()
        if self._metrics is not None:
            self._metrics.stop()


def no_core_dumps() -> None:
    """A core dump would hold unredacted frames (invariant 4).

    The limit is one byte, not none: where dumps are piped to a program (Ubuntu, Fedora) Linux takes no
    notice of a limit of 0, but lets one of exactly 1 end the dump; and no dump fits into one byte.
    """
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (1, 1))
