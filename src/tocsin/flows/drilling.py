"""Drills: asked for, taken up by a watcher, followed to the acknowledgement, closed by themselves.

All that is known of one is rows; any of several centres on one database may take the next step of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4, uuid5

from tocsin.core.alarm import Alarm, Move, can, make
from tocsin.core.dispatch import Page
from tocsin.core.drills import (
    FAILED,
    GRACE,
    OF_WATCHER,
    SCHEDULE,
    SOURCE_PREFIX,
    Drill,
    DrillEnd,
    DrillId,
    DrillReport,
    DrillSchedule,
    DrillStage,
    PageTold,
    Stamp,
    drill_of,
    drill_of_edge,
    drill_status,
    open_that_forbid,
    put_right,
    sending_of,
    stuck_text,
)
from tocsin.core.errors import IllegalMoveError, InvalidInputError, NotAllowedError, NotFoundError
from tocsin.core.hazards import HazardCode
from tocsin.core.journal import Entry, JournalEntry
from tocsin.core.observation import CapStatus, Edge, EdgeId, EdgeKind, PlaceId, SourceKind
from tocsin.core.sight import CameraHealth, Sight
from tocsin.flows.intake import Intake
from tocsin.flows.maintenance import out_of_service
from tocsin.flows.oversee import WATCHER_SILENT
from tocsin.flows.paging import stop_pages
from tocsin.flows.policy import Policy, Ring
from tocsin.ports_store import Store, Unit
from tocsin.ports_watchman import Mark

DRILL_FAILED: Final = HazardCode("drill-failed")

SHORTEST_S: Final = 30.0
LONGEST_S: Final = 900.0
"""How long a drill may be waited for. What it calls must not go on for longer."""
MOST_SAID: Final = 300

_DRILL: Final = UUID("4d4f1c9e-77a5-5a7e-8a37-5a5d0b6f2e14")
_MARK: Final = "drills"
_NOT_DETECTED: Final = "not-detected"
"""The stamp of a watcher whose detector has not confirmed the plume."""


class Drilling:
    """Each step with `now` as an argument; safe to run twice, by several centres on one database."""

    def __init__(
        self,
        store: Store,
        policy: Policy,
        intake: Intake,
        ring: Ring,
        schedule: DrillSchedule | None = None,
    ) -> None:
        self._store = store
        self._policy = policy
        self._intake = intake
        self._ring = ring
        self._schedule = schedule or DrillSchedule()

    @property
    def schedule(self) -> DrillSchedule:
        return self._schedule

    async def ask(
        self,
        by: str,
        now: datetime,
        *,
        camera: str = "",
        place: str = "",
        wait_s: float = 0.0,
        drill_id: DrillId | None = None,
    ) -> Drill:
        """A drill on that camera ("watcher/camera", or its id where one watcher alone has it), on the first
        that sees of that place, or on the first that sees.

        Raises NotFoundError, InvalidInputError, and IllegalMoveError where no drill may be held now.
        """
        wait_s = wait_s or self._schedule.wait_s
        if not SHORTEST_S <= wait_s <= LONGEST_S:
            raise InvalidInputError(
                f"a drill is waited for between {SHORTEST_S:.0f} and {LONGEST_S:.0f} s", where="drill"
            )
        async with self._store.deciding() as unit:
            watcher, found = await self._choose(unit, camera, place, now)
            await self._require_calm(unit)
            if f"{watcher}/{found.camera}" in await out_of_service(unit, now):
                raise IllegalMoveError(
                    "this camera is out of service",
                    where=f"camera {watcher}/{found.camera}",
                    hint="put it back",
                )
            drill = Drill(
                drill_id or DrillId(uuid4().hex),
                watcher,
                found.camera,
                found.place,
                by,
                now,
                wait_s,
            )
            if not await unit.drills.add(drill):
                raise IllegalMoveError("this drill was asked for before", where="drill")
            await unit.drills.stamp(drill.id, Stamp(DrillStage.ASKED, now, by))
        self._ring()
        return drill

    async def _require_calm(self, unit: Unit) -> None:
        """Raises IllegalMoveError where a drill would stand in the way of something."""
        running = await unit.drills.running()
        if running:
            raise IllegalMoveError(
                f"a drill of {running[0].source} is running", where="drill", hint="wait for it"
            )
        if await unit.floods.current() is not None:
            raise IllegalMoveError("there is a flood of alarms", where="drill", hint="when it is over")
        grave = open_that_forbid(await unit.alarms.open())
        if grave:
            one = min(grave, key=lambda alarm: (alarm.priority, alarm.number))
            name = self._policy.catalogue.get(one.hazard).name
            raise IllegalMoveError(
                f"alarm {one.number} is open ({name} at {self._policy.place_name(one.place)})",
                where="drill",
                hint="no drill is held beside an alarm of emergency or high priority",
            )

    async def _choose(self, unit: Unit, camera: str, place: str, now: datetime) -> tuple[str, CameraHealth]:
        heard_within = timedelta(seconds=self._policy.catalogue.get(WATCHER_SILENT).on_delay_s)
        known = [
            (watcher, one)
            for watcher in await unit.watchers.all()
            if watcher.heartbeat is not None
            for one in watcher.heartbeat.cameras
        ]
        fits = [
            (watcher, one)
            for watcher, one in known
            if (not camera or camera in (one.camera, f"{watcher.name}/{one.camera}"))
            and (not place or one.place == place)
        ]
        if not fits:
            what = f"camera {camera}" if camera else f"place {place}"
            raise NotFoundError(
                "no watcher has told of such a camera" if camera or not place else "no camera looks at it",
                where=what if camera or place else "drill",
                hint="the console's page of cameras lists them",
            )
        if camera and len({watcher.name for watcher, _ in fits}) > 1:
            names = ", ".join(f"{watcher.name}/{one.camera}" for watcher, one in fits)
            raise InvalidInputError("several watchers have one of that name", where="camera", hint=names)
        sees = [
            (watcher.name, one)
            for watcher, one in fits
            if watcher.heard_at is not None
            and timedelta(0) <= now - watcher.heard_at <= heard_within
            and one.sight is not Sight.SILENT
        ]
        if not sees:
            watcher, one = fits[0]
            raise IllegalMoveError(
                "no picture of it comes now",
                where=f"camera {watcher.name}/{one.camera}",
                hint="see to the camera or its watcher first",
            )
        return sees[0]

    async def waiting_for(self, watcher: str, now: datetime) -> list[dict[str, str]]:
        """What the answer to this watcher's heartbeat asks it to do; asked again until it tells of it."""
        async with self._store.reading() as unit:
            drills = await unit.drills.waiting_for(watcher)
        return [{"id": one.id, "camera": one.camera} for one in drills if now < one.ends_at]

    async def told(
        self,
        watcher: str,
        drill_id: DrillId,
        stamps: Sequence[Stamp],
        said_at: datetime,
        not_detected: str,
        now: datetime,
    ) -> None:
        """What its watcher says of a drill, as often as it likes. `not_detected`: what was tried in vain.

        Raises NotFoundError for a drill that is not this watcher's.
        """
        async with self._store.writing() as unit:
            drill = await unit.drills.get(drill_id)
            if drill is None or drill.watcher != watcher:
                raise NotFoundError("nobody waits for this drill", where=f"drill {drill_id[:40]}")
            if drill.result is not None:
                return
            mine = [
                replace(one, at=max(drill.asked_at, put_right(one.at, said_at, now)))
                for one in stamps
                if one.stage in OF_WATCHER
            ]
            if not_detected:
                mine.append(Stamp(_NOT_DETECTED, now, not_detected[:MOST_SAID]))
            await unit.drills.stamp(drill_id, *mine)

    async def committed(self, edge: Edge, arrived_at: datetime, now: datetime) -> None:
        """The edge of a drill was taken: its alarm and pages are on the disk."""
        drill_id = drill_of_edge(edge.id)
        if drill_id is None:
            return
        async with self._store.writing() as unit:
            if await unit.drills.get(drill_id) is not None:
                await unit.drills.stamp(
                    drill_id,
                    Stamp(DrillStage.ACCEPTED, arrived_at),
                    Stamp(DrillStage.COMMITTED, now, edge.hazard),
                )

    async def beat(self, now: datetime) -> None:
        """Takes every step that is due: ends what is over, begins what is scheduled."""
        async with self._store.reading() as unit:
            running = await unit.drills.running()
            over = [a for a in await unit.alarms.open() if _left(drill_of(a), running)]
        for alarm in over:
            # Its edge came late, or the centre was killed before it was closed: nobody shall be called by it.
            async with self._store.deciding() as unit:
                await self._close(unit, await unit.alarms.get(alarm.id), "the drill is over", now)
        for drill in running:
            await self._follow(drill, now)
        if self._schedule.at is not None:
            await self._begin_due(now)

    async def _follow(self, drill: Drill, now: datetime) -> None:
        async with self._store.deciding() as unit:
            known = await unit.drills.get(drill.id)
            if known is None or known.result is not None:
                return
            report = await _report_of(unit, known)
            alarm = await _alarm_of(unit, known)
            ended = await self._ending(unit, report, alarm, now)
            if ended is None:
                return
            result, said = ended
            if alarm is not None:
                await self._close(unit, alarm, f"drill: {said}", now)
            report = replace(report, drill=replace(known, result=result, ended_at=now, said=said[:MOST_SAID]))
            await unit.drills.put(report)
        self._ring()
        await self._judge(report.drill, now)

    async def _ending(
        self, unit: Unit, report: DrillReport, alarm: Alarm | None, now: datetime
    ) -> tuple[DrillEnd, str] | None:
        """How it ends now and why; None while it goes on."""
        grave = open_that_forbid(await unit.alarms.open())
        if grave:
            one = min(grave, key=lambda other: (other.priority, other.number))
            return DrillEnd.BROKEN_OFF, f"alarm {one.number} came up, and has everybody's attention"
        stamps = {one.stage: one for one in await unit.drills.stamps(report.drill.id)}
        if _NOT_DETECTED in stamps and alarm is None:
            return DrillEnd.NOT_DETECTED, stamps[_NOT_DETECTED].said
        if DrillStage.ACKNOWLEDGED in report.stamps and report.missing is None:
            took = report.stamps[DrillStage.ACKNOWLEDGED].at - report.drill.asked_at
            return DrillEnd.OK, f"acknowledged {took.total_seconds():.0f} s after it was asked for"
        if now < report.drill.ends_at and now >= report.drill.asked_at:
            return None
        missing = report.missing
        if missing is DrillStage.ACKNOWLEDGED or missing is None:
            return DrillEnd.UNANSWERED, f"nobody has acknowledged within {report.drill.wait_s:.0f} s"
        return DrillEnd.STUCK, stuck_text(missing)

    async def _close(self, unit: Unit, alarm: Alarm | None, why: str, now: datetime) -> None:
        if alarm is None or not alarm.open:
            return
        after = alarm
        for move in (Move.ACKNOWLEDGE, Move.RESET):
            # Whoever has not answered has not: nobody is named as having acknowledged.
            if can(after, move):
                after = make(after, move, now).alarm
        after = replace(after, outcome="drill", silence=None)
        await unit.journal.write(JournalEntry(now, Entry.RESOLVED, alarm.id, "tocsin", "Drill or test", why))
        await stop_pages(unit, alarm, now, "the drill is over")
        await unit.silences.drop([condition.point for condition in alarm.conditions])
        await unit.alarms.put(after)

    async def _begin_due(self, now: datetime) -> None:
        """Begins the next drill that is due, or says that it was missed.

        Each has an id that its time and camera make: of two centres one inserts it.
        """
        due = self._schedule.last_due(now, self._policy.roster.zone)
        if due is None:
            return
        async with self._store.reading() as unit:
            mark = await unit.watchman.get(_MARK)
        if mark is None or mark.said != self._schedule.text or mark.at > now:
            # Set up, or changed, just now: what would have been due before was never promised.
            async with self._store.writing() as unit:
                await unit.watchman.put(_MARK, Mark(now, self._schedule.text))
            return
        if due < mark.at:
            return
        for watcher, camera in self._schedule.cameras:
            drill_id = DrillId(uuid5(_DRILL, f"{due.isoformat()}/{watcher}/{camera}").hex)
            async with self._store.reading() as unit:
                if await unit.drills.get(drill_id) is not None:
                    continue
                if await unit.drills.running():
                    return
            try:
                await self.ask(SCHEDULE, now, camera=f"{watcher}/{camera}", drill_id=drill_id)
                return
            except (IllegalMoveError, NotFoundError, InvalidInputError) as error:
                if now - due <= GRACE:
                    continue
                why = f"due {due.astimezone(self._policy.roster.zone):%a %H:%M}, not held: {error.what}"
            await self._missed(drill_id, watcher, camera, due, why, now)

    async def _missed(
        self, drill_id: DrillId, watcher: str, camera: str, due: datetime, why: str, now: datetime
    ) -> None:
        drill = Drill(
            drill_id,
            watcher,
            camera,
            camera,
            SCHEDULE,
            due,
            self._schedule.wait_s,
            DrillEnd.MISSED,
            now,
            why[:MOST_SAID],
        )
        async with self._store.writing() as unit:
            if not await unit.drills.add(drill):
                return
            await unit.drills.put(DrillReport(drill))
        await self._judge(drill, now)

    async def _judge(self, drill: Drill, now: datetime) -> None:
        """A scheduled drill that failed is a trouble of its camera until one passes, whoever asked for it."""
        source = f"drill of {drill.source}"
        since = None
        async with self._store.reading() as unit:
            for alarm in await unit.alarms.open({DRILL_FAILED}):
                for condition in alarm.standing:
                    if condition.source == source:
                        since = condition.since
        if drill.result is DrillEnd.OK and since is not None:
            edge = self._edge(EdgeKind.CLEARED, source, since, "a drill passed", drill, now)
            await self._intake.take(edge, now)
        elif drill.result in FAILED and drill.by == SCHEDULE:
            why = f"{drill.result.text}: {drill.said}" if drill.result else drill.said
            edge = self._edge(EdgeKind.CONFIRMED, source, drill.asked_at, why, drill, now)
            await self._intake.take(edge, now)

    def _edge(
        self, kind: EdgeKind, source: str, since: datetime, why: str, drill: Drill, now: datetime
    ) -> Edge:
        return Edge(
            id=EdgeId(str(uuid5(_DRILL, f"{drill.id}/{kind}"))),
            kind=kind,
            hazard=DRILL_FAILED,
            source_kind=SourceKind.SYSTEM,
            source=source,
            place=PlaceId(source),
            captured_at=now,
            since=min(since, now),
            confidence=1.0,
            hits=1,
            frames=1,
            status=self._policy.status,
            reason=why[:300],
        )

    async def report(self, drill_id: DrillId) -> DrillReport:
        """Where its time went, up to now. Raises NotFoundError."""
        async with self._store.reading() as unit:
            kept = await unit.drills.report(drill_id)
            if kept is not None:
                return kept
            drill = await unit.drills.get(drill_id)
            if drill is None:
                raise NotFoundError("there is no such drill", where=f"drill {drill_id[:40]}")
            return await _report_of(unit, drill)

    async def last(self, limit: int) -> Sequence[Drill]:
        async with self._store.reading() as unit:
            return await unit.drills.last(limit)

    async def last_ended(self) -> DrillReport | None:
        async with self._store.reading() as unit:
            return await unit.drills.last_ended()


