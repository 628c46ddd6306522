"""The configuration's keys that say how a camera is mounted."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class Mounting(BaseModel):
    """Where a camera hangs and looks to; what is not known is left out."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    height_m: float | None = Field(default=None, gt=0, le=500, allow_inf_nan=False)
    heading_deg: float | None = Field(default=None, ge=0, lt=360, allow_inf_nan=False)
    tilt_deg: float | None = Field(default=None, ge=-90, le=90, allow_inf_nan=False)
    fov_deg: float | None = Field(default=None, gt=0, le=200, allow_inf_nan=False)

    @property
    def mounted(self) -> str:
        """In words: 4 m high, heading 270°, tilted 10° down, 90° wide. Empty if nothing is known."""
        tilt = self.tilt_deg
        parts = (
            None if self.height_m is None else f"{self.height_m:g} m high",
            None if self.heading_deg is None else f"heading {self.heading_deg:g}°",
            None if tilt is None else f"tilted {abs(tilt):g}° {'up' if tilt < 0 else 'down'}",
            None if self.fov_deg is None else f"{self.fov_deg:g}° wide",
        )
        return ", ".join(part for part in parts if part)
