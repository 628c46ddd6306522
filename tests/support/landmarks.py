"""A camera whose every angle is known, with landmarks around it, and what its picture shows."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from tocsin.core.geometry import Aim, Direction, Lens, LensModel, Mount, Position, dip_deg, point_of, way
from tocsin.core.zones import Vertex

MOUNT = Mount(Position(48.1374, 11.5755), 12.0, Aim(118.0, 6.0, -1.5))
LENS = Lens(LensModel.PINHOLE, 64.0, 16 / 9)


@dataclass(frozen=True)
class Seen:
    """Something on the map, and where the camera draws it."""

    name: str
    position: Position
    height_m: float
    point: Vertex


def seen(name: str, bearing_deg: float, distance_m: float, height_m: float) -> Seen:
    here = MOUNT.position
    bearing = math.radians(bearing_deg)
    north, east = (distance_m * one(bearing) / 111_200 for one in (math.cos, math.sin))
    # Six places, as maps and forms have them.
    position = Position(
        round(here.lat_deg + north, 6), round(here.lon_deg + east / math.cos(math.radians(here.lat_deg)), 6)
    )
    there = way(here, MOUNT.height_m, position, height_m)
    return Seen(name, position, height_m, drawn(there.bearing_deg, there.elevation_deg))


def drawn(bearing_deg: float, elevation_deg: float) -> Vertex:
    point = point_of(Direction(bearing_deg, elevation_deg), MOUNT.aim, LENS)
    assert point is not None
    return point


def horizon() -> tuple[Vertex, Vertex]:
    return drawn(92.0, -dip_deg(MOUNT.height_m)), drawn(144.0, -dip_deg(MOUNT.height_m))


CHIMNEY = seen("Chimney", 98.0, 1500.0, 80.0)
SPIRE = seen("Spire", 139.0, 2200.0, 95.0)
SILO = seen("Silo", 118.0, 700.0, 40.0)


def jpeg(width: int = 1280, height: int = 720) -> bytes:
    """What the camera shows: sky over land, and the landmarks stand upright in it."""
    canvas = np.full((height, width, 3), (226, 206, 180), np.uint8)
    (x1, y1), (x2, y2) = horizon()
    slope = (y2 - y1) / (x2 - x1)
    edge = [(0, (y1 - slope * x1) * height), (width, (y1 + slope * (1 - x1)) * height)]
    land = np.array([*edge, (width, height), (0, height)], np.int32)
    cv2.fillPoly(canvas, [land], (84, 112, 98))
    for one in (CHIMNEY, SPIRE, SILO):
        x, y = one.point
        foot = (y1 + slope * (x - x1)) * height
        half = width // 80
        cv2.rectangle(
            canvas, (round(x * width) - half, round(y * height)), (round(x * width) + half, round(foot)),
            (60, 62, 70), -1,
        )  # fmt: skip
    done, data = cv2.imencode(".jpg", canvas)
    assert done
    return data.tobytes()
