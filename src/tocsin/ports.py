"""What the flows need of the world: small protocols, implemented by the edges, joined in `wiring`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol, runtime_checkable

from tocsin.core.dispatch import PageId, Stage
from tocsin.core.errors import ConfigError, PictureError
from tocsin.core.hazards import HazardCode
from tocsin.core.observation import FrameInfo, Observation, Region
from tocsin.core.zones import NO_ZONES, Zones
from tocsin.redact import Picture as Picture
from tocsin.redact import RedactedPicture


class Clock(Protocol):
    """The only way to the time; loops hold one, policy code is handed `now` (invariant 6)."""

    def now(self) -> datetime:
        """The wall clock, aware UTC."""
        ...

    def monotonic_s(self) -> float:
        """Seconds that never jump."""
        ...


@dataclass(frozen=True, slots=True)
class Frame:
    """One decoded frame: BGR uint8 of shape (height_px, width_px, 3), contiguous.

    It belongs to whoever looks at it: the eye paints the camera's masks into it before any detector sees
    it. `zones` are those of the camera. A detector that would name only the surest place of a hazard goes
    by them, so that an ignored furnace does not stand before a fire beside it. `cpu_s` is what other threads
    than the taker's have spent on it.
    """

    info: FrameInfo
    picture: Picture
    zones: Zones = NO_ZONES
    cpu_s: float = 0.0


class Gaze(Protocol):
    """How closely a source is to look now. Asked at every packet, from the source's own thread."""

    @property
    def staring(self) -> bool:
        """True for a stare (every frame decoded), false for a patrol (key packets will do)."""
        ...


@dataclass(frozen=True, slots=True)
class SteadyGaze:
    """A gaze that never changes."""

    staring: bool


PATROL: Final = SteadyGaze(staring=False)
STARE: Final = SteadyGaze(staring=True)

MAX_LOOKS_PER_S: Final = 120.0


@dataclass(frozen=True, slots=True)
class Rates:
    """About how many frames a second are handed out, on patrol and in a stare.

    A camera that is patrolled as often as it is stared at is looked at closely all the time.
    """

    patrol_looks_per_s: float = 1.0
    stare_looks_per_s: float = 10.0

    def __post_init__(self) -> None:
        # Written so that NaN is refused too.
        if not 0.0 < self.patrol_looks_per_s <= self.stare_looks_per_s <= MAX_LOOKS_PER_S:
            raise ConfigError(
                f"{self.patrol_looks_per_s} looks a second on patrol and {self.stare_looks_per_s} in a stare",
                hint=f"give rates up to {MAX_LOOKS_PER_S:g}, the patrol's above 0 and not above the stare's",
            )

    @property
    def patrols(self) -> bool:
        """False when a stare would be no closer look than the patrol is."""
        return self.patrol_looks_per_s < self.stare_looks_per_s


class Source(Protocol):
    """A camera or a file. One source belongs to one thread."""

    def frames(self) -> Iterator[Frame]:
        """Frames in order of capture until the source ends.

        Every wait inside is bounded. Raises a SourceError that says which kind of failure it was;
        a finite source (a file) simply ends, a camera that ends raises SourceTimeoutError.
        """
        ...

    def close(self) -> None:
        """Let go of sockets and decoders; may be called twice."""
        ...


class Detector(Protocol):
    """Looks at one camera's frames in order; keeps what it must remember of earlier ones."""

    @property
    def name(self) -> str: ...

    @property
    def labels(self) -> tuple[str, ...]:
        """The hazard codes that it may report; checked against the catalogue at load (invariant 3)."""
        ...

    def look(self, frame: Frame) -> Sequence[Observation]:
        """What is seen in this frame. Of several observations of a hazard the surest counts that no ignore
        zone of the frame holds."""
        ...

    def reset(self) -> None:
        """Forget earlier frames: the stream was interrupted."""
        ...


@dataclass(frozen=True, slots=True)
class Score:
    """How surely one picture by itself shows a hazard, from 0 to 1, and where: boxes, each with its own."""

    confidence: float
    boxes: tuple[tuple[float, Region], ...] = ()

    def __post_init__(self) -> None:
        # Written so that NaN is refused too.
        if not all(0.0 <= one <= 1.0 for one in (self.confidence, *(sure for sure, _ in self.boxes))):
            raise PictureError(f"a confidence of {self.confidence} or of a box is not between 0 and 1")


@runtime_checkable
class StillDetector(Protocol):
    """A detector that can also judge a single picture, without earlier ones."""

    def scores(self, picture: Picture) -> Mapping[HazardCode, Score]:
        """One score for each of its labels that a single picture can show; remembers nothing.

        `picture` is BGR uint8 of shape (height, width, 3), of any size.
        """
        ...


@dataclass(frozen=True, slots=True)
class Message:
    """What a page says. `page_id` is stable over repeats; receivers drop repeats by it.

    `url` is the alarm in the console, `acknowledge_url` the link that acknowledges without signing in: a
    secret of the responder's, good for this page alone. Empty where there is none.
    """

    page_id: str
    address: str
    responder: str
    subject: str
    text: str
    url: str
    alarm_id: str
    alarm_number: int
    hazard: str
    hazard_name: str
    signal: str
    priority: int
    status: str
    place: str
    raised_at: datetime
    attempt: int
    acknowledge_url: str = ""


class Channel(Protocol):
    """One way to send a page."""

    @property
    def name(self) -> str: ...

    async def send(self, message: Message) -> str:
        """Hand the message over; returns what the other side said, without secrets.

        Returns only when the other side has accepted it. Raises TemporaryDeliveryError or
        PermanentDeliveryError. Bounded in time by itself.
        """
        ...


@runtime_checkable
class ManyServers(Protocol):
    """A channel whose addresses lead to servers of their own: a dead one keeps back no other's pages."""

    def server(self, address: str) -> str:
        """What names the address's server, without secrets; empty for an address that is none."""
        ...


class Answers(Protocol):
    """What comes back over a channel that is spoken to from outside, once its signature was checked."""

    async def reply(self, channel: str, address: str, text: str, now: datetime) -> str:
        """A responder's reply by text or key; returns what to tell them in one line.

        Raises ForeignReplyError for an address that is no responder's, InvalidInputError for words that say
        nothing, and IllegalMoveError where there is nothing to acknowledge (any more).
        """
        ...

    async def receipt(self, page_id: PageId, stage: Stage, now: datetime) -> None:
        """The channel says how far a page has got; a page that is not known, or further, is left alone."""
        ...


class PictureDoor(Protocol):
    """Decodes and redacts what a stranger calls a picture, where it can do no harm."""

    async def __call__(self, data: bytes, region: Region | None) -> RedactedPicture:
        """Raises PictureError for what is no picture, and PictureBusyError (temporary)."""
        ...
