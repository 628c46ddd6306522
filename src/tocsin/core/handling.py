"""What follows an acknowledgement: who is on the way, who is on site. Said by them, never measured.

Nobody's position is known. A responder says "on the way" and "on site" once each for an alarm, and may say
the second without the first.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from tocsin.core.alarm import AlarmId
from tocsin.core.journal import Entry


class HandlingStage(StrEnum):
    ON_THE_WAY = "on-the-way"
    ON_SITE = "on-site"

    @property
    def entry(self) -> Entry:
        return Entry.ON_THE_WAY if self is HandlingStage.ON_THE_WAY else Entry.ON_SITE

    @property
    def text(self) -> str:
        return "on the way" if self is HandlingStage.ON_THE_WAY else "on site"


@dataclass(frozen=True, slots=True)
class Answerer:
    """Who answers: `id` is the responder's, else the account's user name; `name` is what others read.

    `alias` is the other name under which the same member of staff may have answered: the responder's, or
    that of their account.
    """

    id: str
    name: str
    alias: str = ""


@dataclass(frozen=True, slots=True)
class Handled:
    """One stage that one responder has told of one alarm."""

    alarm_id: AlarmId
    stage: HandlingStage
    by: Answerer
    at: datetime
