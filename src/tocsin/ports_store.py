"""What the flows need of a database and of pictures' keeping; implemented by `stores`, joined in `wiring`."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from tocsin.core.alarm import Alarm, AlarmId, Silence
from tocsin.core.circuit import Allowance, Circuit
from tocsin.core.clicks import Calibration
from tocsin.core.dispatch import Page, PageId, Stage
from tocsin.core.handling import Handled
from tocsin.core.hazards import HazardCode
from tocsin.core.journal import JournalEntry
from tocsin.core.observation import Edge, EdgeId, PlaceId
from tocsin.core.roster import ResponderId
from tocsin.core.service import OutOfService
from tocsin.core.sight import Heartbeat, Watcher
from tocsin.core.triage import Ruling
from tocsin.core.zones import NO_ZONES, Zones
from tocsin.ports_calls import Calls
from tocsin.ports_duty import DutyBook
from tocsin.ports_figures import FigureBook
from tocsin.ports_floods import Floods
from tocsin.ports_watchman import WatchmanBook
from tocsin.redact import RedactedPicture


@dataclass(frozen=True, slots=True)
class EdgeReceipt:
    """What became of an edge."""

    edge_id: EdgeId
    alarm_id: AlarmId | None
    ruling: Ruling
    reason: str
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class ClaimedPage:
    """A page under lease to one delivery worker, with its alarm as it stood then."""

    page: Page
    alarm: Alarm


@dataclass(frozen=True, slots=True)
class NumberedEntry:
    """A journal entry with its place in the journal, which only grows."""

    number: int
    entry: JournalEntry


@dataclass(frozen=True, slots=True)
class PictureRecord:
    """A stored, redacted picture. `role` is before, at or after; `digest` names its file."""

    id: str
    edge_id: EdgeId
    alarm_id: AlarmId | None
    role: str
    at: datetime
    digest: str
    width_px: int
    height_px: int


@dataclass(frozen=True, slots=True)
class ChannelHealth:
    """How a channel fares. `trouble` is the id of the standing channel-failing edge, if any."""

    name: str
    failures: int = 0
    failing_since: datetime | None = None
    last_ok_at: datetime | None = None
    last_error: str = ""
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Account:
    """A member of staff who may sign in: the only personal data that Tocsin keeps."""

    username: str
    password_hash: str
    added_at: datetime
    disabled: bool = False


class Edges(Protocol):
    async def receipt(self, edge_id: EdgeId) -> EdgeReceipt | None: ...

    async def of(self, alarm_ids: Sequence[AlarmId]) -> Sequence[tuple[AlarmId, Edge]]:
        """The edges of these alarms, each with its alarm, in the order of capture."""
        ...

    async def record(
        self, edge: Edge, receipt: EdgeReceipt, *, received_at: datetime, late_s: float, watcher: str
    ) -> None: ...


class Alarms(Protocol):
    async def open(self, hazards: Collection[HazardCode] | None = None) -> Sequence[Alarm]:
        """By number; of these hazards only, if some are named."""
        ...

    async def silenced(self) -> Sequence[Alarm]:
        """The open ones on which a silence lies, whether its time is over or not."""
        ...

    async def related(
        self, edge: Edge, places: Collection[PlaceId] = (), *, located: bool = False
    ) -> Sequence[Alarm]:
        """The open alarms that this edge may belong to: at its point, from its source, at its place or at one
        of these; and where it is known along which line it is seen, all whose lines are."""
        ...

    async def get(self, alarm_id: AlarmId) -> Alarm | None: ...

    async def some(self, alarm_ids: Sequence[AlarmId]) -> Mapping[AlarmId, Alarm]:
        """Those of them that there are."""
        ...

    async def numbered(self, number: int) -> Alarm | None: ...

    async def next_number(self) -> int:
        """Each time another, in a transaction that decides."""
        ...

    async def put(self, alarm: Alarm) -> None:
        """Insert or replace; only in a transaction that decides."""
        ...

    async def due(self, now: datetime, horizon: datetime, limit: int) -> Sequence[Alarm]:
        """Open alarms whose escalation deadline has passed, or lies beyond `horizon`: no plan waits that
        long, so it was set before the clock was set back."""
        ...

    async def past(self, before_number: int | None, limit: int) -> Sequence[Alarm]:
        """Closed alarms, newest first, with a smaller number than `before_number`."""
        ...

    async def resolved(self, since: datetime, after_number: int, limit: int) -> Sequence[Alarm]:
        """Alarms that people closed with an outcome since then, by number, from behind `after_number`."""
        ...

    async def end(self, before: datetime, limit: int) -> int:
        """Forget alarms closed before then, with all that hangs on them; how many."""
        ...


class Pages(Protocol):
    async def add(self, pages: Sequence[Page]) -> None:
        """Those that exist already (by id) stay as they are."""
        ...

    async def claim(self, now: datetime, lease_until: datetime, limit: int) -> Sequence[ClaimedPage]:
        """Due pages whose lease is free or has run out, now leased to the caller."""
        ...

    async def put(self, page: Page) -> None:
        """Replace, giving up the lease. How far it has got (`delivered_at` and on) stays as it is: that may
        have been told while the page was in somebody's hands."""
        ...

    async def cancel(self, alarm_id: AlarmId, now: datetime, why: str) -> int:
        """Cancel all pages of the alarm that are not done, in whatever state they wait; how many."""
        ...

    async def get(self, page_id: PageId) -> Page | None: ...

    async def reached(self, page_id: PageId, stage: Stage, at: datetime) -> Page | None:
        """The page has got that far; the page after it, or None if it had got there or further before."""
        ...

    async def answered(
        self, alarm_id: AlarmId, round_: int, responder: ResponderId, page_id: PageId | None, at: datetime
    ) -> int:
        """The responder has acknowledged: all that was sent to them in this round, and the page named, sent
        or not, for it has reached them. How many."""
        ...

    async def over(self, channel: str, alarm_ids: Sequence[AlarmId]) -> Sequence[Page]:
        """The pages of these alarms that were handed to that channel, the newest round last."""
        ...

    async def of(self, alarm_id: AlarmId) -> Sequence[Page]: ...

    async def next_run_at(self) -> datetime | None:
        """When the earliest due page is to be sent."""
        ...

    async def backlog(self) -> tuple[int, datetime | None]:
        """How many pages are due, and when the earliest of them was or is to be sent, tried before or not."""
        ...


