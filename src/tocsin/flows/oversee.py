"""The watchman: silences that ended, watchers that fell silent, a full disk, and what has lived its time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from uuid import UUID, uuid5

from tocsin.core.alarm import Alarm
from tocsin.core.hazards import HazardCode
from tocsin.core.observation import Edge, EdgeId, EdgeKind, PlaceId, SourceKind
from tocsin.core.sight import DISK_CLEAR_SHARE, DISK_LOW_SHARE
from tocsin.flows.intake import Intake
from tocsin.flows.operate import lift
from tocsin.flows.policy import Policy, Ring
from tocsin.ports import Pictures, Store

WATCHER_SILENT = HazardCode("watcher-silent")
DISK_LOW = HazardCode("disk-low")

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
    ) -> None:
        self._store = store
        self._policy = policy
        self._intake = intake
        self._pictures = pictures
        self._ring = ring
        self._started_at = started_at
        self._disk_free_share = disk_free_share
        self._disk_low_since: datetime | None = None

    async def check(self, now: datetime) -> None:
        """One round of everything that must be noticed within seconds."""
        await self.lift_expired(now)
        await self.watchers(now)
        await self.disk(now)

    async def lift_expired(self, now: datetime) -> int:
        """A silence that has ended is lifted: a hazard that still stands pages (invariant 8)."""
        async with self._store.reading() as unit:
            ended = any(a.silence and not a.silence.active(now) for a in await unit.alarms.open())
        if not ended:
            return 0
        lifted = 0
        async with self._store.deciding() as unit:
            for alarm in await unit.alarms.open():
                if alarm.silence is not None and not alarm.silence.active(now):
                    await lift(unit, self._policy, alarm, "tocsin", "its time is over", now)
                    lifted += 1
            await unit.silences.drop_expired(now)
        self._ring()
        return lifted

    async def watchers(self, now: datetime) -> None:
        """A watcher that has not been heard is a trouble signal; heard again, it clears."""
        on_delay = timedelta(seconds=self._policy.catalogue.get(WATCHER_SILENT).on_delay_s)
        async with self._store.reading() as unit:
            watchers = await unit.watchers.all()
            standing = _standing(await unit.alarms.open(), WATCHER_SILENT)
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
            await self._take(WATCHER_SILENT, watcher.name, kind, heard, why, key, now)

    async def disk(self, now: datetime) -> None:
        """Little free space under the centre's own data is a trouble signal, with hysteresis."""
        free = self._disk_free_share()
        async with self._store.reading() as unit:
            standing = "centre" in _standing(await unit.alarms.open(), DISK_LOW)
        low = free < (DISK_CLEAR_SHARE if standing or self._disk_low_since else DISK_LOW_SHARE)
        since = (self._disk_low_since or now) if low else now
        self._disk_low_since = since if low else None
        if low != standing:
            kind = EdgeKind.CONFIRMED if low else EdgeKind.CLEARED
            why = f"{free:.0%} of the disk is free"
            key = f"disk/{kind}/{since.isoformat()}"
            await self._take(DISK_LOW, "centre", kind, since, why, key, now)

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
            ended_alarms += count
            if count < SWEEP:
                break
        return ended_pictures, ended_alarms

    async def _take(
        self,
        hazard: HazardCode,
        source: str,
        kind: EdgeKind,
        since: datetime,
        why: str,
        key: str,
        now: datetime,
    ) -> None:
        edge = Edge(
            id=EdgeId(str(uuid5(_WATCHER, key))),
            kind=kind,
            hazard=hazard,
            source_kind=SourceKind.SYSTEM,
            source=source,
            place=PlaceId(source),
            captured_at=now,
            since=since,
            confidence=1.0,
            hits=1,
            frames=1,
            status=self._policy.status,
            reason=why,
        )
        if kind is EdgeKind.CONFIRMED:
            # As with a camera: closed by a person while it still stands, it is raised anew after a while.
            await self._intake.reconcile((edge,), now, watcher="", said_at=now)
        else:
            await self._intake.take(edge, now)


def _standing(open_alarms: Sequence[Alarm], hazard: HazardCode) -> set[str]:
    """The parts of Tocsin for which this trouble stands already."""
    return {
        condition.source
        for alarm in open_alarms
        for condition in alarm.standing
        if condition.hazard == hazard and condition.source_kind is SourceKind.SYSTEM
    }
