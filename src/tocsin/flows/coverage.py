"""Hours in which nobody is on duty, or nobody qualified, are a trouble signal a day ahead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid5

from tocsin.core.hazards import Catalogue, HazardCode, Signal
from tocsin.core.observation import Edge, EdgeKind
from tocsin.core.roster import Roster
from tocsin.core.shifts import Span
from tocsin.flows.intake import Intake
from tocsin.flows.policy import Policy
from tocsin.flows.rostering import roster_between
from tocsin.flows.troubles import standing_of, system_edge
from tocsin.ports_store import Store

SHIFT_UNCOVERED = HazardCode("shift-uncovered")

LOOK_AHEAD: Final = timedelta(hours=24)
"""Time to find somebody, by day, for a night."""
EVERY: Final = timedelta(seconds=30)
"""How often it is looked at: a change of duty is answered within that."""

_COVERAGE = UUID("c53d0a3a-1a55-5d8c-9d2f-2b8f0d6f3a77")


class Coverage:
    """Looks at the roster on a beat; safe to run twice."""

    def __init__(self, store: Store, policy: Policy, intake: Intake) -> None:
        self._store = store
        self._policy = policy
        self._intake = intake
        self._looked_at: datetime | None = None
        self._since: dict[str, datetime] = {}

    async def check(self, now: datetime) -> None:
        """Raises the trouble for what is uncovered within a day, and clears it for what is covered again."""
        if self._looked_at is not None and abs(now - self._looked_at) < EVERY:
            return
        if not self._policy.catalogue.get(SHIFT_UNCOVERED).enabled:
            return
        self._looked_at = now
        async with self._store.reading() as unit:
            roster = await roster_between(unit, self._policy, now, now + LOOK_AHEAD)
            standing = await standing_of(unit, self._policy, SHIFT_UNCOVERED)
        found = uncovered(roster, self._policy.catalogue, now, now + LOOK_AHEAD)
        for source, spans in found.items():
            since = self._since.setdefault(source, now)
            if source not in standing:
                edge = self._edge(source, EdgeKind.CONFIRMED, since, said(source, spans, roster), now)
                await self._intake.reconcile((edge,), now, watcher="", said_at=now)
        for source in standing.keys() - found.keys():
            since = self._since.get(source, now)
            await self._intake.take(
                self._edge(source, EdgeKind.CLEARED, since, "it is covered again", now), now
            )
        for source in self._since.keys() - found.keys():
            del self._since[source]

    def _edge(self, source: str, kind: EdgeKind, since: datetime, why: str, now: datetime) -> Edge:
        key = f"{source}/{kind.value}/{since.isoformat()}"
        edge_id = str(uuid5(_COVERAGE, key))
        return system_edge(self._policy, edge_id, kind, SHIFT_UNCOVERED, source, since, why, now)


def uncovered(
    roster: Roster, catalogue: Catalogue, since: datetime, until: datetime
) -> Mapping[str, Sequence[Span]]:
    """The spans in which nobody is on duty, and those in which nobody on duty has a qualification that an
    enabled alarm asks for, by what is missing. Empty for a site where everyone is always on duty.

    A qualification that nobody on the roster holds is left out: no shift could cover it, and `tocsin doctor`
    tells of it.
    """
    if not roster.planned:
        return {}
    duties = roster.duties(since, until)
    nobody = roster.uncovered_of(duties, since, until)
    found: dict[str, Sequence[Span]] = {"roster": nobody} if nobody else {}
    held = {q for one in roster.responders if one.contacts for q in one.qualifications}
    needed = {h.qualification for h in catalogue if h.enabled and h.signal is Signal.ALARM}
    for qualification in sorted(held & needed):
        found_of = roster.uncovered_of(duties, since, until, qualification)
        spans = [span for span in found_of if span not in nobody]
        if spans:
            found[f"roster: {qualification}"] = spans
    return found


def said(source: str, spans: Sequence[Span], roster: Roster) -> str:
    """What is missing and when, on the site's clock."""
    qualification = source.partition(": ")[2]
    who = f"nobody who is qualified for {qualification}" if qualification else "nobody"
    words = [
        f"{begins.astimezone(roster.zone):%a %d %b %H:%M} to {ends.astimezone(roster.zone):%a %H:%M}"
        for begins, ends in spans[:3]
    ]
    more = f" and {len(spans) - 3} more" if len(spans) > 3 else ""
    return f"{who} is on duty {', '.join(words)}{more}"
