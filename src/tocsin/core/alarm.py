"""The alarm: ISA-18.2's state machine as one table, with silences laid over it.

Two kinds of thing are kept apart. The *state* is the real condition and whether somebody has
acknowledged it. A *silence* (shelved, suppressed by design, out of service) only says whether it
pages; it never hides or changes the state. Illegal moves raise and change nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import NewType

from tocsin.core.errors import IllegalMoveError, SilenceError
from tocsin.core.hazards import HazardCode, Priority, Signal
from tocsin.core.locating import Sightline
from tocsin.core.observation import CapStatus, Edge, EdgeId, PlaceId, SourceKind, point_of

AlarmId = NewType("AlarmId", str)

MAX_SILENCE = timedelta(hours=24)
"""The longest that any silence may last (invariant 8)."""


CLOCK_SLACK = timedelta(minutes=5)
"""A clock may be set back by this much without a silence taking it for a jump."""


class AlarmState(StrEnum):
    """ISA-18.2 states. LATCHED is the standard's latched, acknowledged state: the condition is gone,
    somebody knows, and only a reset closes it."""

    NORMAL = "NORMAL"
    UNACK = "UNACK"
    ACK = "ACK"
    RTN_UNACK = "RTN_UNACK"
    LATCHED = "LATCHED"

    @property
    def live(self) -> bool:
        """Whether the condition stands now."""
        return self in (AlarmState.UNACK, AlarmState.ACK)

    @property
    def owes_acknowledgement(self) -> bool:
        return self in (AlarmState.UNACK, AlarmState.RTN_UNACK)


class Move(StrEnum):
    """What can happen to an alarm."""

    RAISE = "raise"
    """The condition is seen (first, again, or by one more witness)."""
    WORSEN = "worsen"
    """A graver sign of the same thing is seen, or the same one long after it was acknowledged."""
    CLEAR = "clear"
    """The last witness no longer sees it."""
    ACKNOWLEDGE = "acknowledge"
    """A person says: I have it."""
    RESET = "reset"
    """A person says: it is over, with an outcome."""
    SILENCE = "silence"
    """A silence is laid over it."""
    LIFT = "lift"
    """The silence ends, by a person, by expiry, or because an unsilenced witness sees it."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table: where the move leads, and what it does to paging.

    `to_latching` is where it leads for a latching hazard, where that differs.
    `pages` starts a new round of pages; `stops` ends the one that runs.
    """

    to: AlarmState
    to_latching: AlarmState
    pages: bool
    stops: bool
    why: str


def _row(
    to: AlarmState, why: str, *, latching: AlarmState | None = None, pages: bool = False, stops: bool = False
) -> Row:
    return Row(to, latching or to, pages, stops, why)


_S = AlarmState
_M = Move

TABLE: Mapping[tuple[AlarmState, Move], Row] = MappingProxyType(
    {
        (_S.NORMAL, _M.RAISE): _row(_S.UNACK, "it is seen", pages=True),
        (_S.UNACK, _M.RAISE): _row(_S.UNACK, "it is seen again; pages are under way"),
        (_S.UNACK, _M.WORSEN): _row(_S.UNACK, "a graver sign is seen", pages=True),
        (_S.UNACK, _M.CLEAR): _row(_S.RTN_UNACK, "it is gone, but nobody has acknowledged it yet"),
        (_S.UNACK, _M.ACKNOWLEDGE): _row(_S.ACK, "somebody has it", stops=True),
        (_S.UNACK, _M.SILENCE): _row(_S.UNACK, "silenced; the condition stands", stops=True),
        (_S.UNACK, _M.LIFT): _row(_S.UNACK, "the silence ended and it still stands", pages=True),
        (_S.ACK, _M.RAISE): _row(_S.ACK, "one more sign of what somebody already has"),
        (_S.ACK, _M.WORSEN): _row(_S.UNACK, "graver, or newer, than what was acknowledged", pages=True),
        (_S.ACK, _M.CLEAR): _row(_S.NORMAL, "it is gone", latching=_S.LATCHED),
        (_S.ACK, _M.RESET): _row(_S.NORMAL, "a person closed it", stops=True),
        (_S.ACK, _M.SILENCE): _row(_S.ACK, "silenced; the condition stands", stops=True),
        (_S.ACK, _M.LIFT): _row(_S.UNACK, "the silence ended and it still stands", pages=True),
        # Not a new round: going back to the first step each time would keep what comes and goes, and
        # what nobody answers, from ever reaching the wider circle of the later steps.
        (_S.RTN_UNACK, _M.RAISE): _row(_S.UNACK, "it is back; pages are under way"),
        (_S.RTN_UNACK, _M.WORSEN): _row(_S.UNACK, "it is back, and graver", pages=True),
        (_S.RTN_UNACK, _M.ACKNOWLEDGE): _row(
            _S.NORMAL, "somebody knows that it was there", latching=_S.LATCHED, stops=True
        ),
        (_S.RTN_UNACK, _M.SILENCE): _row(_S.RTN_UNACK, "silenced", stops=True),
        (_S.RTN_UNACK, _M.LIFT): _row(_S.RTN_UNACK, "the silence ended, unacknowledged", pages=True),
        (_S.LATCHED, _M.RAISE): _row(_S.UNACK, "it is back", pages=True),
        (_S.LATCHED, _M.WORSEN): _row(_S.UNACK, "it is back, and graver", pages=True),
        (_S.LATCHED, _M.RESET): _row(_S.NORMAL, "a person closed it", stops=True),
        (_S.LATCHED, _M.SILENCE): _row(_S.LATCHED, "silenced", stops=True),
        (_S.LATCHED, _M.LIFT): _row(_S.LATCHED, "the silence ended; the condition is gone"),
    }
)
"""Every legal move. What is not here is illegal."""


class SilenceKind(StrEnum):
    SHELVED = "SHELVED"
    SUPPRESSED = "SUPPRESSED"
    OUT_OF_SERVICE = "OUT_OF_SERVICE"


@dataclass(frozen=True, slots=True)
class Silence:
    """Who silenced an alarm point, why, and until when; never for ever (invariant 8)."""

    kind: SilenceKind
    by: str
    reason: str
    since: datetime
    until: datetime

    def __post_init__(self) -> None:
        if not self.reason.strip():
            raise SilenceError("a silence needs a reason", hint="say why in a few words")
        if not self.by.strip():
            raise SilenceError("a silence needs a name: who silences?")
        if not self.since < self.until <= self.since + MAX_SILENCE:
            raise SilenceError(
                "a silence ends after it begins and lasts at most 24 hours",
                hint="silence it for less; it can be silenced again",
            )

    def active(self, now: datetime) -> bool:
        """Whether it silences now. One that begins later was laid before the clock was set back: it is
        void, or it would last longer than anyone meant."""
        return self.since - CLOCK_SLACK <= now < self.until


@dataclass(frozen=True, slots=True)
class Condition:
    """One witness of an alarm: a camera, the staff at a place, or a part of Tocsin.

    `cleared_at` is None as long as it stands. `line` is the line along which a camera whose mount is known
    sees the hazard.
    """

    source_kind: SourceKind
    source: str
    place: PlaceId
    hazard: HazardCode
    edge_id: EdgeId
    since: datetime
    seen_at: datetime
    confidence: float
    cleared_at: datetime | None = None
    line: Sightline | None = None

    @property
    def point(self) -> str:
        return point_of(self.source_kind, self.source, self.place, self.hazard)

    @property
    def standing(self) -> bool:
        return self.cleared_at is None

    @staticmethod
    def of(edge: Edge) -> Condition:
        return Condition(
            edge.source_kind, edge.source, edge.place, edge.hazard, edge.id, edge.since, edge.captured_at,
            edge.confidence,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Alarm:
    """An alarm from its first sign until it is closed.

    `number` is what people say ("alarm 214"). `round` counts the rounds of pages: each time it
    pages anew the round goes up, and pages of earlier rounds are no longer wanted.
    `step` is the escalation step last taken in this round, `next_step_at` the deadline of the next.
    `outcome` is how it ended; `cause`, only of a false alarm, the code of what was taken for a hazard.
    """

    id: AlarmId
    number: int
    hazard: HazardCode
    signal: Signal
    priority: Priority
    latching: bool
    place: PlaceId
    status: CapStatus
    state: AlarmState
    raised_at: datetime
    reason: str
    conditions: tuple[Condition, ...] = ()
    silence: Silence | None = None
    acknowledged_by: str = ""
    acknowledged_at: datetime | None = None
    closed_at: datetime | None = None
    outcome: str = ""
    cause: str = ""
    round: int = 0
    step: int = 0
    next_step_at: datetime | None = None

    @property
    def open(self) -> bool:
        return self.state is not AlarmState.NORMAL

    @property
    def confidence(self) -> float:
        return max((c.confidence for c in self.conditions), default=0.0)

    @property
    def standing(self) -> tuple[Condition, ...]:
        return tuple(c for c in self.conditions if c.standing)

    def wants_pages(self, now: datetime) -> bool:
        """Whether responders should still be called."""
        silenced = self.silence is not None and self.silence.active(now)
        return self.state.owes_acknowledgement and not silenced


@dataclass(frozen=True, slots=True)
class Moved:
    """An alarm after a legal move, with what it does to paging and the reason (invariant 7)."""

    alarm: Alarm
    row: Row


def can(alarm: Alarm, move: Move) -> bool:
    return (alarm.state, move) in TABLE


def make(alarm: Alarm, move: Move, now: datetime) -> Moved:
    """The alarm after the move. Raises IllegalMoveError, changing nothing, if the table has no such row."""
    row = TABLE.get((alarm.state, move))
    if row is None:
        raise IllegalMoveError(
            f"{move.value} is not possible while it is {alarm.state.value}",
            where=f"alarm {alarm.number}",
            hint=_hint(alarm, move),
        )
    to = row.to_latching if alarm.latching else row.to
    moved = replace(alarm, state=to)
    if row.pages:
        moved = replace(moved, round=alarm.round + 1, step=0, next_step_at=None)
    if row.stops or to is AlarmState.NORMAL:
        moved = replace(moved, next_step_at=None)
    if to is AlarmState.UNACK and alarm.state is not AlarmState.UNACK:
        moved = replace(moved, acknowledged_by="", acknowledged_at=None)
    if to is AlarmState.NORMAL:
        moved = replace(moved, closed_at=now)
    elif alarm.state is AlarmState.NORMAL:
        moved = replace(moved, closed_at=None, outcome="", cause="")
    return Moved(moved, row)


def _hint(alarm: Alarm, move: Move) -> str:
    if move is Move.ACKNOWLEDGE and alarm.acknowledged_by:
        return f"{alarm.acknowledged_by} has acknowledged it already"
    if move is Move.RESET and alarm.state.owes_acknowledgement:
        return "acknowledge it first"
    if alarm.state is AlarmState.NORMAL:
        return "it is closed"
    return ""


def witnessed(alarm: Alarm, edge: Edge, line: Sightline | None = None) -> Alarm:
    """The alarm with the edge's condition standing: added, or refreshed if that point stood before. `line` is
    where its camera sees it."""
    fresh = replace(Condition.of(edge), line=line)
    others = tuple(c for c in alarm.conditions if c.point != edge.point)
    known = next((c for c in alarm.conditions if c.point == edge.point), None)
    if known is not None and known.standing:
        fresh = replace(
            fresh,
            since=min(known.since, fresh.since),
            seen_at=max(known.seen_at, fresh.seen_at),
            confidence=max(known.confidence, fresh.confidence),
            line=line or known.line,
        )
    return replace(alarm, conditions=(*others, fresh))


def unwitnessed(alarm: Alarm, edge: Edge) -> Alarm:
    """The alarm after one witness no longer sees it."""
    return replace(
        alarm,
        conditions=tuple(
            replace(c, cleared_at=edge.captured_at) if c.point == edge.point and c.standing else c
            for c in alarm.conditions
        ),
    )


def diagram() -> str:
    """The table as a Mermaid state diagram, for the manual."""
    lines = ["stateDiagram-v2", "    [*] --> NORMAL"]
    for (state, move), row in TABLE.items():
        if move is Move.SILENCE:
            continue  # it never changes the state; drawing five loops would only hide the rest
        mark = " / pages" if row.pages else ""
        if row.to is row.to_latching:
            lines.append(f"    {state} --> {row.to}: {move.value}{mark}")
        else:
            lines.append(f"    {state} --> {row.to}: {move.value}{mark}")
            lines.append(f"    {state} --> {row.to_latching}: {move.value} (latching){mark}")
    return "\n".join(lines) + "\n"
