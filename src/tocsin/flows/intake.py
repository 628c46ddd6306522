"""Intake: an edge or a staff report becomes an alarm, its journal and its pages, in one commit.

Whoever is told "accepted" is told after that commit (invariant 1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import assert_never
from uuid import UUID, uuid4, uuid5

from tocsin.core.alarm import (
    Alarm,
    AlarmId,
    AlarmState,
    Move,
    Moved,
    Silence,
    SilenceKind,
    make,
    unwitnessed,
    witnessed,
)
from tocsin.core.errors import InvalidEdgeError, NotAllowedError
from tocsin.core.hazards import HazardCode
from tocsin.core.journal import Entry, JournalEntry
from tocsin.core.observation import CapStatus, Edge, EdgeId, EdgeKind, PlaceId, SourceKind
from tocsin.core.report_time import believed
from tocsin.core.service import laid_over
from tocsin.core.triage import LATE_AFTER, MAX_AHEAD, Ruling, Verdict, triage
from tocsin.flows.gather import Gather
from tocsin.flows.maintenance import out_of_service
from tocsin.flows.paging import page_step, stop_pages
from tocsin.flows.policy import Policy, Ring
from tocsin.flows.sighting import line_of
from tocsin.ports_store import EdgeReceipt, Store, Unit

RESEEN_AFTER = timedelta(minutes=10)
"""A person may close an alarm that a camera still sees; if it is still seen this long after, it is
raised anew: a wrong "it is over" must not be the last word."""

TOGETHER = 64
"""Edges that one commit takes, at most: enough that a disk's slowest commit keeps none waiting, few enough
that people's own moves, which wait for it, are not held up."""

_AGAIN = UUID("0b6f4a53-4f0c-5a52-9f4e-0a7f5a1f7f11")


@dataclass(frozen=True, slots=True)
class StaffReport:
    """A member of staff reports a hazard by its code. `id` is the idempotency key.

    `made_at` and `sent_at` are the reporter's own clock's, if it had to wait for the network.
    """

    id: str
    hazard: str
    place: str
    reporter: str
    made_at: datetime | None = None
    sent_at: datetime | None = None


def report_key(text: str) -> str:
    """One shape, however a browser wrote it, so that a repeat has the same key. Raises InvalidEdgeError."""
    try:
        return str(UUID(text))
    except ValueError:
        raise InvalidEdgeError("its id is not a UUID", where="report", hint="load the form again") from None


@dataclass(frozen=True, slots=True)
class _Taken:
    edge: Edge
    now: datetime
    watcher: str


