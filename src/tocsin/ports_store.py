"""What the flows need of a database and of pictures' keeping; implemented by `stores`, joined in `wiring`."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from tocsin.core.alarm import Alarm, AlarmId, Silence
from tocsin.core.clicks import Calibration
from tocsin.core.dispatch import Page
from tocsin.core.journal import JournalEntry
from tocsin.core.observation import Edge, EdgeId
from tocsin.core.service import OutOfService
from tocsin.core.sight import Heartbeat, Watcher
from tocsin.core.triage import Ruling
from tocsin.core.zones import NO_ZONES, Zones
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
    async def open(self) -> Sequence[Alarm]: ...

    async def get(self, alarm_id: AlarmId) -> Alarm | None: ...

    async def next_number(self) -> int: ...

    async def put(self, alarm: Alarm) -> None:
        """Insert or replace."""
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
        """Replace, giving up the lease."""
        ...

    async def cancel(self, alarm_id: AlarmId, now: datetime, why: str) -> int:
        """Cancel all due pages of the alarm; how many."""
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


class Channels(Protocol):
    async def get(self, name: str) -> ChannelHealth: ...

    async def put(self, health: ChannelHealth) -> None: ...


class Unit(Protocol):
    """One transaction: everything in it is committed together, or nothing is."""

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
    def zones(self) -> ZoneBook: ...
    @property
    def service(self) -> ServiceBook: ...
    @property
    def calibrations(self) -> CalibrationBook: ...
    @property
    def floods(self) -> Floods: ...
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
