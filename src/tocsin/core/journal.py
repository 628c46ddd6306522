"""The journal: what happened to an alarm, who did it and why. Only ever added to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from tocsin.core.alarm import AlarmId


class Entry(StrEnum):
    """Kinds of journal entry. The console words them; the names are stable."""

    RAISED = "raised"
    SEEN_AGAIN = "seen-again"
    CORROBORATED = "corroborated"
    WORSENED = "worsened"
    CLEARED = "cleared"
    IGNORED = "ignored"
    DISPATCHED = "dispatched"
    ESCALATED = "escalated"
    PAGE_SENT = "page-sent"
    PAGE_DELAYED = "page-delayed"
    PAGE_FAILED = "page-failed"
    PAGE_CANCELLED = "page-cancelled"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"
    SILENCED = "silenced"
    SILENCE_LIFTED = "silence-lifted"
    PICTURE_ADDED = "picture-added"
    PICTURE_REFUSED = "picture-refused"
    ENDED = "ended"
    ZONES_CHANGED = "zones-changed"
    OUT_OF_SERVICE = "out-of-service"
    IN_SERVICE = "in-service"
    CAMERA_ADDED = "camera-added"
    CALIBRATED = "calibrated"


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One line: when, what, about which alarm, by whom, why (invariant 7)."""

    at: datetime
    entry: Entry
    alarm_id: AlarmId | None
    actor: str
    reason: str
    detail: str = ""