class Intake:
    """Takes edges and reports; holds nothing but those that are just being taken."""

    def __init__(self, store: Store, policy: Policy, ring: Ring) -> None:
        self._store = store
        self._policy = policy
        self._ring = ring
        self._gather = Gather[_Taken, EdgeReceipt](self._take_all, TOGETHER)

    async def take(self, edge: Edge, now: datetime, *, watcher: str = "") -> EdgeReceipt:
        """What becomes of the edge; the same for the same edge however often it comes.

        Raises UnknownHazardError or NotAllowedError for an edge that no detector may send, and
        StoreError when it could not be committed: then nothing was kept, and it must be sent again.
        """
        hazard = self._policy.catalogue.get(edge.hazard, where=f"edge {edge.id}")
        by_staff = edge.source_kind is SourceKind.STAFF
        if not (hazard.raised_by.staff if by_staff else hazard.raised_by.detector):
            who = "staff" if by_staff else "a detector"
            raise NotAllowedError(f"{hazard.name!r} is not raised by {who}", where=f"edge {edge.id}")
        if any("\x00" in text for text in (edge.id, edge.source, edge.place, edge.reason)):
            # PostgreSQL keeps none. A refusal for good: sent again and again, it would hold up all that
            # waits behind it in the watcher's spool.
            raise InvalidEdgeError("a NUL character is in its names", where="edge")
        return await self._gather.ask(_Taken(edge, now, watcher))

    async def _take_all(self, taken: Sequence[_Taken]) -> Sequence[EdgeReceipt]:
        """All of them in one commit, one after the other."""
        async with self._store.deciding() as unit:
            await unit.expect([one.edge for one in taken])
            receipts = [await self._take_one(unit, one) for one in taken]
        self._ring()
        return receipts

    async def _take_one(self, unit: Unit, taken: _Taken) -> EdgeReceipt:
        now = taken.now
        known = await unit.edges.receipt(taken.edge.id)
        if known is not None:
            return known
        edge, timing = _timed(self._as_here(taken.edge), now)
        out = (await out_of_service(unit, now)).get(edge.source)
        if out is not None and edge.source_kind is SourceKind.CAMERA:
            said = f"its camera is out of service until {out.until:%H:%M}Z ({out.by}: {out.reason})"
            timing = f"{timing}; {said}" if timing else said
        line, layout = await line_of(unit, self._policy, edge), self._policy.layout
        mates = await unit.alarms.related(edge, layout.beside(edge.place), located=line is not None)
        verdict = triage(edge, mates, self._policy.catalogue, line, layout)
        alarm = await self._apply(unit, edge, verdict, timing, now)
        receipt = EdgeReceipt(edge.id, alarm.id if alarm else None, verdict.ruling, verdict.text)
        late_s = (now - edge.captured_at).total_seconds()
        await unit.edges.record(edge, receipt, received_at=now, late_s=late_s, watcher=taken.watcher)
        return receipt

    def _as_here(self, edge: Edge) -> Edge:
        """On a site that is being set up everything is a drill, whatever a watcher believes."""
        if edge.status is CapStatus.ACTUAL and self._policy.status is not CapStatus.ACTUAL:
            return replace(edge, status=self._policy.status)
        return edge

    async def report(self, report: StaffReport, now: datetime) -> EdgeReceipt:
        """A staff report, as an edge of the place. Raises InvalidEdgeError for an unknown place."""
        if report.place not in self._policy.places:
            raise InvalidEdgeError(
                f"place {report.place!r} is not known", where="report", hint="choose one of the list"
            )
        captured_at, said = believed(report.made_at, report.sent_at, now)
        edge = Edge(
            id=EdgeId(report_key(report.id)),
            kind=EdgeKind.CONFIRMED,
            hazard=HazardCode(report.hazard),
            source_kind=SourceKind.STAFF,
            source=report.reporter,
            place=PlaceId(report.place),
            captured_at=captured_at,
            since=captured_at,
            confidence=1.0,
            hits=1,
            frames=1,
            status=self._policy.status,
            reason=f"reported by {report.reporter}" + (f"; {said}" if said else ""),
        )
        return await self.take(edge, now)

    async def reconcile(
        self, standing: Sequence[Edge], now: datetime, *, watcher: str, said_at: datetime
    ) -> None:
        """What a watcher says still stands, against what the centre knows.

        An edge that never arrived is taken now. One whose alarm a person closed is raised anew when
        it is still seen RESEEN_AFTER later, as often as that happens. `said_at` is the watcher's own
        time: what it later says has cleared must not look older than this.
        """
        for edge in standing:
            last, alarm = await self._last_told(edge)
            if alarm is None and last is None:
                await self.take(edge, now, watcher=watcher)
            elif alarm is not None and last is not None and _closed_while_seen(alarm, last, now):
                reason = f"still seen {_minutes(RESEEN_AFTER)} after alarm {alarm.number} was closed"
                again = replace(edge, id=_again(last, alarm), captured_at=said_at, reason=reason)
                await self.take(again, now, watcher=watcher)

    async def _last_told(self, edge: Edge) -> tuple[EdgeId | None, Alarm | None]:
        """The edge under which this was last taken (each raising anew has an id made of the last)."""
        async with self._store.reading() as unit:
            last, alarm, candidate = None, None, edge.id
            while (known := await unit.edges.receipt(candidate)) is not None:
                last = candidate
                alarm = await unit.alarms.get(known.alarm_id) if known.alarm_id else None
                if alarm is None or alarm.closed_at is None:
                    break
                candidate = _again(last, alarm)
        return last, alarm

    async def _apply(
        self, unit: Unit, edge: Edge, verdict: Verdict, timing: str, now: datetime
    ) -> Alarm | None:
        match verdict.ruling:
            case Ruling.IGNORED:
                await unit.journal.write(
                    JournalEntry(now, Entry.IGNORED, verdict.alarm_id, _who(edge), verdict.text, edge.hazard)
                )
                return None
            case Ruling.NEW:
                alarm = await self._new_alarm(unit, edge, verdict, now)
                return await self._raise(unit, alarm, edge, Move.RAISE, Entry.RAISED, verdict, timing, now)
            case Ruling.SAME:
                alarm = await _open_alarm(unit, verdict)
                move = Move.RAISE
                if _acknowledged_long_ago(alarm, now):
                    # A witness that never clears (staff, a watcher that was restarted) must not make an
                    # old acknowledgement stand for what is seen today.
                    move, timing = Move.WORSEN, f"long after it was acknowledged {timing}".strip()
                return await self._raise(unit, alarm, edge, move, Entry.SEEN_AGAIN, verdict, timing, now)
            case Ruling.CORROBORATES:
                alarm = await _open_alarm(unit, verdict)
                move, entry = Move.RAISE, Entry.CORROBORATED
                hazard = self._policy.catalogue.get(edge.hazard)
                # One latching sign is enough: the alarm then closes only by reset.
                alarm = replace(alarm, latching=alarm.latching or hazard.latching)
                if verdict.graver:
                    move, entry = Move.WORSEN, Entry.WORSENED
                    alarm = replace(
                        alarm,
                        hazard=hazard.code,
                        signal=hazard.signal,
                        priority=hazard.priority,
                        reason=edge.reason or verdict.text,
                    )
                elif edge.source_kind is SourceKind.STAFF and _acknowledged_long_ago(alarm, now):
                    # Somebody stands before it now and reports it: that is news to whoever had it long ago.
                    move, timing = Move.WORSEN, f"long after it was acknowledged {timing}".strip()
                return await self._raise(unit, alarm, edge, move, entry, verdict, timing, now)
            case Ruling.CLEARS:
                return await self._clear(unit, await _open_alarm(unit, verdict), edge, verdict, timing, now)
            case _:
                assert_never(verdict.ruling)

    async def _new_alarm(self, unit: Unit, edge: Edge, verdict: Verdict, now: datetime) -> Alarm:
        hazard = self._policy.catalogue.get(edge.hazard)
        return Alarm(
            id=AlarmId(str(uuid4())),
            number=await unit.alarms.next_number(),
            hazard=hazard.code,
            signal=hazard.signal,
            priority=hazard.priority,
            latching=hazard.latching,
            place=edge.place,
            status=edge.status,
            state=AlarmState.NORMAL,
            raised_at=now,
            reason=edge.reason or verdict.text,
        )

    async def _raise(
        self,
        unit: Unit,
        alarm: Alarm,
        edge: Edge,
        move: Move,
        entry: Entry,
        verdict: Verdict,
        timing: str,
        now: datetime,
    ) -> Alarm:
        moved = make(witnessed(alarm, edge, verdict.line), move, now)
        await unit.journal.write(JournalEntry(now, entry, alarm.id, _who(edge), _said(edge, verdict), timing))
        moved = await self._lay_or_lift_silence(unit, alarm, moved, edge, now)
        after = moved.alarm
        if moved.row.pages and after.wants_pages(now):
            if alarm.open:
                await stop_pages(unit, alarm, now, "a new round of pages began")
            after = await page_step(unit, self._policy, after, 0, now)
        await unit.alarms.put(after)
        return after

    async def _lay_or_lift_silence(
        self, unit: Unit, before: Alarm, moved: Moved, edge: Edge, now: datetime
    ) -> Moved:
        """A silence belongs to a point or a camera: a new alarm there starts under it; a witness elsewhere
        lifts it.

        It is never laid on an alarm that stands already: that one may have become graver meanwhile. But where
        nobody is being called any more, a camera that is out of service does not begin it again by itself.
        """
        alarm = moved.alarm
        laid = alarm.silence
        runs = laid is not None and laid.active(now)
        here = await self._silence_at(unit, edge, now)
        lays = not before.open
        if here is not None and here.kind is SilenceKind.OUT_OF_SERVICE and laid is None and moved.row.pages:
            alone = laid_over(alarm, await out_of_service(unit, now), now) is not None
            lays = lays or (alone and not before.state.owes_acknowledgement)
        if here is not None and lays:
            until = f"until {here.until:%H:%M}Z"
            await unit.journal.write(JournalEntry(now, Entry.SILENCED, alarm.id, here.by, here.reason, until))
            return replace(moved, alarm=replace(alarm, silence=here))
        if laid is None:
            return moved
        if runs and here is not None:
            if SilenceKind.OUT_OF_SERVICE in (laid.kind, here.kind) and here.until < laid.until:
                # This witness is back before the others: it is believed then.
                return replace(moved, alarm=replace(alarm, silence=here))
            return moved
        # Either its time is over and the watchman has not come by yet, or a witness sees it that
        # nobody silenced: both are the end of the silence, and what stands pages.
        why = "a witness that is not silenced sees it" if runs else "its time is over"
        await unit.silences.drop([condition.point for condition in alarm.conditions])
        await unit.journal.write(JournalEntry(now, Entry.SILENCE_LIFTED, alarm.id, "tocsin", why, _who(edge)))
        return make(replace(alarm, silence=None), Move.LIFT, now)

    async def _silence_at(self, unit: Unit, edge: Edge, now: datetime) -> Silence | None:
        """What silences this edge: its camera's being out of service, or its point's; of both the longer."""
        there = await unit.silences.active(edge.point, now)
        out = await unit.service.get(edge.source)
        signal = self._policy.catalogue.get(edge.hazard).signal
        if out is None or not out.active(now) or not out.covers(edge, signal):
            return there
        return out.silence if there is None or there.until < out.until else there

    async def _clear(
        self, unit: Unit, alarm: Alarm, edge: Edge, verdict: Verdict, timing: str, now: datetime
    ) -> Alarm:
        after = unwitnessed(alarm, edge)
        await unit.journal.write(
            JournalEntry(now, Entry.CLEARED, alarm.id, _who(edge), _said(edge, verdict), timing)
        )
        if not after.standing:
            after = make(after, Move.CLEAR, now).alarm
            if not after.open:
                await stop_pages(unit, alarm, now, "the alarm is closed")
        await unit.alarms.put(after)
        return after