def report_fields(report: DrillReport) -> dict[str, Any]:
    """A report as JSON: times as text, seconds since the stage before and since it was asked for."""
    drill = report.drill
    return {
        "id": drill.id,
        "camera": drill.source,
        "place": drill.place,
        "by": drill.by,
        "asked_at": drill.asked_at.isoformat(),
        "result": "running" if drill.result is None else drill.result.value,
        "said": drill.said,
        "missing": None if report.missing is None else report.missing.value,
        "alarm": {"id": report.alarm_id, "number": report.alarm_number} if report.alarm_id else None,
        "stages": [
            {
                "stage": stage.value,
                "at": stamp.at.isoformat(),
                "since_before_s": round(since_s, 3),
                "since_asked_s": round(total_s, 3),
                "said": stamp.said,
            }
            for stage, stamp, since_s, total_s in report.steps()
        ],
        "pages": [
            {
                name: value.isoformat() if isinstance(value, datetime) else value
                for name, value in asdict(page).items()
            }
            for page in report.pages
        ],
    }


def as_drill(edge: Edge, site: CapStatus) -> Edge:
    """An edge of a drill as what it is, whatever its watcher marked it as; any other as it came.

    Raises NotAllowedError for one that is called a drill's by its id alone, or by its source alone: what is
    real must not be closed as a drill.
    """
    marked = drill_of_edge(edge.id) is not None
    of_drill = edge.source_kind is SourceKind.CAMERA and edge.source.partition("/")[2].startswith(
        SOURCE_PREFIX
    )
    if marked != of_drill:
        raise NotAllowedError("an edge of a drill bears a drill's id and source", where=f"edge {edge.id}")
    if not marked:
        return edge
    reason = f"drill: drawn smoke and flame before the camera, {edge.reason}"
    return replace(edge, status=drill_status(site), reason=reason[:MOST_SAID])


