"""What people do with an alarm: acknowledge, resolve, shelve, unshelve. Each with a name and a reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from types import MappingProxyType

from tocsin.core.alarm import MAX_SILENCE, Alarm, AlarmId, Move, Silence, SilenceKind, make
from tocsin.core.causes import Cause
from tocsin.core.errors import IllegalMoveError, InvalidInputError, NotFoundError, SilenceError
from tocsin.core.handling import HandlingStage
from tocsin.core.journal import Entry, JournalEntry
from tocsin.core.observation import SourceKind
from tocsin.flows.handling import answerer_of, go, take
from tocsin.flows.paging import page_step, stop_pages
from tocsin.flows.policy import Policy, Ring
from tocsin.ports_store import Store, Unit

OUTCOMES: Mapping[str, str] = MappingProxyType(
    {
        "dealt-with": "Dealt with: the hazard is over",
        "handed-over": "Handed over to the fire service or another service",
        "repaired": "Repaired: the equipment works again",
        "false": "False alarm",
        "drill": "Drill or test",
    }
)
"""How an alarm may end; a closed list, so that it can be counted. A false alarm has a cause as well."""

FALSE = "false"
REAL = frozenset({"dealt-with", "handed-over", "repaired"})

SHELVE_REASONS: Mapping[str, str] = MappingProxyType(
    {
        "works": "Permitted works in view",
        "maintenance": "Camera or equipment under maintenance",
        "known-cause": "Known harmless cause",
        "nuisance": "Repeats without a hazard; being looked into",
        "weather": "Weather: fog, low sun, rain, snow",
    }
)

MAX_NOTE = 300


class Operate:
    """The moves of people. Each raises NotFoundError, IllegalMoveError, InvalidInputError or SilenceError,
    changing nothing."""

    def __init__(self, store: Store, policy: Policy, ring: Ring) -> None:
        self._store = store
        self._policy = policy
        self._ring = ring

    async def acknowledge(
        self, alarm_id: AlarmId, by: str, now: datetime, *, way: str = "in the console"
    ) -> Alarm:
        """Says "I have it": paging stops everywhere. Said again by the same account, it changes nothing.

        `by` is the account, `way` how it was said, for the journal.
        """
        async with self._store.deciding() as unit:
            alarm = await _alarm(unit, alarm_id)
            answerer = answerer_of(by, self._policy.roster.responders)
            after = await take(unit, self._policy, alarm, answerer, way, now)
        self._ring()
        return after

    async def handle(
        self,
        alarm_id: AlarmId,
        stage: HandlingStage,
        by: str,
        now: datetime,
        *,
        way: str = "in the console",
    ) -> Alarm:
        """Says "on the way", or "on site": once each, and again it changes nothing."""
        async with self._store.deciding() as unit:
            alarm = await _alarm(unit, alarm_id)
            await go(unit, alarm, stage, answerer_of(by, self._policy.roster.responders), way, now)
        self._ring()
        return alarm

    async def resolve(
        self, alarm_id: AlarmId, by: str, outcome: str, note: str, now: datetime, *, cause: str = ""
    ) -> Alarm:
        """Closes the alarm with an outcome of the list. If a camera goes on seeing it, it comes back.

        A false alarm that a camera raised needs its cause: whoever does not know it says so (`unknown`).
        Taken for granted it would be "unknown" every time, and nobody would learn from it.
        """
        if outcome not in OUTCOMES:
            raise InvalidInputError(
                f"outcome {outcome!r} is not known", where="resolve", hint=f"one of {', '.join(OUTCOMES)}"
            )
        note = note_of(note)
        async with self._store.deciding() as unit:
            alarm = await _alarm(unit, alarm_id)
            after = make(alarm, Move.RESET, now).alarm
            chosen = self._cause(alarm, outcome, cause)
            after = replace(after, outcome=outcome, cause=chosen.code if chosen else "", silence=None)
            reason = f"{OUTCOMES[outcome]}: {chosen.name}" if chosen else OUTCOMES[outcome]
            await unit.journal.write(JournalEntry(now, Entry.RESOLVED, alarm.id, by, reason, note))
            await stop_pages(unit, alarm, now, f"{by} resolved it")
            # Its shelving was for what is over now: nothing unseen may go on silencing the place.
            await unit.silences.drop([condition.point for condition in alarm.conditions])
            await unit.alarms.put(after)
        self._ring()
        return after

    def _cause(self, alarm: Alarm, outcome: str, cause: str) -> Cause | None:
        """The cause that goes with the outcome. Raises InvalidInputError for one that does not fit."""
        if outcome != FALSE:
            if cause:
                raise InvalidInputError(
                    "a cause belongs to a false alarm only",
                    where="cause",
                    hint=f"leave it empty, or choose {OUTCOMES[FALSE]!r}",
                )
            return None
        fitting = self._policy.causes.of(self._policy.catalogue.get(alarm.hazard).family)
        hint = f"one of {', '.join(one.code for one in fitting)}"
        if not cause:
            if not asks_cause(alarm):
                return None
            raise InvalidInputError("a false alarm needs its cause", where="cause", hint=hint)
        found = self._policy.causes.get(cause, where="cause")
        if found not in fitting:
            raise InvalidInputError(
                f"cause {cause!r} does not fit {alarm.hazard!r}", where="cause", hint=hint
            )
        return found

    async def shelve(
        self, alarm_id: AlarmId, by: str, reason: str, note: str, minutes: int, now: datetime
    ) -> Alarm:
        """Silences the alarm's points for a while; the condition stays visible."""
        text = reason_of(reason, note, SHELVE_REASONS, where="shelve")
        if not 1 <= minutes <= MAX_SILENCE // timedelta(minutes=1):
            raise SilenceError(
                "a silence lasts between a minute and 24 hours",
                where="shelve",
                hint="silence it for less; it can be silenced again",
            )
        silence = Silence(SilenceKind.SHELVED, by, text, now, now + timedelta(minutes=minutes))
        async with self._store.deciding() as unit:
            alarm = await _alarm(unit, alarm_id)
            after = replace(make(alarm, Move.SILENCE, now).alarm, silence=silence)
            for condition in alarm.conditions:
                await unit.silences.put(condition.point, silence)
            await unit.journal.write(
                JournalEntry(now, Entry.SILENCED, alarm.id, by, text, f"for {minutes} min")
            )
            await stop_pages(unit, alarm, now, f"{by} shelved it")
            await unit.alarms.put(after)
        self._ring()
        return after

    async def unshelve(self, alarm_id: AlarmId, by: str, now: datetime) -> Alarm:
        """Ends the silence; a hazard that stands pages at once."""
        async with self._store.deciding() as unit:
            alarm = await _alarm(unit, alarm_id)
            if alarm.silence is None:
                raise IllegalMoveError("it is not shelved", where=f"alarm {alarm.number}")
            after = await lift(unit, self._policy, alarm, by, "ended by a person", now)
        self._ring()
        return after


