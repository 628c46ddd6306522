"""The `[[camera]]` sections."""

from __future__ import annotations

from pydantic import Field, model_validator

from tocsin.config_base import Identifier
from tocsin.config_feedback import Thresholds
from tocsin.config_models import DetectorName
from tocsin.config_place import Mounting
from tocsin.config_streams import Reached, env_key, holds_credentials
from tocsin.config_water import GaugeSection
from tocsin.config_zones import IgnoreSection, MaskSection, zones_of
from tocsin.core.errors import TocsinError
from tocsin.core.zones import MOST_ZONES, Zones


class Camera(Mounting, Reached):
    """One camera. Credentials never stand here: see `camera_credentials`."""

    id: Identifier
    name: str = ""
    place: str = ""
    # Looks that are further apart than a rule's max_gap_s (10 s) never make a hazard believed.
    patrol_looks_per_s: float = Field(default=1.0, ge=0.2, le=30, allow_inf_nan=False)
    stare_looks_per_s: float = Field(default=10.0, ge=1, le=30, allow_inf_nan=False)
    loop: bool = False
    detectors: tuple[DetectorName, ...] = Field(default=("fire", "picture"), min_length=1)
    gauge: tuple[GaugeSection, ...] = Field(default=(), max_length=8)
    mask: tuple[MaskSection, ...] = Field(default=(), max_length=MOST_ZONES)
    ignore: tuple[IgnoreSection, ...] = Field(default=(), max_length=MOST_ZONES)
    threshold: Thresholds = Field(default={})

    @model_validator(mode="after")
    def _few_zones(self) -> Camera:
        try:
            zones_of(self.mask, self.ignore)
        except TocsinError as error:
            raise ValueError(f"{error.what}; {error.hint}") from None
        return self

    @model_validator(mode="after")
    def _stare_is_closer(self) -> Camera:
        if self.patrol_looks_per_s > self.stare_looks_per_s:
            raise ValueError(
                "patrol_looks_per_s is above stare_looks_per_s; give both the same value to look at "
                "this camera closely all the time"
            )
        return self

    @model_validator(mode="after")
    def _no_secret_in_source(self) -> Camera:
        if "://" in self.source and holds_credentials(self.source):
            key = env_key(self.id)
            raise ValueError(
                "source holds a user name or password; take it out and set "
                f"TOCSIN_CAMERA_{key}_USERNAME and TOCSIN_CAMERA_{key}_PASSWORD"
            )
        return self

    @property
    def shown_name(self) -> str:
        return self.name or self.id

    @property
    def zones(self) -> Zones:
        """The masks and ignore zones of the file; what is drawn in the console adds to them."""
        return zones_of(self.mask, self.ignore)