def _left(drill_id: DrillId | None, running: Sequence[Drill]) -> bool:
    return drill_id is not None and all(one.id != drill_id for one in running)


async def _alarm_of(unit: Unit, drill: Drill) -> Alarm | None:
    receipt = await unit.edges.receipt(drill.edge_id)
    return None if receipt is None or receipt.alarm_id is None else await unit.alarms.get(receipt.alarm_id)


async def _report_of(unit: Unit, drill: Drill) -> DrillReport:
    kept = {one.stage: one for one in await unit.drills.stamps(drill.id)}
    found = {stage: kept[stage] for stage in DrillStage if stage in kept}
    alarm = await _alarm_of(unit, drill)
    if alarm is None:
        return DrillReport(drill, found)
    # A centre that was killed after its commit has not stamped it: the alarm itself says when.
    for stage in (DrillStage.ACCEPTED, DrillStage.COMMITTED):
        found.setdefault(stage, Stamp(stage, alarm.raised_at))
    pages = [_told(page, kept) for page in await unit.pages.of(alarm.id)]
    for stage, times in (
        (DrillStage.SENDING, [one.sending_at for one in pages]),
        (DrillStage.SENT, [one.sent_at for one in pages]),
        (DrillStage.DELIVERED, [one.delivered_at for one in pages]),
        (DrillStage.SEEN, [one.seen_at for one in pages]),
    ):
        at = min((one for one in times if one is not None), default=None)
        if at is not None:
            found[stage] = Stamp(stage, at)
    if alarm.acknowledged_at is not None:
        found[DrillStage.ACKNOWLEDGED] = Stamp(
            DrillStage.ACKNOWLEDGED, alarm.acknowledged_at, alarm.acknowledged_by or ""
        )
    return DrillReport(drill, found, tuple(pages), alarm.number, alarm.id)


def _told(page: Page, stamps: dict[str, Stamp]) -> PageTold:
    begun = stamps.get(sending_of(page.id))
    sent = page.done_at if page.state.value == "sent" else None
    return PageTold(
        page.responder_name,
        page.channel,
        page.state.value if page.stage is None else page.stage.value,
        begun.at if begun else None,
        sent,
        page.delivered_at,
        page.seen_at,
        page.acknowledged_at,
        page.last_error,
    )
