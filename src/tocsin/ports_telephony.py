"""What the centre needs of a telephone company spoken to over HTTP: texts, calls, and what comes back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from tocsin.core.dispatch import PageId, Stage


class Hook(StrEnum):
    """What the company calls us for; the last part of the address that it calls."""

    SMS = "sms"
    """Somebody has sent a text."""
    KEY = "key"
    """Somebody has pressed a key in a call."""
    SMS_STATUS = "sms-status"
    CALL_STATUS = "call-status"


@dataclass(frozen=True, slots=True)
class Reply:
    """A responder's words. `text` of a pressed key is what the same answer by text would say."""

    channel: str
    address: str
    text: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a page has got. Without a stage it has failed, and `why` says how."""

    page_id: PageId
    stage: Stage | None
    why: str = ""


class TelephonyProvider(Protocol):
    """One company's interface. Sending raises DeliveryError kinds, and is bounded in time by itself."""

    async def send_sms(self, to: str, text: str, page_id: str) -> str:
        """Hands a text over; returns what the company calls it."""
        ...

    async def call(self, to: str, text: str, page_id: str, alarm_number: int) -> str:
        """Has a call made that says the text and takes a key: 1 acknowledges."""
        ...

    def verify(
        self, hook: Hook, query: str, form: Sequence[tuple[str, str]], headers: Mapping[str, str]
    ) -> bool:
        """Whether the company itself has sent this; nothing of it may be believed before."""
        ...

    def parse(self, hook: Hook, query: Mapping[str, str], form: Mapping[str, str]) -> Reply | Progress | None:
        """What it says; None for what is of no interest. Raises InvalidInputError for what cannot be read."""
        ...

    def say(self, hook: Hook, text: str) -> tuple[str, str]:
        """An answer that has the company tell the text to whoever replied; its media type, and its body."""
        ...

    async def close(self) -> None: ...