class Journal(Protocol):
    async def write(self, *entries: JournalEntry) -> None: ...

    async def of(self, alarm_id: AlarmId) -> Sequence[NumberedEntry]: ...

    async def after(self, number: int, limit: int) -> Sequence[NumberedEntry]: ...

    async def last_number(self) -> int: ...


class Silences(Protocol):
    async def active(self, point: str, now: datetime) -> Silence | None: ...

    async def put(self, point: str, silence: Silence) -> None: ...

    async def all(self, now: datetime) -> Sequence[tuple[str, Silence]]:
        """The points that are silenced now."""
        ...

    async def drop(self, points: Sequence[str]) -> None: ...

    async def drop_expired(self, now: datetime) -> None: ...


class PictureIndex(Protocol):
    async def add(self, picture: PictureRecord) -> None:
        """One that exists already (by id) stays as it is."""
        ...

    async def of(self, alarm_ids: Sequence[AlarmId]) -> Sequence[PictureRecord]: ...

    async def get(self, picture_id: str) -> PictureRecord | None: ...

    async def known(self, digests: Sequence[str]) -> set[str]:
        """Those of the digests that some record names."""
        ...

    async def end(self, before: datetime, limit: int) -> Sequence[str]:
        """Forget pictures taken before then; the digests that nothing names any more."""
        ...


class Watchers(Protocol):
    async def add(self, name: str, token_hash: str, now: datetime) -> None:
        """A new watcher, or a new token for a known one."""
        ...

    async def by_token(self, token_hash: str) -> Watcher | None: ...

    async def remove(self, name: str) -> bool:
        """Forget a watcher and its token; whether there was one."""
        ...

    async def heard(self, name: str, heartbeat: Heartbeat, now: datetime) -> None: ...

    async def all(self) -> Sequence[Watcher]: ...


