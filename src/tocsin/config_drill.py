"""The section of drills: when they are held by themselves, before which cameras, and who is called."""

from __future__ import annotations

from collections.abc import Collection
from datetime import time
from typing import Literal

from pydantic import Field, model_validator

from tocsin.config_base import Section
from tocsin.core.drills import DrillSchedule
from tocsin.core.errors import ConfigError

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class DrillSection(Section):
    """`at` is on the site's clock: "10:00" every day, "wed 10:00" every week."""

    every: Literal["", "daily", "weekly"] = ""
    at: str = Field(default="", max_length=20)
    cameras: tuple[str, ...] = Field(default=(), max_length=50)
    responders: tuple[str, ...] = ()
    wait_s: float = Field(default=120.0, ge=30, le=900, allow_inf_nan=False)

    @model_validator(mode="after")
    def _whole(self) -> DrillSection:
        if not self.every:
            if self.at or self.cameras:
                raise ValueError('there is no "every": write "daily" or "weekly"')
            return self
        if not self.cameras:
            raise ValueError("name the cameras that are drilled")
        weekday, _ = _when(self.at)
        if (weekday is None) == (self.every == "weekly"):
            raise ValueError(f'"at" of a {self.every} drill is like "{_LIKE[self.every]}"')
        return self


_LIKE = {"daily": "10:00", "weekly": "wed 10:00"}


def _when(text: str) -> tuple[int | None, time]:
    *day, clock = text.lower().split() or [""]
    try:
        at = time.fromisoformat(clock) if len(clock) == len("10:00") else None
        weekday = _DAYS.index(day[0]) if day else None
    except ValueError:
        at, weekday = None, None
    if at is None or at.tzinfo is not None or len(day) > 1 or (day and weekday is None):
        raise ValueError('"at" is a time such as "10:00", or a day and a time such as "wed 10:00"')
    return weekday, at


def schedule_of(
    section: DrillSection, watcher: str, cameras: Collection[str], responders: Collection[str]
) -> DrillSchedule:
    """Raises ConfigError for a camera or a responder that is not there.

    A camera without a watcher's name is that of the configuration's own `watcher`.
    """
    unknown = sorted(set(section.responders).difference(responders))
    if unknown:
        raise ConfigError(
            f"there is no responder {unknown[0]!r}",
            where="[drill] responders",
            hint=f"one of {', '.join(sorted(responders))}" if responders else "add a [[responder]]",
        )
    named: list[tuple[str, str]] = []
    for one in section.cameras:
        of, slash, camera = one.partition("/")
        if not slash:
            of, camera = watcher, one
        if of == watcher and cameras and camera not in cameras:
            raise ConfigError(
                f"there is no camera {camera!r}",
                where="[drill] cameras",
                hint=f'one of {", ".join(sorted(cameras))}; of another watcher: "watcher/camera"',
            )
        named.append((of, camera))
    weekday, at = _when(section.at) if section.every else (None, None)
    return DrillSchedule(tuple(named), at, weekday, section.wait_s, frozenset(section.responders))
