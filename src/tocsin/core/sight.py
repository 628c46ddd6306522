"""What a watcher says of itself: which cameras see, since when, and what stands before them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from tocsin.core.errors import InvalidEdgeError
from tocsin.core.observation import CameraId, Edge, PlaceId

DISK_LOW_SHARE = 0.05
DISK_CLEAR_SHARE = 0.08
"""Less free space than the first share of the disk is a trouble, until there is more than the second."""


LONGEST_S = 1e9
"""Thirty years: no watcher has run for longer."""


class Sight(StrEnum):
    """Whether a camera can be relied on now."""

    SEEING = "seeing"
    TROUBLE = "trouble"
    SILENT = "silent"
    STARTING = "starting"


@dataclass(frozen=True, slots=True)
class ZoneHealth:
    """Which zones a watcher goes by for one camera.

    `version` is that of the drawn ones, 0 for none; `fixed` those of its own file, as `zone_text` writes
    them; `ignored` counts looks in which something suspicious lay in an ignore zone, since the start.
    `error` says why the drawn ones are not applied.
    """

    version: int = 0
    fixed: str = ""
    ignored: int = 0
    error: str = ""


@dataclass(frozen=True, slots=True)
class CameraHealth:
    """One camera in a heartbeat.

    `last_look_at` is the capture time of the last *analysed* frame: a process that lives with dead
    eyes is told apart by it. `standing` are the confirmed edges that still stand.

    `since_look_s`: seconds since that look, or since the camera was taken up if there was none, by a clock
    that never jumps. `limit_s`: a look older than this is silence; None where no look is owed (a recording
    that has ended). Both are None, and `zones` plain, from watchers of an earlier version.
    """

    camera: CameraId
    name: str
    place: PlaceId
    sight: Sight
    last_look_at: datetime | None
    looks: int
    error: str = ""
    standing: tuple[Edge, ...] = ()
    since_look_s: float | None = None
    limit_s: float | None = None
    zones: ZoneHealth = ZoneHealth()

    def __post_init__(self) -> None:
        for name, value in (("since_look_s", self.since_look_s), ("limit_s", self.limit_s)):
            # Written so that NaN is refused too.
            if value is not None and not 0.0 <= value <= LONGEST_S:
                raise InvalidEdgeError(f"{name} {value} is no number of seconds", where="heartbeat")


@dataclass(frozen=True, slots=True)
class Looking:
    """How a watcher spreads its looks over its cameras.

    The rates are looks per camera and second over the last minute or two, on patrol and in stares.
    `queue` cameras ask for a stare, `staring` have one, `stares` were granted since the start; `skipped`
    looks were due and left out, as the machine was behind. `verdict_*`: seconds from the first
    suspicious look to a confirmed alarm or to the end of the stare, over the last 200 of them.
    """

    patrol_looks_per_s: float = 0.0
    stare_looks_per_s: float = 0.0
    queue: int = 0
    staring: int = 0
    stares: int = 0
    skipped: int = 0
    verdict_last_s: float | None = None
    verdict_median_s: float | None = None
    verdict_max_s: float | None = None


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Sent every few seconds. `spooled` edges and pictures wait to be delivered, `refused` were not taken.

    `looking` is None from watchers of an earlier version.
    """

    at: datetime
    cameras: tuple[CameraHealth, ...]
    spooled: int = 0
    refused: int = 0
    disk_free_share: float = 1.0
    looking: Looking | None = None


@dataclass(frozen=True, slots=True)
class Watcher:
    """A watcher as the centre knows it; `heard_at` by the centre's own clock."""

    name: str
    added_at: datetime
    heard_at: datetime | None = None
    heartbeat: Heartbeat | None = None