class Accounts(Protocol):
    async def get(self, username: str) -> Account | None: ...

    async def all(self) -> Sequence[Account]: ...

    async def put(self, account: Account) -> None: ...

    async def open_session(
        self, token_hash: str, username: str, now: datetime, ends_at: datetime
    ) -> None: ...

    async def session(self, token_hash: str, now: datetime) -> str | None:
        """The username of a session that has not ended and whose account is not disabled."""
        ...

    async def close_session(self, token_hash: str) -> None: ...

    async def close_sessions_of(self, username: str) -> None: ...

    async def add_link(self, token_hash: str, username: str, ends_at: datetime) -> None: ...

    async def link(self, token_hash: str, now: datetime) -> str | None:
        """The username of an unused, unexpired one-time link."""
        ...

    async def use_link(self, token_hash: str, now: datetime) -> str | None:
        """The same, and the link is used up."""
        ...

    async def end(self, now: datetime) -> None:
        """Forget sessions and links that have ended."""
        ...


@dataclass(frozen=True, slots=True)
class DrawnZones:
    """The zones that staff have drawn for one camera. `version` counts the changes; 0: none was drawn yet."""

    watcher: str
    camera: str
    zones: Zones = NO_ZONES
    version: int = 0
    by: str = ""
    at: datetime | None = None


class ZoneBook(Protocol):
    async def get(self, watcher: str, camera: str) -> DrawnZones: ...

    async def of(self, watcher: str) -> Sequence[DrawnZones]:
        """Those of this watcher's cameras for which something was ever drawn, by camera."""
        ...

    async def put(self, drawn: DrawnZones) -> bool:
        """Replaces the version before this one; False when that is not the one there is."""
        ...


class ServiceBook(Protocol):
    """The cameras that are out of service; one whose time is over stays until it is dropped."""

    async def get(self, source: str) -> OutOfService | None:
        """`source` names the camera as edges do."""
        ...

    async def all(self) -> Sequence[OutOfService]:
        """By watcher and camera."""
        ...

    async def put(self, out: OutOfService) -> None:
        """Insert or replace."""
        ...

    async def drop(self, source: str) -> None: ...


@dataclass(frozen=True, slots=True)
class SavedCalibration:
    """How one camera stands, as staff last saved it. `version` counts the changes; 0: never calibrated."""

    watcher: str
    camera: str
    calibration: Calibration | None = None
    version: int = 0
    by: str = ""
    at: datetime | None = None


class CalibrationBook(Protocol):
    async def get(self, watcher: str, camera: str) -> SavedCalibration: ...

    async def all(self) -> Sequence[SavedCalibration]:
        """Those of all cameras that were ever calibrated, by watcher and camera."""
        ...

    async def put(self, saved: SavedCalibration) -> bool:
        """Replaces the version before this one; False when that is not the one there is."""
        ...


class UsedLinks(Protocol):
    """The links that were used up, by the hash of what each is for."""

    async def use(self, mark: str, ends_at: datetime) -> bool:
        """Uses it up; False if it was before."""
        ...

    async def used(self, mark: str) -> bool: ...

    async def end(self, before: datetime) -> None:
        """Forget those whose links had ended before then."""
        ...


class HandlingBook(Protocol):
    """Who is on the way to an alarm, and who is on site; ended with the alarm."""

    async def add(self, handled: Handled) -> bool:
        """False if they have told that of this alarm before."""
        ...

    async def of(self, alarm_ids: Sequence[AlarmId]) -> Sequence[Handled]:
        """The earliest first."""
        ...


class Channels(Protocol):
    async def get(self, name: str) -> ChannelHealth: ...

    async def put(self, health: ChannelHealth) -> None: ...


