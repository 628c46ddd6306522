"""What the configuration takes from false alarms: names of causes, and a camera's own thresholds."""

from __future__ import annotations

import difflib
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from tocsin.core.hazards import Catalogue, Family, Hazard
from tocsin.core.persistence import HIGHEST_ENTER, LOWEST_ENTER


def settable(hazard: Hazard) -> bool:
    """Whether a camera may have its own threshold for it.

    Not for troubles of sight: a threshold that hides a covered lens would let it pass for a calm place.
    """
    return hazard.raised_by.detector and hazard.family not in (Family.SIGHT, Family.SYSTEM)


def _of_hazards(thresholds: dict[str, float]) -> dict[str, float]:
    known = [str(hazard.code) for hazard in Catalogue() if settable(hazard)]
    for code in thresholds:
        if code not in known:
            near = difflib.get_close_matches(code, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"it may be set for {', '.join(known)}"
            raise ValueError(f"{code!r} has no threshold; {hint}")
    return thresholds


Thresholds = Annotated[
    dict[str, Annotated[float, Field(ge=LOWEST_ENTER, le=HIGHEST_ENTER, allow_inf_nan=False)]],
    AfterValidator(_of_hazards),
]
"""By hazard: the confidence from which a look counts towards an alarm, on this camera."""


class CauseSection(BaseModel):
    """Another name or language for a cause of false alarms."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, max_length=100)
