"""The sections that say who is called, when, and over what."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from tocsin.config_base import ClockTime, Identifier, Section
from tocsin.config_channels import ChannelName, checked_address
from tocsin.core.plans import Who

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class ContactSection(Section):
    channel: ChannelName
    address: str = Field(min_length=1, max_length=2_000)
    fallback: bool = False

    @model_validator(mode="after")
    def _can_be_sent_to(self) -> ContactSection:
        # Else it would be found out by the first alarm that reaches nobody.
        object.__setattr__(self, "address", checked_address(self.channel, self.address))
        return self


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

    @model_validator(mode="after")
    def _has_a_first_way(self) -> ResponderSection:
        if all(contact.fallback for contact in self.contacts):
            raise ValueError("every contact is a fallback: one must be used at once")
        return self


class StepSection(Section):
    who: Who
    wait_s: float = Field(ge=10, le=86_400, allow_inf_nan=False)


class EscalationSection(Section):
    alarm: tuple[StepSection, ...] = ()
    trouble: tuple[StepSection, ...] = ()
