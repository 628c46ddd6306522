"""The configuration's keys that say how a camera is mounted."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tocsin.core.errors import GeometryError
from tocsin.core.geometry import Aim, Lens, LensModel, Mount, Position
from tocsin.core.locating import ENTERED_HEADING_DEG, ENTERED_TILT_DEG, Eye

USUAL_ASPECT = 16 / 9
"""Of a picture of which nobody has said its form: it decides how far off the middle row is level, no
bearing."""


class Mounting(BaseModel):
    """Where a camera hangs and looks to, and through what; what is not known is left out."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    lat: float | None = Field(default=None, ge=-90, le=90, allow_inf_nan=False)
    lon: float | None = Field(default=None, ge=-180, le=180, allow_inf_nan=False)
    height_m: float | None = Field(default=None, gt=0, le=500, allow_inf_nan=False)
    heading_deg: float | None = Field(default=None, ge=0, lt=360, allow_inf_nan=False)
    tilt_deg: float | None = Field(default=None, ge=-90, le=90, allow_inf_nan=False)
    roll_deg: float | None = Field(default=None, ge=-180, le=180, allow_inf_nan=False)
    fov_deg: float | None = Field(default=None, gt=0, le=200, allow_inf_nan=False)
    lens: LensModel | None = None
    k1: float | None = Field(default=None, ge=-5, le=5, allow_inf_nan=False)
    k2: float | None = Field(default=None, ge=-5, le=5, allow_inf_nan=False)

    @model_validator(mode="after")
    def _whole(self) -> Mounting:
        if (self.lat is None) != (self.lon is None):
            raise ValueError("lat and lon belong together: give both, or none")
        if self.k1 is None and self.k2 is None and self.lens is None:
            return self
        if self.fov_deg is None:
            if self.lens is None or self.k1 is not None or self.k2 is not None:
                raise ValueError("k1 and k2 need fov_deg: they count from the middle to the picture's edge")
            return self
        try:
            # The picture's size is not known here; of the usual ones this has the farthest corners.
            Lens(self.lens or LensModel.PINHOLE, self.fov_deg, 4 / 3, self.k1 or 0.0, self.k2 or 0.0)
        except GeometryError as error:
            raise ValueError(f"{error.what}; {error.hint}") from None
        return self

    @property
    def eye(self) -> Eye | None:
        """How it stands, as far as bearings are concerned; None where position, heading or field of view
        miss."""
        if self.lat is None or self.lon is None or self.heading_deg is None or self.fov_deg is None:
            return None
        try:
            lens = Lens(
                self.lens or LensModel.PINHOLE, self.fov_deg, USUAL_ASPECT, self.k1 or 0.0, self.k2 or 0.0
            )
        except GeometryError:
            return None  # such as a flat picture of 180 degrees: it can be calibrated, not reckoned with
        aim = Aim(self.heading_deg, self.tilt_deg or 0.0, self.roll_deg or 0.0)
        mount = Mount(Position(self.lat, self.lon), self.height_m or 0.0, aim)
        return Eye(mount, lens, ENTERED_HEADING_DEG, ENTERED_TILT_DEG, level=False)

    @property
    def mounted(self) -> str:
        """In words: at 48.1374, 11.5755, 4 m high, heading 270°, tilted 10° down. Empty if all is unknown."""
        tilt, roll = self.tilt_deg, self.roll_deg
        through = "" if self.lens in (None, LensModel.PINHOLE) else f" through a {self.lens} lens"
        parts = (
            None if self.lat is None or self.lon is None else f"at {self.lat:.5f}, {self.lon:.5f}",
            None if self.height_m is None else f"{self.height_m:g} m high",
            None if self.heading_deg is None else f"heading {self.heading_deg:g}°",
            None if tilt is None else f"tilted {abs(tilt):g}° {'up' if tilt < 0 else 'down'}",
            f"rolled {abs(roll):g}° {'left' if roll < 0 else 'right'}" if roll else None,
            None if self.fov_deg is None else f"{self.fov_deg:g}° wide{through}",
        )
        return ", ".join(part for part in parts if part)