def asks_cause(alarm: Alarm) -> bool:
    """Whether a cause is needed to call it false: one that staff alone reported teaches no camera."""
    return any(condition.source_kind is SourceKind.CAMERA for condition in alarm.conditions)


async def lift(unit: Unit, policy: Policy, alarm: Alarm, by: str, why: str, now: datetime) -> Alarm:
    """Takes the alarm's silence away and pages if the table says so."""
    await unit.silences.drop([c.point for c in alarm.conditions])
    await unit.journal.write(JournalEntry(now, Entry.SILENCE_LIFTED, alarm.id, by, why))
    unsilenced = replace(alarm, silence=None)
    if not alarm.open:
        await unit.alarms.put(unsilenced)
        return unsilenced
    moved = make(unsilenced, Move.LIFT, now)
    after = moved.alarm
    if moved.row.pages:
        after = await page_step(unit, policy, after, 0, now)
    await unit.alarms.put(after)
    return after


def reason_of(reason: str, note: str, among: Mapping[str, str], *, where: str) -> str:
    """The reason in words, with its note. Raises InvalidInputError for one that is not among them."""
    if reason not in among:
        raise InvalidInputError(
            f"reason {reason!r} is not known", where=where, hint=f"one of {', '.join(among)}"
        )
    note = note_of(note)
    return f"{among[reason]}: {note}" if note else among[reason]


def note_of(text: str) -> str:
    """The note on one line, without control characters. Raises InvalidInputError if it is too long."""
    note = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    if len(note) > MAX_NOTE:
        raise InvalidInputError(f"the note is longer than {MAX_NOTE} characters", where="note")
    return note


async def _alarm(unit: Unit, alarm_id: AlarmId) -> Alarm:
    alarm = await unit.alarms.get(alarm_id)
    if alarm is None:
        raise NotFoundError("there is no such alarm", where=f"alarm {alarm_id}")
    return alarm
