"""The sections that say how long the ways between places take."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from pydantic import Field

from tocsin.config_base import Identifier, Section
from tocsin.core.geometry import Position
from tocsin.core.travel import WALKING_M_PER_S, Leg, Travel, plan_travel


class TravelTimeSection(Section):
    """How long the way between two places takes, in both directions."""

    between: tuple[Identifier, Identifier]
    seconds: float = Field(ge=0, le=86_400, allow_inf_nan=False)


class TravelSection(Section):
    """How people get about the site."""

    speed_m_per_s: float = Field(default=WALKING_M_PER_S, ge=0.1, le=60, allow_inf_nan=False)
    time: tuple[TravelTimeSection, ...] = ()

    def planned(
        self, places: Collection[str], stations: Collection[str], positions: Mapping[str, Position]
    ) -> Travel:
        """Raises ConfigError for what does not hold together."""
        legs = [Leg(*one.between, one.seconds) for one in self.time]
        return plan_travel(places, stations, positions, legs, self.speed_m_per_s)
