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
    FALLBACK = "fallback"
    PAGE_GROUPED = "page-grouped"
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
    DUTY_CHANGED = "duty-changed"
    DUTY_CHANGE_ENDED = "duty-change-ended"
    DUTY_IMPORTED = "duty-imported"
    HANDED_OVER = "handed-over"
    PAGE_DELIVERED = "page-delivered"
    PAGE_SEEN = "page-seen"
    ON_THE_WAY = "on-the-way"
    ON_SITE = "on-site"
    ANSWER_REFUSED = "answer-refused"
    MENDED = "mended"


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One line: when, what, about which alarm, by whom, why (invariant 7)."""

    at: datetime
    entry: Entry
    alarm_id: AlarmId | None
    actor: str
    reason: str
    detail: str = ""
