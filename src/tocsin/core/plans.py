"""Escalation plans: whom each step calls, how long it waits for an acknowledgement, and what comes after."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from tocsin.core.errors import ConfigError
from tocsin.core.hazards import Signal
from tocsin.core.shifts import ResponderId


class Who(StrEnum):
    """Whom a step calls; of the first four each is wider than the one before."""

    ASSIGNED = "assigned"
    """Those whom the allocation chose: the nearest who may and can."""
    QUALIFIED = "qualified"
    ON_DUTY = "on-duty"
    EVERYONE = "everyone"
    NAMED = "named"
    """Those whom the step names, or whose turn it is in the rotation that it names, if they are on duty."""


class Repeat(StrEnum):
    """What comes after the last step, until somebody acknowledges."""

    LAST = "last"
    """The last step again and again."""
    ALL = "all"
    """All steps again, from the first."""


PEOPLE: Final = 2
"""How many a step assigns that says nothing: nobody goes to a hazard alone."""


@dataclass(frozen=True, slots=True)
class EscalationStep:
    """Call these, then wait `wait_s` for an acknowledgement before the next step.

    `people`: how many are to be assigned, for a step that calls those. `responders` or `rotation`: whom a
    step calls that names them.
    """

    who: Who
    wait_s: float
    people: int = PEOPLE
    responders: tuple[ResponderId, ...] = ()
    rotation: str = ""


MIN_WAIT_S = 10.0
"""Nobody can open a page and answer it in less."""

MAX_WAIT_S = 86_400.0
"""A step that waits longer than a day calls nobody else: everything ends (invariant 8)."""


@dataclass(frozen=True, slots=True)
class EscalationPlan:
    """Steps in order, and what is repeated until somebody acknowledges; it never ends by itself."""

    steps: tuple[EscalationStep, ...]
    id: str = ""
    repeat: Repeat = Repeat.LAST

    def __post_init__(self) -> None:
        where = f"[[plan]] {self.id!r}" if self.id else "escalation"
        if not self.steps:
            raise ConfigError(
                "a plan needs at least one step", where=where, hint="it would end with nobody called"
            )
        # Written so that NaN is refused too.
        if not all(MIN_WAIT_S <= s.wait_s <= MAX_WAIT_S for s in self.steps):
            raise ConfigError(
                f"a step waits between {MIN_WAIT_S:.0f} and {MAX_WAIT_S:.0f} seconds", where=where
            )

    def step_at(self, number: int) -> EscalationStep:
        """The step that is taken as number `number` of a round of pages; 0 is the first."""
        return self.steps[self._index(number)]

    def from_step(self, number: int) -> tuple[EscalationStep, ...]:
        """That step and those after it: all that would still be called, in order."""
        index = self._index(number)
        again = self.steps[:index] if self.repeat is Repeat.ALL else ()
        return self.steps[index:] + again

    @property
    def repeated(self) -> tuple[EscalationStep, ...]:
        """The steps that come again and again."""
        return self.steps if self.repeat is Repeat.ALL else self.steps[-1:]

    def _index(self, number: int) -> int:
        if self.repeat is Repeat.ALL:
            return number % len(self.steps)
        return min(number, len(self.steps) - 1)


ALARM_PLAN = EscalationPlan(
    (
        EscalationStep(Who.ASSIGNED, 60.0),
        EscalationStep(Who.QUALIFIED, 60.0),
        EscalationStep(Who.ON_DUTY, 120.0),
        EscalationStep(Who.EVERYONE, 300.0),
    )
)
TROUBLE_PLAN = EscalationPlan((EscalationStep(Who.ON_DUTY, 1800.0),))


@dataclass(frozen=True, slots=True)
class PlanRule:
    """Which alarms go by a plan: those that fit every list that is not empty."""

    plan: EscalationPlan
    hazards: frozenset[str] = frozenset()
    signals: frozenset[Signal] = frozenset()
    places: frozenset[str] = frozenset()

    def fits(self, signal: Signal, hazard: str, place: str) -> bool:
        return (
            (not self.hazards or hazard in self.hazards)
            and (not self.signals or signal in self.signals)
            and (not self.places or place in self.places)
        )

    def covers(self, other: PlanRule) -> bool:
        """Whether every alarm that fits the other fits this one too."""
        pairs = (
            (self.hazards, other.hazards),
            (self.signals, other.signals),
            (self.places, other.places),
        )
        return all(not mine or (theirs and theirs <= mine) for mine, theirs in pairs)


@dataclass(frozen=True, slots=True)
class Escalation:
    """The site's plans: rules in order, the first that fits; else one for alarms and one for the others."""

    alarm: EscalationPlan = ALARM_PLAN
    trouble: EscalationPlan = TROUBLE_PLAN
    rules: tuple[PlanRule, ...] = ()

    def plan_for(self, signal: Signal, hazard: str = "", place: str = "") -> EscalationPlan:
        for rule in self.rules:
            if rule.fits(signal, hazard, place):
                return rule.plan
        return self.alarm if signal is Signal.ALARM else self.trouble

    @property
    def longest_wait_s(self) -> float:
        """No deadline lies further ahead."""
        plans = (self.alarm, self.trouble, *(rule.plan for rule in self.rules))
        return max(step.wait_s for plan in plans for step in plan.steps)
