"""What the console's pages show: plain values, made from the core's by `views.of_*`, rendered by Jinja."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class PictureView:
    """One redacted picture of an evidence strip. `role` is before, at or after."""

    url: str
    role: str
    at: datetime
    offset_s: float
    alt: str


@dataclass(frozen=True, slots=True)
class LineView:
    """One line of an alarm's time line."""

    at: datetime
    who: str
    what: str
    reason: str


@dataclass(frozen=True, slots=True)
class PageView:
    """One page owed or sent to a responder. `state` is due, held, sent, failed, cancelled; once it has left,
    how far it has got: delivered, seen, acknowledged. `stages` are those known, each with its time.
    `detail` says what went wrong, `why` why it goes to this responder (invariant 7)."""

    responder: str
    channel: str
    state: str
    at: datetime
    detail: str
    why: str
    stages: tuple[tuple[str, datetime], ...] = ()


@dataclass(frozen=True, slots=True)
class SentenceView:
    """One sentence of an alarm's story. `offset` is how long after its start, in words."""

    at: datetime
    offset: str
    text: str
    kind: str


@dataclass(frozen=True, slots=True)
class HandledView:
    """Who is on the way, or on site, as they said themselves."""

    name: str
    stage: str
    at: datetime


@dataclass(frozen=True, slots=True)
class AlarmView:
    """An alarm as a card and as a page.

    `state` is UNACK, ACK, RTN_UNACK, LATCHED or NORMAL; `state_text` the same in plain words.
    `silence_text` is empty or says who silenced it, why, and until when.
    `can_*` tell which forms make sense now. `priority` is 1 (emergency) to 4 (low).
    `signal` is alarm, supervisory or trouble. `drill` is true unless the CAP status is Actual.
    `rank` sorts the list as text, the gravest first; `closed_at` and `outcome_text` are for history.
    `asks_cause` tells whether calling it false needs a cause; `outcome` and `cause` are codes.
    `position_text` says where it is, with its error, if that is known.
    """

    id: str
    number: int
    hazard: str
    hazard_name: str
    signal: str
    priority: int
    priority_text: str
    state: str
    state_text: str
    live: bool
    drill: bool
    status: str
    place: str
    source_text: str
    raised_at: datetime
    late_text: str
    confidence_text: str
    reason: str
    handled_by: str
    next_step_text: str
    silence_text: str
    can_acknowledge: bool
    can_resolve: bool
    can_shelve: bool
    can_unshelve: bool
    pictures: tuple[PictureView, ...]
    steps: tuple[str, ...]
    lines: tuple[LineView, ...] = ()
    pages: tuple[PageView, ...] = ()
    rank: str = ""
    closed_at: datetime | None = None
    outcome_text: str = ""
    asks_cause: bool = False
    outcome: str = ""
    cause: str = ""
    position_text: str = ""
    can_go: bool = False
    handled: tuple[HandledView, ...] = ()
    story: tuple[SentenceView, ...] = ()


@dataclass(frozen=True, slots=True)
class LinkView:
    """The page of a link, for somebody who is not signed in: no picture, no journal, nothing that acts but
    `buttons` (address, words). `drill` is the CAP status unless it is Actual; `whose` says who has it."""

    number: int
    hazard_name: str
    place: str
    signal: str
    priority: int
    drill: str
    reason: str
    raised_at: datetime
    gone: bool
    steps: tuple[str, ...]
    whose: str
    mine: bool
    handled: tuple[str, ...]
    buttons: tuple[tuple[str, str], ...]
    seen_url: str
    responder: str
    console: str


@dataclass(frozen=True, slots=True)
class ResolveView:
    """What a form to resolve an alarm held when it was refused, and why it was."""

    problem: str
    outcome: str
    cause: str
    note: str


