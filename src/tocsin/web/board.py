"""Reads what the board shows: open alarms with their pictures, cameras, and warnings."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from tocsin.core.alarm import Alarm, AlarmId
from tocsin.core.sight import Watcher
from tocsin.flows.maintenance import out_of_service
from tocsin.flows.oversee import WATCHER_SILENT
from tocsin.flows.policy import Policy
from tocsin.flows.rostering import roster_of
from tocsin.ports_store import Store, Unit
from tocsin.web.present import alarm_view, camera_views, until_text
from tocsin.web.views import AlarmView, CameraView


class Board:
    """The one reader behind the pages and the live stream, so that they cannot disagree."""

    def __init__(self, store: Store, policy: Policy) -> None:
        self._store = store
        self._policy = policy

    async def alarms(self, now: datetime) -> list[AlarmView]:
        """All open alarms, the gravest and oldest unacknowledged first."""
        async with self._store.reading() as unit:
            views = await self._views(unit, await unit.alarms.open(), now)
        return sorted(views, key=lambda view: view.rank)

    async def some(self, alarm_ids: Sequence[AlarmId], now: datetime) -> list[AlarmView]:
        """These alarms, open or closed, without their time lines."""
        async with self._store.reading() as unit:
            found = await unit.alarms.some(alarm_ids)
            return await self._views(unit, [found[one] for one in alarm_ids if one in found], now)

    async def past(self, before_number: int | None, limit: int, now: datetime) -> list[AlarmView]:
        async with self._store.reading() as unit:
            return await self._views(unit, await unit.alarms.past(before_number, limit), now)

    async def story(self, alarm_id: AlarmId, now: datetime) -> AlarmView | None:
        """One alarm with its time line and pages."""
        async with self._store.reading() as unit:
            alarm = await unit.alarms.get(alarm_id)
            if alarm is None:
                return None
            return alarm_view(
                alarm,
                self._policy,
                now,
                pictures=await unit.pictures.of([alarm_id]),
                lines=await unit.journal.of(alarm_id),
                pages=await unit.pages.of(alarm_id),
                camera_names=await _names(unit),
                underway=await unit.handling.of([alarm_id]),
                edges=[edge for _, edge in await unit.edges.of([alarm_id])],
            )

    async def cameras(self, now: datetime) -> list[CameraView]:
        async with self._store.reading() as unit:
            watchers = await unit.watchers.all()
            out = await out_of_service(unit, now)
        silent_s = self._policy.catalogue.get(WATCHER_SILENT).on_delay_s
        return camera_views(watchers, self._policy, now, silent_s, out)

    async def warnings(self, now: datetime) -> list[str]:
        """What is wrong with the site itself, and would make an alarm go unanswered."""
        roster = self._policy.roster
        found: list[str] = []
        if not roster.responders:
            found.append("Nobody is on the roster: alarms are shown here, but nobody is called.")
        async with self._store.reading() as unit:
            if roster.responders and not (await roster_of(unit, self._policy, now)).on_duty(now):
                found.append("Nobody is on duty now: an alarm calls everyone on the roster.")
            silences = await unit.silences.all(now)
            shown = {c.point for alarm in await unit.alarms.open() for c in alarm.conditions}
            watchers = await unit.watchers.all()
            out = await out_of_service(unit, now)
        for source in sorted(out.keys() - _names_of(watchers).keys()):
            one = out[source]
            until = until_text(one.until, self._policy, now)
            found.append(
                f"Camera {source} is out of service until {until} ({one.by}: {one.reason}), and its watcher"
                " no longer tells of it."
            )
        for point, silence in silences:
            if point not in shown:
                until = silence.until.astimezone(roster.zone)
                found.append(f"{point} pages nobody until {until:%H:%M}: {silence.by}, {silence.reason}.")
        for watcher in watchers:
            refused = watcher.heartbeat.refused if watcher.heartbeat else 0
            if refused:
                found.append(f"Watcher {watcher.name} has {refused} items that were refused; see its log.")
        return found

    async def _views(self, unit: Unit, alarms: Sequence[Alarm], now: datetime) -> list[AlarmView]:
        pictures = await unit.pictures.of([alarm.id for alarm in alarms])
        names = await _names(unit)
        handled = await unit.handling.of([alarm.id for alarm in alarms])
        return [
            alarm_view(
                alarm,
                self._policy,
                now,
                pictures=[p for p in pictures if p.alarm_id == alarm.id],
                camera_names=names,
                underway=[one for one in handled if one.alarm_id == alarm.id],
            )
            for alarm in alarms
        ]


async def _names(unit: Unit) -> dict[str, str]:
    return _names_of(await unit.watchers.all())


def _names_of(watchers: Sequence[Watcher]) -> dict[str, str]:
    return {
        f"{watcher.name}/{camera.camera}": camera.name
        for watcher in watchers
        if watcher.heartbeat is not None
        for camera in watcher.heartbeat.cameras
    }