class Sending(Protocol):
    """What delivery knows of its channels beside their health, and how it hastens the pages that wait."""

    async def circuit(self, name: str) -> Circuit:
        """Inside a transaction that writes, the row is held until its end: workers count together."""
        ...

    async def put_circuit(self, circuit: Circuit) -> None: ...

    async def close_circuit(self, name: str) -> None:
        """Forget it: nothing is known against it."""
        ...

    async def allowance(self, name: str) -> Allowance | None: ...

    async def put_allowance(self, allowance: Allowance) -> None: ...

    async def page(self, page_id: PageId) -> Page | None: ...

    async def beside(self, page: Page) -> Sequence[Page]:
        """All pages of this page's step to its responder, itself among them."""
        ...

    async def let_go(self, page_id: PageId, now: datetime) -> bool:
        """A held page becomes due; False if it is held no more."""
        ...

    async def hasten(self, channel: str, now: datetime) -> int:
        """Pages over that channel that wait to be tried go now; how many."""
        ...

    async def end(self, before: datetime) -> None:
        """Forget what failed or was used before then, and has not since."""
        ...


@dataclass(frozen=True, slots=True)
class Subscription:
    """A device on which a member of staff has turned alarms on; `endpoint` is its push service's secret URL.

    `p256dh` and `auth` are its keys (RFC 8291), in base64url. `device` is what its browser calls itself.
    """

    endpoint: str
    account: str
    p256dh: str
    auth: str
    device: str
    added_at: datetime
    last_ok_at: datetime


class Subscriptions(Protocol):
    async def accounts(self) -> set[str]:
        """The accounts, of those not disabled, that have a device."""
        ...

    async def of(self, account: str) -> Sequence[Subscription]:
        """Those of an account that is not disabled, oldest first."""
        ...

    async def put(self, subscription: Subscription) -> None:
        """Insert or replace by its endpoint."""
        ...

    async def reached(self, endpoint: str, now: datetime) -> None: ...

    async def remove(self, endpoint: str) -> bool: ...

    async def end(self, before: datetime) -> None:
        """Forget those that were neither used nor renewed since."""
        ...


class Unit(Protocol):
    """One transaction: everything in it is committed together, or nothing is."""

    async def expect(self, edges: Sequence[Edge]) -> None:
        """Reads at once what deciding on these will ask for, edge by edge."""
        ...

    @property
    def edges(self) -> Edges: ...
    @property
    def alarms(self) -> Alarms: ...
    @property
    def pages(self) -> Pages: ...
    @property
    def journal(self) -> Journal: ...
    @property
    def silences(self) -> Silences: ...
    @property
    def pictures(self) -> PictureIndex: ...
    @property
    def watchers(self) -> Watchers: ...
    @property
    def accounts(self) -> Accounts: ...
    @property
    def channels(self) -> Channels: ...
    @property
    def sending(self) -> Sending: ...
    @property
    def subscriptions(self) -> Subscriptions: ...
    @property
    def zones(self) -> ZoneBook: ...
    @property
    def service(self) -> ServiceBook: ...
    @property
    def duty(self) -> DutyBook: ...
    @property
    def calibrations(self) -> CalibrationBook: ...
    @property
    def calls(self) -> Calls: ...
    @property
    def used_links(self) -> UsedLinks: ...
    @property
    def handling(self) -> HandlingBook: ...
    @property
    def floods(self) -> Floods: ...
    @property
    def figures(self) -> FigureBook: ...
    @property
    def watchman(self) -> WatchmanBook: ...


class Store(Protocol):
    """Where alarms live. Raises StoreError kinds only."""

    def deciding(self) -> AbstractAsyncContextManager[Unit]:
        """A transaction that reads open alarms and decides on them: one at a time, house-wide."""
        ...

    def writing(self) -> AbstractAsyncContextManager[Unit]:
        """A transaction that only touches rows of its own (pages under lease, heartbeats)."""
        ...

    def reading(self) -> AbstractAsyncContextManager[Unit]: ...

    async def close(self) -> None: ...


class Pictures(Protocol):
    """Where redacted pictures lie. It takes nothing else (invariant 4)."""

    async def put(self, picture: RedactedPicture) -> str:
        """Store durably; returns the digest that names it."""
        ...

    async def get(self, digest: str) -> bytes | None: ...

    async def drop(self, digests: Sequence[str]) -> None: ...

    async def older(self, before: datetime) -> Sequence[str]:
        """The digests of what was stored before then."""
        ...
