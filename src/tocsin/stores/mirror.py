"""The open alarms as this process last saw them, so that deciding on an edge reads only what has changed.

Every change of an alarm is written by a transaction that decides, one at a time in the whole house, and bears
that transaction's revision. Whoever decides next asks for the alarms of later revisions, and has them all:
another centre's as well as its own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from tocsin.core.alarm import Alarm, AlarmId, Condition

Point = tuple[str, str]

LOCATED = ("located", "")
"""Under this name all are found that somebody sees along a known line."""


class OpenAlarms:
    """Open alarms by id, and by what their conditions name. Belongs to whoever holds the deciding lock."""

    def __init__(self) -> None:
        self.revision: int | None = None
        """Up to which all is here; None: nothing is, and all must be read."""
        self._alarms: dict[AlarmId, Alarm] = {}
        self._named: dict[Point, set[AlarmId]] = {}

    def put(self, alarm: Alarm) -> None:
        """Takes an alarm as it now is; one that is closed is no longer here."""
        before = self._alarms.pop(alarm.id, None)
        if before is not None:
            for name in _names(before.conditions):
                here = self._named[name]
                here.discard(alarm.id)
                if not here:
                    del self._named[name]
        if alarm.open:
            self._alarms[alarm.id] = alarm
            for name in _names(alarm.conditions):
                self._named.setdefault(name, set()).add(alarm.id)

    def forget(self) -> None:
        """After a transaction that did not come to its end: what is true is read anew."""
        self.revision = None
        self._alarms.clear()
        self._named.clear()

    def get(self, alarm_id: AlarmId) -> Alarm | None:
        return self._alarms.get(alarm_id)

    def all(self) -> list[Alarm]:
        return _in_order(self._alarms.values())

    def related(self, *, point: str, source: str, places: Collection[str], located: bool) -> list[Alarm]:
        """Those that have a condition at this point, from this source or at one of these places; with
        `located` also all of which a condition has a line."""
        names = [("point", point), ("source", source), *(("place", place) for place in places)]
        if located:
            names.append(LOCATED)
        found = set[AlarmId]().union(*(self._named.get(name, ()) for name in names))
        return _in_order(self._alarms[alarm_id] for alarm_id in found)


def _names(conditions: Iterable[Condition]) -> set[Point]:
    found = set[Point]()
    for one in conditions:
        found.update((("point", one.point), ("source", one.source), ("place", one.place)))
        if one.line is not None:
            found.add(LOCATED)
    return found


def _in_order(alarms: Iterable[Alarm]) -> list[Alarm]:
    return sorted(alarms, key=_number)


def _number(alarm: Alarm) -> Any:
    return alarm.number
