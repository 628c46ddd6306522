"""The `[deadman]` section: beats to a dead-man switch outside. Its address is a secret:
TOCSIN_DEADMAN_URL."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tocsin.config_base import Section


class DeadManSection(Section):
    """Off until TOCSIN_DEADMAN_URL is set."""

    every_s: float = Field(default=60.0, ge=10, le=3_600, allow_inf_nan=False)
    method: Literal["POST", "GET"] = "POST"
