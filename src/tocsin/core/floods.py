"""Floods of alarms: when more come than those on duty can take in, and when that is over (ISA-18.2, EEMUA
191)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from tocsin.core.alarm import Alarm
from tocsin.core.hazards import HazardCode, Priority, Signal

ALARM_FLOOD: Final = HazardCode("alarm-flood")

WINDOW: Final = timedelta(minutes=10)

BEGINS_OVER: Final = 10
"""Alarms in 10 minutes for each operator. ISA-18.2 (2016), 16.5.6: a flood begins when the rate passes 10."""

ENDS_BELOW: Final = 5
"""The same clause: it ends when the rate falls below 5 in 10 minutes."""

REPEAT: Final = timedelta(minutes=5)
"""A responder is told of the flood's lesser alarms at most this often over one channel, with new counts."""


@dataclass(frozen=True, slots=True)
class FloodFigures:
    """A flood so far: how many alarms, and the most within WINDOW."""

    alarms: int
    peak: int
    lasted: timedelta


def flooded(in_window: int, operators: int, *, before: bool) -> bool:
    """Whether there is a flood now. `in_window`: alarms raised within WINDOW; `before`: whether there was
    one.

    With nobody on duty it counts as for one: somebody is called for these alarms all the same.
    """
    those = max(1, operators)
    return in_window >= ENDS_BELOW * those if before else in_window > BEGINS_OVER * those


def figures(raised: Sequence[datetime], since: datetime, now: datetime) -> FloodFigures:
    """Of the alarms that were raised from `since` to `now`; the times in any order."""
    times = sorted(at for at in raised if since <= at <= now)
    peak = first = 0
    for last, at in enumerate(times):
        while at - times[first] >= WINDOW:
            first += 1
        peak = max(peak, last - first + 1)
    return FloodFigures(len(times), peak, now - since)


def told_together(signal: Signal, priority: Priority, hazard: str) -> bool:
    """Whether a flood's page may tell of it with others: of anything but an alarm of priority 1 or 2.

    The flood itself is told at once, and alone.
    """
    return hazard != ALARM_FLOOD and not (signal is Signal.ALARM and priority <= Priority.HIGH)


def may_be_grouped(alarm: Alarm) -> bool:
    return told_together(alarm.signal, alarm.priority, alarm.hazard)