async def _open_alarm(unit: Unit, verdict: Verdict) -> Alarm:
    assert verdict.alarm_id is not None
    alarm = await unit.alarms.get(verdict.alarm_id)
    assert alarm is not None, "triage names open alarms only, and we hold the lock"
    return alarm


def _timed(edge: Edge, now: datetime) -> tuple[Edge, str]:
    """The edge with believable times, and what to say of them.

    A watcher's wrong clock must not cost an alarm: an edge from the future is taken as of now.
    """
    ahead = edge.captured_at - now
    if ahead > MAX_AHEAD:
        said = f"the watcher's clock is {ahead.total_seconds():.0f} s ahead: taken as of now"
        return replace(edge, captured_at=now, since=min(edge.since, now)), said
    if -ahead > LATE_AFTER:
        return edge, f"late: seen {_minutes(-ahead)} before it reached the centre"
    return edge, ""


def _acknowledged_long_ago(alarm: Alarm, now: datetime) -> bool:
    return (
        alarm.state is AlarmState.ACK
        and alarm.acknowledged_at is not None
        and not -RESEEN_AFTER <= now - alarm.acknowledged_at <= RESEEN_AFTER
    )


def _again(last: EdgeId, alarm: Alarm) -> EdgeId:
    return EdgeId(str(uuid5(_AGAIN, f"{last}/{alarm.closed_at}")))


def _closed_while_seen(alarm: Alarm, edge_id: EdgeId, now: datetime) -> bool:
    if alarm.closed_at is None or now - alarm.closed_at < RESEEN_AFTER:
        return False
    return any(c.edge_id == edge_id and c.standing for c in alarm.conditions)


def _minutes(span: timedelta) -> str:
    seconds = span.total_seconds()
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def _who(edge: Edge) -> str:
    return f"{edge.source_kind} {edge.source}"


def _said(edge: Edge, verdict: Verdict) -> str:
    return f"{verdict.text}; {edge.reason}" if edge.reason else verdict.text