@dataclass(frozen=True, slots=True)
class CameraView:
    """A camera in the list. `state` is seeing, trouble, silent, unknown or out-of-service; `state_text` in
    words.

    What a camera that is out of service would be without that, is `sight_text`. `out_until` is empty, or says
    until when it is out; `out_why` who took it out and why. `service_url` is where that is changed.

    `looking_text` tells how its watcher spreads its looks; empty when that is not known now. `zones_url` is
    where its masks and zones are drawn, `calibrate_url` where it is calibrated, `zones_version` the version
    that its watcher goes by, `ignored` the looks in which an ignore zone held something suspicious back.
    """

    id: str
    name: str
    place: str
    watcher: str
    state: str
    state_text: str
    last_look_at: datetime | None
    age_text: str
    troubles: tuple[str, ...]
    looking_text: str = ""
    zones_url: str = ""
    calibrate_url: str = ""
    zones_version: int = 0
    ignored: int = 0
    service_url: str = ""
    sight_text: str = ""
    out_until: str = ""
    out_why: str = ""


@dataclass(frozen=True, slots=True)
class ServiceView:
    """What a form to take a camera out of service holds, and why it was refused, if it was."""

    minutes: int
    reason: str = ""
    note: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class HazardChoice:
    """A hazard that staff may report. `words` are others by which it is found, `say` is its number spoken."""

    code: str
    number: int
    name: str
    signal: str
    priority: int
    words: str = ""
    say: str = ""
    first_step: str = ""


@dataclass(frozen=True, slots=True)
class PlaceChoice:
    id: str
    name: str


@dataclass(frozen=True, slots=True)
class PlaceSheet:
    """A place and its QR code: a path within `side` by `side` units. `sheet_url` is the page to print."""

    id: str
    name: str
    sheet_url: str
    url: str
    side: int
    path: str


@dataclass(frozen=True, slots=True)
class ZonesView:
    """The masks and zones of a camera, as its page shows them.

    `text` is what stands in the form: what is saved, or what was refused; `theirs` what somebody else saved
    meanwhile. `shapes` are (kind, svg points), the kind one of mask, ignore, fixed-mask, fixed-ignore,
    theirs-mask, theirs-ignore. `still_url` is the camera's picture, `still_at` empty while there is none.
    `share_text` counts the masks of the watcher's file and those in the form.
    """

    text: str
    version: int
    fixed: str
    theirs: str
    share_text: str
    saved_by: str
    reach_text: str
    shapes: tuple[tuple[str, str], ...]
    still_url: str
    still_at: str
    problem: str
    most_masked: int


@dataclass(frozen=True, slots=True)
class MarkView:
    """A landmark's fields as they were typed (name, lat, lon, height, x, y), and its place on the board."""

    number: int
    fields: dict[str, str]
    at: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class FoundView:
    """One number of a calibration: its name, its value, and how sure it is or whence it comes."""

    name: str
    value: str
    how: str


@dataclass(frozen=True, slots=True)
class MissView:
    """How far a landmark was clicked from where it should be."""

    name: str
    off_deg: str
    off_px: str
    doubtful: bool


@dataclass(frozen=True, slots=True)
class CalibrateView:
    """Calibrating one camera, as its page shows it.

    `fields` are what stands in the form, by name. `found` and `misses` are empty while nothing is worked out;
    `checked` tells whether there was more than it takes. The board is 1000 wide and `board_height` high; on
    it lie `horizon` (as clicked), `curve` (the horizon as worked out, svg points) and `meant` (where the
    landmarks should be). `cell_text` says how exact a click is.
    """

    fields: dict[str, str]
    marks: tuple[MarkView, ...]
    lenses: tuple[tuple[str, str], ...]
    version: int
    saved_by: str
    problem: str
    found: tuple[FoundView, ...]
    misses: tuple[MissView, ...]
    checked: bool
    board_height: int
    horizon: tuple[tuple[str, str], ...]
    curve: str
    meant: tuple[tuple[str, str], ...]
    still_url: str
    still_at: str
    cell_text: str
    assumed_size: bool
    unsaved: bool
