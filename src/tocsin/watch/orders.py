"""What a watcher and its readers say to each other, over a pipe between processes of one program."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tocsin.core.drills import Stamp
from tocsin.core.observation import CameraId, Edge
from tocsin.core.zones import NO_ZONES, Zones
from tocsin.redact import RedactedPicture
from tocsin.watch.figures import LookFigures
from tocsin.watch.tally import Tally
from tocsin.watch.worker import Progress


@dataclass(frozen=True, slots=True)
class CameraTold:
    """One camera as its reader sees it now.

    `standing` are the edges that stand before it; `failing` names detectors that fail; `ignored` looks had
    something suspicious in an ignore zone; `threads` are the idents of those that work for it.
    """

    progress: Progress
    looks: LookFigures = field(default_factory=LookFigures)
    standing: tuple[Edge, ...] = ()
    troubled: bool = False
    failing: str = ""
    ignored: int = 0
    threads: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """How far a drill has got before one camera. `not_detected`: see `core.drills.DrillTold`.

    `over`: nothing more will be told of it.
    """

    drill: str
    stamps: tuple[Stamp, ...] = ()
    not_detected: str = ""
    over: bool = False


@dataclass(frozen=True, slots=True)
class ReaderTold:
    """All of a reader, about once a second.

    `cpu_s`: what it has taken so far; `unspooled`: edges and pictures that the disk did not take yet.
    """

    cameras: Mapping[CameraId, CameraTold] = field(default_factory=dict[CameraId, CameraTold])
    tally: Tally = field(default_factory=Tally)
    cpu_s: float = 0.0
    unspooled: int = 0
    rehearsed: tuple[Rehearsed, ...] = ()


@dataclass(frozen=True, slots=True)
class Rang:
    """Something was spooled: to be sent now."""


@dataclass(frozen=True, slots=True)
class Shown:
    """The picture that `Show` of that number asked for, if there is one."""

    number: int
    picture: RedactedPicture | None = None


@dataclass(frozen=True, slots=True)
class Take:
    """Watch this camera, in place of the one of that name if there is one.

    `recipe` is for whoever builds workers; `standing` stood before it when an earlier reader died.
    """

    camera: CameraId
    recipe: object = field(repr=False)
    zones: Zones = NO_ZONES
    standing: tuple[Edge, ...] = ()


@dataclass(frozen=True, slots=True)
class Drop:
    """Watch this camera no more."""

    camera: CameraId


@dataclass(frozen=True, slots=True)
class Draw:
    """Go by these zones from now on."""

    camera: CameraId
    zones: Zones


@dataclass(frozen=True, slots=True)
class Show:
    """How does this camera's picture look now? Redacted, as always."""

    camera: CameraId
    number: int


@dataclass(frozen=True, slots=True)
class Rehearse:
    """Hold a drill before this camera, beside its real watching."""

    camera: CameraId
    drill: str


@dataclass(frozen=True, slots=True)
class End:
    """Stop all cameras, and end."""


Order = Take | Drop | Draw | Show | Rehearse | End
Word = ReaderTold | Rang | Shown
