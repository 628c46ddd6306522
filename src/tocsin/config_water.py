"""The configuration's `[[camera.gauge]]`: where a camera reads the level of rising water."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tocsin.core.errors import ConfigError
from tocsin.core.gauge import Gauge, Point

Share = Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False)]
Where = tuple[Share, Share]


class GaugeSection(BaseModel):
    """A line, or a region with four corners, on which water is read; all in shares of the picture."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    limit: float = Field(ge=0.05, le=1.0, allow_inf_nan=False)
    line: tuple[Where, ...] = ()
    region: tuple[Where, ...] = ()
    width: float = Field(default=0.05, ge=0.005, le=1.0, allow_inf_nan=False)
    name: str = Field(default="", max_length=100)

    @model_validator(mode="after")
    def _can_be_read(self) -> GaugeSection:
        if bool(self.line) == bool(self.region):
            raise ValueError("give either line (two points) or region (four points)")
        if self.line and len(self.line) != 2:
            raise ValueError(f"line has {len(self.line)} points; it needs two: the low end, the high end")
        if self.region and len(self.region) != 4:
            raise ValueError(
                f"region has {len(self.region)} points; it needs four: "
                "low left, low right, high right, high left"
            )
        try:
            self.gauge()
        except ConfigError as error:
            raise ValueError(f"{error.what}; {error.hint}" if error.hint else error.what) from None
        return self

    def gauge(self) -> Gauge:
        """The gauge that the detector reads. Raises ConfigError for one that cannot be read."""
        corners = tuple(Point(x, y) for x, y in self.region)
        if corners:
            low, high = _middle(corners[0], corners[1]), _middle(corners[3], corners[2])
        else:
            low, high = (Point(x, y) for x, y in self.line)
        return Gauge(low, high, self.width, self.limit, self.name, corners)


def _middle(one: Point, two: Point) -> Point:
    return Point((one.x + two.x) / 2, (one.y + two.y) / 2)
