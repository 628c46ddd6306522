"""The wire format: how core values become JSON between watcher, centre and database, and back.

Reading validates: what does not fit raises InvalidEdgeError, saying which field and why.
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter, ValidationError

from tocsin.core.alarm import Condition, Silence
from tocsin.core.clicks import Calibration
from tocsin.core.drills import DrillReport, DrillTold
from tocsin.core.errors import InvalidEdgeError
from tocsin.core.handover import HandOverNote
from tocsin.core.observation import Edge, Region
from tocsin.core.sight import Heartbeat
from tocsin.core.zones import Zones

T = TypeVar("T")


class Codec(Generic[T]):
    """JSON of one type, both ways."""

    def __init__(self, kind: Any, what: str) -> None:
        self._adapter: TypeAdapter[T] = TypeAdapter(kind)
        self._what = what

    def dump(self, value: T) -> str:
        return self._adapter.dump_json(value).decode()

    def load(self, text: str | bytes) -> T:
        """Raises InvalidEdgeError."""
        try:
            return self._adapter.validate_json(text)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            field = ".".join(str(part) for part in first["loc"]) or "body"
            raise InvalidEdgeError(
                f"{field}: {first['msg']}", where=self._what, hint="see docs/reference/watcher-api.md"
            ) from None


edge_codec: Codec[Edge] = Codec(Edge, "edge")
edges_codec: Codec[tuple[Edge, ...]] = Codec(tuple[Edge, ...], "edges")
heartbeat_codec: Codec[Heartbeat] = Codec(Heartbeat, "heartbeat")
conditions_codec: Codec[tuple[Condition, ...]] = Codec(tuple[Condition, ...], "conditions")
silence_codec: Codec[Silence | None] = Codec(Silence | None, "silence")
hand_over_codec: Codec[HandOverNote] = Codec(HandOverNote, "hand-over")
zones_codec: Codec[Zones] = Codec(Zones, "zones")
calibration_codec: Codec[Calibration] = Codec(Calibration, "calibration")
region_codec: Codec[Region | None] = Codec(Region | None, "region")
drill_report_codec: Codec[DrillReport] = Codec(DrillReport, "drill")
drill_told_codec: Codec[DrillTold] = Codec(DrillTold, "drill")
