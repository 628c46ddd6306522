"""The configuration's `[[camera.mask]]` and `[[camera.ignore]]`: what of a camera's picture is left out."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tocsin.core.errors import TocsinError
from tocsin.core.hazards import HazardCode
from tocsin.core.zones import LEAST_POINTS, MOST_POINTS, IgnoreZone, Polygon, Zones, require_few

Share = Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False)]
Points = Annotated[tuple[tuple[Share, Share], ...], Field(min_length=LEAST_POINTS, max_length=MOST_POINTS)]


class MaskSection(BaseModel):
    """A part of the picture that is black before anything looks; points in shares of the picture."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    points: Points

    @model_validator(mode="after")
    def _can_be_drawn(self) -> MaskSection:
        try:
            self.mask()
        except TocsinError as error:
            raise _refused(error) from None
        return self

    def mask(self) -> Polygon:
        """Raises ZoneError."""
        return Polygon(self.points)


class IgnoreSection(BaseModel):
    """A part of the picture in which these hazards are ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    hazards: tuple[str, ...] = Field(min_length=1)
    points: Points

    @model_validator(mode="after")
    def _can_be_drawn(self) -> IgnoreSection:
        try:
            self.zone()
        except TocsinError as error:
            raise _refused(error) from None
        return self

    def zone(self) -> IgnoreZone:
        """Raises ZoneError and UnknownHazardError."""
        return IgnoreZone(tuple(HazardCode(code) for code in self.hazards), Polygon(self.points))


def zones_of(masks: tuple[MaskSection, ...], ignores: tuple[IgnoreSection, ...]) -> Zones:
    """A camera's zones in the file. Raises ZoneError for too many."""
    zones = Zones(tuple(one.mask() for one in masks), tuple(one.zone() for one in ignores))
    require_few(zones, where="camera")
    return zones


def _refused(error: TocsinError) -> ValueError:
    return ValueError(f"{error.what}; {error.hint}" if error.hint else error.what)
