"""Escalation plans: whom each step calls and how long it waits for an acknowledgement."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tocsin.core.errors import ConfigError
from tocsin.core.hazards import Signal


class Who(StrEnum):
    """Whom a step calls; each is wider than the one before."""

    ASSIGNED = "assigned"
    """Those whom the allocation chose: the nearest who may and can."""
    QUALIFIED = "qualified"
    ON_DUTY = "on-duty"
    EVERYONE = "everyone"


@dataclass(frozen=True, slots=True)
class EscalationStep:
    """Call these, then wait `wait_s` for an acknowledgement before the next step."""

    who: Who
    wait_s: float


MIN_WAIT_S = 10.0
"""Nobody can open a page and answer it in less."""

MAX_WAIT_S = 86_400.0
"""A step that waits longer than a day calls nobody else: everything ends (invariant 8)."""


@dataclass(frozen=True, slots=True)
class EscalationPlan:
    """Steps in order; the last one is repeated until somebody acknowledges."""

    steps: tuple[EscalationStep, ...]

    def __post_init__(self) -> None:
        if not self.steps:
            raise ConfigError(
                "a plan needs at least one step", where="escalation", hint="it would end with nobody called"
            )
        # Written so that NaN is refused too.
        if not all(MIN_WAIT_S <= s.wait_s <= MAX_WAIT_S for s in self.steps):
            raise ConfigError(
                f"a step waits between {MIN_WAIT_S:.0f} and {MAX_WAIT_S:.0f} seconds", where="escalation"
            )


ALARM_PLAN = EscalationPlan(
    (
        EscalationStep(Who.QUALIFIED, 60.0),
        EscalationStep(Who.ON_DUTY, 120.0),
        EscalationStep(Who.EVERYONE, 300.0),
    )
)
TROUBLE_PLAN = EscalationPlan((EscalationStep(Who.ON_DUTY, 1800.0),))


@dataclass(frozen=True, slots=True)
class Escalation:
    """The site's plans: one for alarms, one for supervisory and trouble signals."""

    alarm: EscalationPlan = ALARM_PLAN
    trouble: EscalationPlan = TROUBLE_PLAN

    def plan_for(self, signal: Signal) -> EscalationPlan:
        return self.alarm if signal is Signal.ALARM else self.trouble
