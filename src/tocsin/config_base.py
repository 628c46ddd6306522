"""What the sections of the configuration are made of."""

from __future__ import annotations

import re
from datetime import time
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
_HOURS = re.compile(r"\d{1,2}:\d{2}(:\d{2})?")


def _identifier(text: str) -> str:
    if not _ID.fullmatch(text):
        raise ValueError("use small letters, digits, dot, dash and underscore, at most 63 of them")
    return text


def _clock_time(value: object) -> object:
    if value == "24:00":
        return time(0)
    if isinstance(value, time) and value.tzinfo is None:
        return value
    if isinstance(value, str) and _HOURS.fullmatch(value):
        return time.fromisoformat(value.zfill(5))
    raise ValueError('write a time of the site\'s own clock, like "06:00" or "22:30", without a zone')


Identifier = Annotated[str, AfterValidator(_identifier)]
ClockTime = Annotated[time, BeforeValidator(_clock_time)]
PositiveSeconds = Annotated[float, Field(ge=0, le=86_400, allow_inf_nan=False)]


class Section(BaseModel):
    """A table of the file: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)
