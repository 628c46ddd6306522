"""Rows for the store's contract: each with a plain default."""

from __future__ import annotations

from datetime import datetime
from uuid import uuid4

from tests.support.site import NOON, after, an_edge

from tocsin.core.alarm import Alarm, AlarmId, AlarmState, Condition, Silence, SilenceKind
from tocsin.core.dispatch import Page, PageId
from tocsin.core.hazards import HazardCode, Priority, Signal
from tocsin.core.journal import Entry, JournalEntry
from tocsin.core.observation import CapStatus, Edge, EdgeId, PlaceId
from tocsin.core.roster import ResponderId
from tocsin.core.triage import Ruling
from tocsin.ports_store import EdgeReceipt, PictureRecord


def an_alarm(
    number: int = 1,
    state: AlarmState = AlarmState.UNACK,
    *,
    edge: Edge | None = None,
    silence: Silence | None = None,
    next_step_at: datetime | None = None,
    closed_at: datetime | None = None,
) -> Alarm:
    seen = edge or an_edge()
    return Alarm(
        id=AlarmId(str(uuid4())),
        number=number,
        hazard=HazardCode("smoke"),
        signal=Signal.ALARM,
        priority=Priority.HIGH,
        latching=True,
        place=PlaceId("hall"),
        status=CapStatus.EXERCISE,
        state=state,
        raised_at=NOON,
        reason="seen in 3 of the last 4 looks",
        conditions=(Condition.of(seen),),
        silence=silence,
        closed_at=closed_at,
        round=1,
        step=2,
        next_step_at=next_step_at,
    )


def a_page(
    alarm: Alarm, *, run_at: datetime = NOON, responder: str = "ana", channel: str = "webhook"
) -> Page:
    return Page(
        id=PageId(str(uuid4())),
        alarm_id=alarm.id,
        round=1,
        step=0,
        responder=ResponderId(responder),
        responder_name=responder.title(),
        channel=channel,
        address="http://127.0.0.1:9/",
        why="on duty",
        run_at=run_at,
    )


def a_silence(*, until_s: float = 3600.0) -> Silence:
    return Silence(SilenceKind.SHELVED, "ana", "welding in the hall", NOON, after(until_s))


def an_entry(entry: Entry = Entry.RAISED, alarm: Alarm | None = None, at: datetime = NOON) -> JournalEntry:
    return JournalEntry(at, entry, alarm.id if alarm else None, "camera cam-1", "first sign", "detail")


def a_receipt(edge: Edge, alarm: Alarm | None = None) -> EdgeReceipt:
    ruling = Ruling.NEW if alarm else Ruling.IGNORED
    return EdgeReceipt(edge.id, alarm.id if alarm else None, ruling, "first sign of it here")


def a_picture(
    alarm: Alarm | None = None, *, at: datetime = NOON, digest: str = "a" * 64, named: str = ""
) -> PictureRecord:
    alarm_id = alarm.id if alarm else None
    return PictureRecord(named or str(uuid4()), EdgeId("e1"), alarm_id, "at", at, digest, 960, 540)
