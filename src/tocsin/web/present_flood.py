"""A flood of alarms as the board shows it: its figures, and the open alarms by place and by source."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tocsin.core.floods import ALARM_FLOOD
from tocsin.web.views import AlarmView

MOST_GROUPS = 12


@dataclass(frozen=True, slots=True)
class GroupView:
    """Open alarms with something in common; `owed` of them wait for an answer, `gravest` comes first."""

    name: str
    count: int
    owed: int
    gravest: AlarmView


@dataclass(frozen=True, slots=True)
class FloodView:
    """`alarm` is the flood's own; `count` alarms are open beside it, `owed` of them wait for an answer."""

    alarm: AlarmView
    count: int
    owed: int
    gravest: AlarmView | None
    by_place: tuple[GroupView, ...]
    by_source: tuple[GroupView, ...]


def flood_view(alarms: Sequence[AlarmView]) -> FloodView | None:
    """None while there is no flood. `alarms` as on the board, the gravest first."""
    flood = next((one for one in alarms if one.hazard == ALARM_FLOOD and one.live), None)
    if flood is None:
        return None
    others = [one for one in alarms if one.hazard != ALARM_FLOOD]
    return FloodView(
        flood,
        len(others),
        sum(one.can_acknowledge for one in others),
        others[0] if others else None,
        _groups(others, lambda one: one.place),
        _groups(others, lambda one: one.source_text),
    )


def _groups(alarms: Sequence[AlarmView], key: Callable[[AlarmView], str]) -> tuple[GroupView, ...]:
    """The largest first; the rest is on the board itself."""
    found: dict[str, list[AlarmView]] = {}
    for alarm in alarms:
        found.setdefault(key(alarm), []).append(alarm)
    groups = [
        GroupView(name, len(those), sum(one.can_acknowledge for one in those), those[0])
        for name, those in found.items()
    ]
    return tuple(sorted(groups, key=lambda one: (-one.count, one.gravest.rank))[:MOST_GROUPS])
