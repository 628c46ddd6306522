"""The sections that say who is called, when, and over what."""

from __future__ import annotations

from datetime import date
from typing import Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from tocsin.config_base import ClockTime, Identifier, Section
from tocsin.config_channels import ChannelName, checked_address
from tocsin.core.hazards import Signal
from tocsin.core.plans import PEOPLE, Who
from tocsin.core.shifts import MAX_TURN_DAYS

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class ContactSection(Section):
    channel: ChannelName
    address: str = Field(min_length=1, max_length=2_000)
    fallback: bool = False

    @field_validator("address")
    @classmethod
    def _can_be_sent_to(cls, address: str, info: ValidationInfo) -> str:
        # Else it would be found out by the first alarm that reaches nobody.
        channel = info.data.get("channel")
        return address if channel is None else checked_address(channel, address)


class ShiftSection(Section):
    days: tuple[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], ...] = DAYS
    start: ClockTime
    end: ClockTime


class ResponderSection(Section):
    """Someone on staff who answers alarms."""

    id: Identifier
    name: str = Field(min_length=1, max_length=100)
    contacts: tuple[ContactSection, ...] = Field(min_length=1)
    qualifications: tuple[str, ...] = ()
    shifts: tuple[ShiftSection, ...] = ()
    station: str = ""
    account: str = ""
    calendar: bool = False

    @model_validator(mode="after")
    def _has_a_first_way(self) -> ResponderSection:
        if all(contact.fallback for contact in self.contacts):
            raise ValueError("every contact is a fallback: one must be used at once")
        return self


class RotationSection(Section):
    """Responders who take turns."""

    id: Identifier
    members: tuple[str, ...] = Field(min_length=1, max_length=100)
    begins: date
    at: ClockTime
    every_days: int = Field(default=7, ge=1, le=MAX_TURN_DAYS)
    hours: tuple[ShiftSection, ...] = ()


class StepSection(Section):
    """Whom to call, and how long to wait. Without `who` it names responders or a rotation."""

    who: Who = Who.NAMED
    wait_s: float = Field(ge=10, le=86_400, allow_inf_nan=False)
    people: int = Field(default=PEOPLE, ge=1, le=100)
    responders: tuple[str, ...] = ()
    rotation: str = ""

    @model_validator(mode="after")
    def _one_of_them(self) -> StepSection:
        if self.who is not Who.NAMED and (self.responders or self.rotation):
            raise ValueError(
                f"who = {self.who.value!r} names nobody: leave out who, or responders and rotation"
            )
        if self.responders and self.rotation:
            raise ValueError("a step names responders or a rotation: make it two steps")
        return self


class MatchSection(Section):
    """Which alarms go by a plan: those that fit every list that is not empty."""

    hazard: tuple[str, ...] = ()
    signal: tuple[Signal, ...] = ()
    place: tuple[str, ...] = ()


class PlanSection(Section):
    """An escalation plan of its own, for some hazards, signals or places."""

    id: Identifier
    match: MatchSection | None = None
    steps: tuple[StepSection, ...] = Field(min_length=1, max_length=20)
    repeat: Literal["last", "all", "no"] = "last"
    then: str = ""


class EscalationSection(Section):
    alarm: tuple[StepSection, ...] = ()
    trouble: tuple[StepSection, ...] = ()
