"""The watchman: silences that ended, watchers that fell silent, a full disk, and what has lived its time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID, uuid5

from tocsin.core.errors import InvalidEdgeError
from tocsin.core.hazards import HazardCode
from tocsin.core.observation import Edge, EdgeKind, SourceKind
from tocsin.core.sight import DISK_CLEAR_SHARE, DISK_LOW_SHARE, CameraHealth, Sight
from tocsin.flows.coverage import Coverage
from tocsin.flows.handing_over import HandingOver
from tocsin.flows.intake import Intake
from tocsin.flows.linking import KEEP_USED
from tocsin.flows.maintenance import end_expired, out_of_service
from tocsin.flows.policy import Policy, Ring
from tocsin.flows.troubles import standing_of, system_edge
from tocsin.ports_store import Pictures, Store

WATCHER_SILENT = HazardCode("watcher-silent")
DISK_LOW = HazardCode("disk-low")
CAMERA_SILENT = HazardCode("camera-silent")

WATCHER_FIRST_S = 10.0
"""A watcher tells of its cameras' silence itself, within two heartbeats; only where it does not, we do."""

_WATCHER = UUID("5b8a8f39-2e9a-5e14-8c3f-0c6f6f1f9f31")
SWEEP = 500


class Oversee:
    """Checks that run on a beat, each with `now` as an argument; safe to run twice."""

    def __init__(
        self,
        store: Store,
        policy: Policy,
        intake: Intake,
        pictures: Pictures,
        ring: Ring,
        *,
        started_at: datetime,
        disk_free_share: Callable[[], float],
        also: Sequence[Callable[[datetime], Awaitable[object]]] = (),
    ) -> None:
        """`also`: further checks of each round, in order: floods, the auditor."""
        self._store = store
        self._policy = policy
        self._intake = intake
        self._pictures = pictures
        self._ring = ring
        self._started_at = started_at
        self._disk_free_share = disk_free_share
        self._coverage = Coverage(store, policy, intake)
        self._handing_over = HandingOver(store, policy, ring)
        self._also = tuple(also)
        self._disk_low_since: datetime | None = None
        self._blind_since: dict[str, datetime] = {}
        self._back_since: dict[str, datetime] = {}

    async def check(self, now: datetime) -> None:
        """One round of everything that must be noticed within seconds."""
        await self.lift_expired(now)
        await self.watchers(now)
        await self.disk(now)
        await self.eyes(now)
        await self._coverage.check(now)
        await self._handing_over.check(now)
        for check in self._also:
            await check(now)

    async def lift_expired(self, now: datetime) -> int:
        """A silence that has ended is lifted, a camera whose time out of service is over is back in it: a
        hazard that still stands pages (invariant 8)."""
        async with self._store.reading() as unit:
            ended = any(a.silence and not a.silence.active(now) for a in await unit.alarms.silenced())
            ended = ended or any(not one.active(now) for one in await unit.service.all())
        if not ended:
            return 0
        async with self._store.deciding() as unit:
            lifted = await end_expired(unit, self._policy, now)
            await unit.silences.drop_expired(now)
        self._ring()
        return lifted

    async def watchers(self, now: datetime) -> None:
        """A watcher that has not been heard is a trouble signal; heard again, it clears."""
        on_delay = timedelta(seconds=self._policy.catalogue.get(WATCHER_SILENT).on_delay_s)
        async with self._store.reading() as unit:
            watchers = await unit.watchers.all()
            standing = await standing_of(unit, self._policy, WATCHER_SILENT)
        for watcher in watchers:
            if watcher.heard_at is None:
                continue  # added, never started: nothing was promised yet
            # After our own pause (a restart, a clock set back) every watcher gets its time anew.
            heard = min(max(watcher.heard_at, self._started_at), now)
            silent = now - heard > on_delay
            # Our pause says nothing of the watcher: only a heartbeat of now ends its silence (invariant 2).
            back = timedelta(0) <= now - watcher.heard_at <= on_delay
            if watcher.name in standing:
                if not back:
                    continue
                kind, why = EdgeKind.CLEARED, "it is heard again"
            elif silent:
                kind, why = EdgeKind.CONFIRMED, f"not heard for {(now - heard).total_seconds():.0f} s"
            else:
                continue
            key = f"{watcher.name}/{kind}/{watcher.heard_at.isoformat()}"
            edge = self._edge(WATCHER_SILENT, watcher.name, kind, heard, why, key, now)
            await self._told(edge, now)

    async def eyes(self, now: datetime) -> None:
        """A watcher that beats, but has not looked at a camera for too long, is that camera's trouble.

        The watcher raises that itself, at the same point; this is for one whose own watch over silence is
        dead, or that was started anew and no longer knows what it had raised. What it calls silent is left
        to it, and nothing clears but looks that come again (invariant 2). No look is missed of a camera that
        is out of service; its silence is told when it is back, if it lasts.
        """
        heard_within = timedelta(seconds=self._policy.catalogue.get(WATCHER_SILENT).on_delay_s)
        async with self._store.reading() as unit:
            watchers = await unit.watchers.all()
            standing = await standing_of(unit, self._policy, CAMERA_SILENT, SourceKind.CAMERA)
            out = await out_of_service(unit, now)
        known = set[str]()
        for watcher in watchers:
            if watcher.heartbeat is None or watcher.heard_at is None:
                continue
            beats = timedelta(0) <= now - watcher.heard_at <= heard_within
            for camera in watcher.heartbeat.cameras:
                source = f"{watcher.name}/{camera.camera}"
                known.add(source)
                if not beats:  # that is the watcher's own trouble, told once and not for each of its cameras
                    self._back_since.pop(source, None)
                    continue
                try:
                    owed = source not in out
                    await self._eye(
                        source, camera, watcher.heard_at, now, stands=source in standing, owed=owed
                    )
                except InvalidEdgeError:
                    continue  # what one watcher names wrongly must not leave the others' cameras unwatched
        for kept in (self._blind_since, self._back_since):
            for source in kept.keys() - known:
                del kept[source]

    async def _eye(
        self, source: str, camera: CameraHealth, heard: datetime, now: datetime, *, stands: bool, owed: bool
    ) -> None:
        """Only the age that the watcher told counts: what its heartbeat takes to come is no blindness.

        `owed`: its looks are missed when they do not come.
        """
        age_s, limit_s = camera.since_look_s, camera.limit_s
        if age_s is None or limit_s is None or _says_silent(camera):
            self._blind_since.pop(source, None)
            self._back_since.pop(source, None)
            return
        hazard = self._policy.catalogue.get(CAMERA_SILENT)
        if age_s <= limit_s:
            self._blind_since.pop(source, None)
            if not stands or camera.sight is Sight.STARTING:
                self._back_since.pop(source, None)
                return
            back = self._back_since.setdefault(source, heard)
            if heard - back >= timedelta(seconds=hazard.off_delay_s):
                del self._back_since[source]
                why = "its pictures are analysed again"
                await self._take_camera(source, camera, EdgeKind.CLEARED, back, why, now)
            return
        self._back_since.pop(source, None)
        if not owed:
            self._blind_since.pop(source, None)
            return
        if hazard.enabled and not stands and age_s > limit_s + hazard.on_delay_s + WATCHER_FIRST_S:
            since = self._blind_since.setdefault(source, heard - timedelta(seconds=age_s))
            why = f"its watcher answers, but has analysed no picture of it for {age_s:.0f} s"
            await self._take_camera(source, camera, EdgeKind.CONFIRMED, since, why, now)

    async def disk(self, now: datetime) -> None:
        """Little free space under the centre's own data is a trouble signal, with hysteresis."""
        free = self._disk_free_share()
        async with self._store.reading() as unit:
            standing = "centre" in await standing_of(unit, self._policy, DISK_LOW)
        low = free < (DISK_CLEAR_SHARE if standing or self._disk_low_since else DISK_LOW_SHARE)
        since = (self._disk_low_since or now) if low else now
        self._disk_low_since = since if low else None
        if low != standing:
            kind = EdgeKind.CONFIRMED if low else EdgeKind.CLEARED
            why = f"{free:.0%} of the disk is free"
            key = f"disk/{kind}/{since.isoformat()}"
            await self._told(self._edge(DISK_LOW, "centre", kind, since, why, key, now), now)

    async def sweep(self, now: datetime) -> tuple[int, int]:
        """Ends what has lived its time; how many pictures and alarms (invariant 8)."""
        ended_pictures = 0
        while True:
            async with self._store.writing() as unit:
                digests = await unit.pictures.end(
                    now - timedelta(days=self._policy.keep_pictures_days), SWEEP
                )
                # Files first: killed before the commit, they are dropped again; after it, nothing
                # would name them any more and they would stay for ever.
                await self._pictures.drop(digests)
            ended_pictures += len(digests)
            if len(digests) == 0:
                break
        # Files that no record names: left by a kill between file and record, or by a refused one.
        old = await self._pictures.older(now - timedelta(days=1))
        for first in range(0, len(old), SWEEP):
            some = old[first : first + SWEEP]
            async with self._store.reading() as unit:
                known = await unit.pictures.known(some)
            await self._pictures.drop([digest for digest in some if digest not in known])
        ended_alarms = 0
        while True:
            async with self._store.writing() as unit:
                count = await unit.alarms.end(now - timedelta(days=self._policy.keep_alarms_days), SWEEP)
                await unit.accounts.end(now)
                await unit.silences.drop_expired(now)
                old_duty = await unit.duty.end(now - timedelta(days=self._policy.keep_alarms_days), SWEEP)
                for kept in (unit.sending, unit.subscriptions):
                    await kept.end(now - timedelta(days=self._policy.keep_alarms_days))
                await unit.used_links.end(now - KEEP_USED)
            ended_alarms += count
            if max(count, old_duty) < SWEEP:
                break
        return ended_pictures, ended_alarms

    async def _take_camera(
        self, source: str, camera: CameraHealth, kind: EdgeKind, since: datetime, why: str, now: datetime
    ) -> None:
        key = f"{source}/{kind}/{since.isoformat()}"
        edge = self._edge(CAMERA_SILENT, source, kind, since, why, key, now)
        edge = replace(edge, source_kind=SourceKind.CAMERA, place=camera.place)
        await self._told(edge, now)

    def _edge(
        self,
        hazard: HazardCode,
        source: str,
        kind: EdgeKind,
        since: datetime,
        why: str,
        key: str,
        now: datetime,
    ) -> Edge:
        edge_id = str(uuid5(_WATCHER, key))
        return system_edge(self._policy, edge_id, kind, hazard, source, since, why, now)

    async def _told(self, edge: Edge, now: datetime) -> None:
        if edge.kind is EdgeKind.CONFIRMED:
            # As with a camera: closed by a person while it still stands, it is raised anew after a while.
            await self._intake.reconcile((edge,), now, watcher="", said_at=now)
        else:
            await self._intake.take(edge, now)


def _says_silent(camera: CameraHealth) -> bool:
    return camera.sight is Sight.SILENT or any(edge.hazard == CAMERA_SILENT for edge in camera.standing)
