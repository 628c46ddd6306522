"""A whole site on a real store, with the clock in the test's hand: what the flows' tests share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

from tocsin.core.alarm import Alarm, AlarmId
from tocsin.core.dispatch import Page
from tocsin.core.hazards import Catalogue, HazardCode, HazardOverride
from tocsin.core.journal import Entry, JournalEntry
from tocsin.core.observation import CapStatus, Edge, EdgeId, EdgeKind, PlaceId, SourceKind
from tocsin.core.plans import Escalation
from tocsin.core.roster import Contact, Responder, ResponderId, Roster
from tocsin.flows.audit import Audit
from tocsin.flows.delivery import Delivery
from tocsin.flows.evidence import Evidence
from tocsin.flows.flooding import Flooding
from tocsin.flows.intake import Intake
from tocsin.flows.operate import Operate
from tocsin.flows.oversee import Oversee
from tocsin.flows.policy import Policy
from tocsin.ports import Channel
from tocsin.ports_store import EdgeReceipt
from tocsin.stores.pictures import FilePictures
from tocsin.stores.sql import SqlStore

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def after(seconds: float) -> datetime:
    """That many seconds after noon."""
    return NOON + timedelta(seconds=seconds)


class SetClock:
    """See `ports.Clock`; it stands where the test has set it."""

    def __init__(self, at: datetime = NOON) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at

    def monotonic_s(self) -> float:
        return (self.at - NOON).total_seconds()


def an_edge(
    hazard: str = "smoke",
    *,
    named: str = "",
    kind: EdgeKind = EdgeKind.CONFIRMED,
    by: SourceKind = SourceKind.CAMERA,
    source: str = "cam-1",
    place: str = "hall",
    at_s: float = 0.0,
    confidence: float = 0.8,
    status: CapStatus = CapStatus.ACTUAL,
    reason: str = "",
) -> Edge:
    """An edge captured `at_s` after noon, with an id of its own if it is not named."""
    return Edge(
        EdgeId(named or str(uuid4())), kind, HazardCode(hazard), by, source, PlaceId(place),
        after(at_s), after(at_s), confidence, 3, 4, status=status, reason=reason,
    )  # fmt: skip


def gone(edge: Edge, at_s: float) -> Edge:
    """The same point, no longer seen at that time."""
    return replace(
        edge, id=EdgeId(str(uuid4())), kind=EdgeKind.CLEARED, captured_at=after(at_s), confidence=0.0
    )


def again(edge: Edge, at_s: float) -> Edge:
    """The same point, seen anew at that time, as another edge."""
    return replace(edge, id=EdgeId(str(uuid4())), captured_at=after(at_s))


def a_responder(
    name: str, *contacts: Contact, holds: Sequence[str] = (), channel: str = "webhook", address: str = ""
) -> Responder:
    """Always on duty; reached over one channel if no contacts are given."""
    given = contacts or (Contact(channel, address or f"http://127.0.0.1:9/{name.lower()}"),)
    return Responder(ResponderId(name.lower()), name, given, frozenset(holds))


def a_policy(
    *responders: Responder,
    overrides: Mapping[str, HazardOverride] | None = None,
    status: CapStatus = CapStatus.ACTUAL,
) -> Policy:
    """Two places and the default escalation; one responder if none is given."""
    return Policy(
        site="Mill",
        catalogue=Catalogue(overrides),
        roster=Roster(responders or (a_responder("Ana"),), UTC),
        escalation=Escalation(),
        url="https://tocsin.example",
        status=status,
        places={"hall": "Rolling hall", "dock": "Dock 2"},
    )


NOBODY = Roster((), UTC)


class Site:
    """The flows on one store. Times are seconds after noon; the clock moves with every call."""

    def __init__(
        self,
        store: SqlStore,
        folder: Path,
        policy: Policy | None = None,
        channels: Mapping[str, Channel] | None = None,
        *,
        started_s: float = 0.0,
    ) -> None:
        self.store = store
        self.policy = policy or a_policy()
        self.clock = SetClock()
        self.rings = 0
        self.disk_free = 0.5
        self.pictures = FilePictures(folder / "pictures")
        self.intake = Intake(store, self.policy, self._ring)
        self.operate = Operate(store, self.policy, self._ring)
        self.evidence = Evidence(store, self.pictures, self._ring)
        self.delivery = Delivery(store, self.policy, channels or {}, self.intake, self._ring, self.clock)
        self.failing: list[str] = []
        self.audit = Audit(
            store,
            self.policy,
            self.intake,
            self._ring,
            channels=tuple(channels or {}),
            failing=lambda: self.failing,
        )
        self.flooding = Flooding(store, self.policy, self.intake)
        self.oversee = Oversee(
            store,
            self.policy,
            self.intake,
            self.pictures,
            self._ring,
            started_at=after(started_s),
            disk_free_share=lambda: self.disk_free,
        )

    def _ring(self) -> None:
        self.rings += 1

    def now(self, seconds: float) -> datetime:
        self.clock.at = after(seconds)
        return self.clock.at

    async def take(self, edge: Edge, at_s: float | None = None) -> EdgeReceipt:
        """Takes the edge at that time, or when it was captured."""
        self.clock.at = edge.captured_at if at_s is None else after(at_s)
        return await self.intake.take(edge, self.clock.at, watcher="gate")

    async def raised(self, edge: Edge | None = None) -> Alarm:
        """The alarm that this edge has raised."""
        receipt = await self.take(edge or an_edge())
        assert receipt.alarm_id is not None
        return await self.alarm(receipt.alarm_id)

    async def alarm(self, alarm_id: AlarmId) -> Alarm:
        async with self.store.reading() as unit:
            found = await unit.alarms.get(alarm_id)
        assert found is not None
        return found

    async def open(self) -> list[Alarm]:
        async with self.store.reading() as unit:
            return list(await unit.alarms.open())

    async def pages(self, alarm_id: AlarmId) -> list[Page]:
        async with self.store.reading() as unit:
            return list(await unit.pages.of(alarm_id))

    async def journal(self) -> list[JournalEntry]:
        async with self.store.reading() as unit:
            return [one.entry for one in await unit.journal.after(0, 10_000)]

    async def told(self, entry: Entry) -> list[JournalEntry]:
        """The journal's entries of that kind."""
        return [one for one in await self.journal() if one.entry is entry]
