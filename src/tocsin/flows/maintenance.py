"""Taking a camera out of service for a while and back: who, why and until when, and what it silences.

A camera that is out of service is watched as ever, and all that it sees is kept and shown; it calls nobody.
What still stands when it is back calls at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

from tocsin.core.alarm import MAX_SILENCE, Alarm, Move, Silence, SilenceKind, can, make
from tocsin.core.errors import IllegalMoveError, SilenceError
from tocsin.core.hazards import Signal
from tocsin.core.journal import Entry, JournalEntry
from tocsin.core.service import OutOfService, laid_over
from tocsin.flows.operate import lift, reason_of
from tocsin.flows.paging import stop_pages
from tocsin.flows.policy import Policy, Ring
from tocsin.flows.zoning import camera_health
from tocsin.ports_store import Store, Unit

REASONS: Mapping[str, str] = MappingProxyType(
    {
        "cleaning": "Lens or housing is cleaned",
        "moved": "Camera is moved or turned",
        "replaced": "Camera or its cable is replaced",
        "works": "Works before it: hot tools, dust, steam",
        "network": "Works on its network or power",
    }
)
"""Why a camera may be out of service; a closed list, with room for a note."""

CHOICES_MIN: Final = (30, 60, 240, 480, 1440)
"""What the console offers; any whole minute up to 24 hours is taken."""

OVER: Final = "its time is over"


class Maintenance:
    """Raises NotFoundError, IllegalMoveError, InvalidInputError or SilenceError, changing nothing."""

    def __init__(self, store: Store, policy: Policy, ring: Ring) -> None:
        self._store = store
        self._policy = policy
        self._ring = ring

    async def take_out(
        self, watcher: str, camera: str, by: str, reason: str, note: str, minutes: int, now: datetime
    ) -> OutOfService:
        """Out of service for so many minutes from now; one that is already out stays out until then.

        The camera's own troubles stop paging. A hazard that it saw before goes on paging until somebody
        has it: nobody takes a camera out of service to be rid of a fire.
        """
        text = reason_of(reason, note, REASONS, where="out of service")
        if not 1 <= minutes <= MAX_SILENCE // timedelta(minutes=1):
            raise SilenceError(
                "a camera is out of service for between a minute and 24 hours",
                where="out of service",
                hint="choose less; it can be extended",
            )
        until = now + timedelta(minutes=minutes)
        async with self._store.deciding() as unit:
            await camera_health(unit, watcher, camera)
            before = (await out_of_service(unit, now)).get(f"{watcher}/{camera}")
            began_at = before.began_at if before else now
            out = OutOfService(watcher, camera, by, text, began_at, now, until)
            await unit.service.put(out)
            detail = f"{'from now on ' if before else ''}until {until:%Y-%m-%d %H:%M}Z"
            await unit.journal.write(
                JournalEntry(now, Entry.OUT_OF_SERVICE, None, by, f"camera {out.source}: {text}", detail)
            )
            await self._lay(unit, out, now)
        self._ring()
        return out

    async def put_back(self, watcher: str, camera: str, by: str, now: datetime) -> None:
        """In service again; what it sees pages at once."""
        source = f"{watcher}/{camera}"
        async with self._store.deciding() as unit:
            if source not in await out_of_service(unit, now):
                raise IllegalMoveError("it is not out of service", where=f"camera {source}")
            await unit.service.drop(source)
            reason = f"camera {source}: ended by a person"
            await unit.journal.write(JournalEntry(now, Entry.IN_SERVICE, None, by, reason))
            out = await out_of_service(unit, now)
            back = f"camera {source} is in service again"
            for alarm in await unit.alarms.open():
                if _lies(alarm) and _sees(alarm, source):
                    await settle(unit, self._policy, alarm, out, by, back, now)
        self._ring()

    async def left_s(self, watcher: str, now: datetime) -> dict[str, float]:
        """Of this watcher's cameras those that are out of service, and for how many seconds more.

        Seconds and no time of day: the watcher's clock need not agree with ours.
        """
        async with self._store.reading() as unit:
            out = await out_of_service(unit, now)
        mine = [one for one in out.values() if one.watcher == watcher]
        return {one.camera: round((one.until - now).total_seconds(), 1) for one in mine}

    async def _lay(self, unit: Unit, out: OutOfService, now: datetime) -> None:
        services = await out_of_service(unit, now)
        why = f"camera {out.source} is out of service"
        for alarm in await unit.alarms.open():
            if not _sees(alarm, out.source):
                continue
            if _lies(alarm):
                await settle(unit, self._policy, alarm, services, out.by, why, now)
            elif alarm.signal is Signal.TROUBLE and not (alarm.silence and alarm.silence.active(now)):
                laid = laid_over(alarm, services, now)
                if laid is not None:
                    after = make(alarm, Move.SILENCE, now).alarm
                    await stop_pages(unit, alarm, now, why)
                    await _put(unit, after, laid, now)


async def out_of_service(unit: Unit, now: datetime) -> dict[str, OutOfService]:
    """The cameras that are out of service now, by source."""
    return {one.source: one for one in await unit.service.all() if one.active(now)}


async def end_expired(unit: Unit, policy: Policy, now: datetime) -> int:
    """Cameras whose time is over are in service again, and silences that have ended are lifted; how many."""
    ended = 0
    for one in await unit.service.all():
        if not one.active(now):
            await unit.service.drop(one.source)
            reason = f"camera {one.source}: {OVER} ({one.by}: {one.reason})"
            await unit.journal.write(JournalEntry(now, Entry.IN_SERVICE, None, "tocsin", reason))
            ended += 1
    out = await out_of_service(unit, now)
    for alarm in await unit.alarms.silenced():
        if alarm.silence is not None and not alarm.silence.active(now):
            await settle(unit, policy, alarm, out, "tocsin", OVER, now)
            ended += 1
    return ended


async def settle(
    unit: Unit,
    policy: Policy,
    alarm: Alarm,
    out: Mapping[str, OutOfService],
    by: str,
    why: str,
    now: datetime,
) -> None:
    """What becomes of a silence whose time is over, or whose camera's time has changed.

    It stays as long as every witness is silenced. Else what stands pages. A trouble of the cameras
    themselves that came and went meanwhile is closed: whoever took them out knows of it. A hazard that is
    gone pages all the same: a camera that was being worked on is no witness that it is over.
    """
    laid = alarm.silence
    ours = _lies(alarm)
    over = None
    if ours or alarm.signal is Signal.TROUBLE:
        over = laid_over(alarm, out, now, dict(await unit.silences.all(now)))
    if over is not None:
        if over != laid:
            await _put(unit, alarm, over, now)
        return
    gone = alarm.signal is Signal.TROUBLE and not alarm.standing and can(alarm, Move.ACKNOWLEDGE)
    if laid is None or not ours or not gone:
        await lift(unit, policy, alarm, by, why, now)
        return
    after = make(replace(alarm, silence=None), Move.ACKNOWLEDGE, now).alarm
    said = f"it came and went while its camera was out of service ({laid.by})"
    await unit.journal.write(JournalEntry(now, Entry.ACKNOWLEDGED, alarm.id, "tocsin", said))
    await unit.alarms.put(replace(after, acknowledged_by=laid.by, acknowledged_at=now))


async def _put(unit: Unit, alarm: Alarm, silence: Silence, now: datetime) -> None:
    until = f"until {silence.until:%H:%M}Z"
    await unit.journal.write(JournalEntry(now, Entry.SILENCED, alarm.id, silence.by, silence.reason, until))
    await unit.alarms.put(replace(alarm, silence=silence))


def _lies(alarm: Alarm) -> bool:
    return alarm.silence is not None and alarm.silence.kind is SilenceKind.OUT_OF_SERVICE


def _sees(alarm: Alarm, source: str) -> bool:
    return any(witness.source == source for witness in alarm.conditions)
