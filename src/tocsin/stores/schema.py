"""The tables, the same on SQLite and PostgreSQL.

What must hold here, beside the invariants of the architecture page:

1. An edge, its alarm, its journal entries and its pages are written by one transaction.
2. `alarms.closed_at` is null exactly while the alarm is open.
3. A page is never deleted while its alarm is open; its id is made of what it is.
4. The journal is only added to; its number only grows. It is also the feed of live consoles.
5. Times are microseconds since 1970 in UTC: the same bytes and order in both databases.
6. A camera's zones change by one version at a time; a row is never deleted, so no version comes twice. Its
   calibration does the same.
7. Alarms are written only by a transaction that decides; what it writes bears its revision, which only grows.
8. Secrets (tokens of watchers, sessions, links) are kept only as hashes.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Dialect,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    text,
)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Instant(TypeDecorator[datetime]):
    """An aware datetime, kept as microseconds since 1970 UTC."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        return None if value is None else (value - EPOCH) // _MICROSECOND

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        return None if value is None else EPOCH + _MICROSECOND * int(value)


metadata = MetaData()

edges = Table(
    "edges",
    metadata,
    Column("id", String(200), primary_key=True),
    Column("kind", String(20), nullable=False),
    Column("hazard", String(40), nullable=False),
    Column("source", String(220), nullable=False),
    Column("place", String(200), nullable=False),
    Column("captured_at", Instant, nullable=False),
    Column("received_at", Instant, nullable=False),
    Column("late_s", Float, nullable=False),
    Column("watcher", String(200), nullable=False),
    Column("body", Text, nullable=False),
    Column("alarm_id", String(40), index=True),
    Column("ruling", String(20), nullable=False),
    Column("reason", Text, nullable=False),
    Index("edges_received", "received_at"),
)

alarms = Table(
    "alarms",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("number", BigInteger, nullable=False, unique=True),
    Column("hazard", String(40), nullable=False),
    Column("signal", String(20), nullable=False),
    Column("priority", Integer, nullable=False),
    Column("latching", Boolean, nullable=False),
    Column("place", String(200), nullable=False),
    Column("status", String(20), nullable=False),
    Column("state", String(20), nullable=False),
    Column("raised_at", Instant, nullable=False),
    Column("reason", Text, nullable=False),
    Column("conditions", Text, nullable=False),
    Column("silence", Text, nullable=False),
    Column("acknowledged_by", String(200), nullable=False),
    Column("acknowledged_at", Instant),
    Column("closed_at", Instant),
    Column("outcome", Text, nullable=False),
    Column("cause", String(40), nullable=False, server_default=text("''")),
    Column("round", Integer, nullable=False),
    Column("step", Integer, nullable=False),
    Column("next_step_at", Instant),
    Column("revision", BigInteger, nullable=False, server_default=text("0")),
)
Index("alarms_revision", alarms.c.revision)
Index(
    "alarms_open",
    alarms.c.number,
    sqlite_where=alarms.c.closed_at.is_(None),
    postgresql_where=alarms.c.closed_at.is_(None),
)
Index(
    "alarms_due",
    alarms.c.next_step_at,
    sqlite_where=alarms.c.next_step_at.is_not(None),
    postgresql_where=alarms.c.next_step_at.is_not(None),
)
Index("alarms_closed", alarms.c.closed_at)
Index("alarms_raised", alarms.c.raised_at)

ALARMS_REVISION = "alarms"

revisions = Table(
    "revisions",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("value", BigInteger, nullable=False),
)

pages = Table(
    "pages",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("alarm_id", String(40), nullable=False, index=True),
    Column("round", Integer, nullable=False),
    Column("step", Integer, nullable=False),
    Column("responder", String(200), nullable=False),
    Column("responder_name", String(200), nullable=False),
    Column("channel", String(60), nullable=False),
    Column("address", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("run_at", Instant, nullable=False),
    Column("state", String(20), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("last_error", Text, nullable=False),
    Column("done_at", Instant),
    Column("lease_until", Instant),
    Column("fallback", Integer, nullable=False, server_default=text("0")),
    Column("carrier", String(40), nullable=False, server_default=text("''")),
    Column("delivered_at", Instant),
    Column("seen_at", Instant),
    Column("acknowledged_at", Instant),
)
Index(
    "pages_due",
    pages.c.run_at,
    sqlite_where=pages.c.state == "due",
    postgresql_where=pages.c.state == "due",
)
Index(
    "pages_sent_to",
    pages.c.responder,
    pages.c.done_at,
    sqlite_where=pages.c.state == "sent",
    postgresql_where=pages.c.state == "sent",
)
Index(
    "pages_waiting",
    pages.c.carrier,
    sqlite_where=text("state = 'grouped' AND done_at IS NULL"),
    postgresql_where=text("state = 'grouped' AND done_at IS NULL"),
)
Index(
    "pages_told",
    pages.c.run_at,
    sqlite_where=text("carrier <> ''"),
    postgresql_where=text("carrier <> ''"),
)

journal = Table(
    "journal",
    metadata,
    # SQLite numbers rows by itself only in an INTEGER key; AUTOINCREMENT keeps it from reusing them.
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("at", Instant, nullable=False),
    Column("entry", String(40), nullable=False),
    Column("alarm_id", String(40), index=True),
    Column("actor", String(200), nullable=False),
    Column("reason", Text, nullable=False),
    Column("detail", Text, nullable=False),
    sqlite_autoincrement=True,
)

# Written out, not bound: a planner uses a partial index only if it sees the same literals.
QUIETING = text("journal.entry IN ('silenced', 'silence-lifted', 'out-of-service', 'in-service')")
_QUIETING = text("entry IN ('silenced', 'silence-lifted', 'out-of-service', 'in-service')")
Index("journal_quieting", journal.c.at, sqlite_where=_QUIETING, postgresql_where=_QUIETING)

silences = Table(
    "silences",
    metadata,
    Column("point", String(600), primary_key=True),
    Column("body", Text, nullable=False),
    Column("until", Instant, nullable=False),
)

pictures = Table(
    "pictures",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("edge_id", String(200), nullable=False, index=True),
    Column("alarm_id", String(40), index=True),
    Column("role", String(10), nullable=False),
    Column("at", Instant, nullable=False, index=True),
    Column("digest", String(64), nullable=False, index=True),
    Column("width_px", Integer, nullable=False),
    Column("height_px", Integer, nullable=False),
)

watchers = Table(
    "watchers",
    metadata,
    Column("name", String(200), primary_key=True),
    Column("token_hash", String(64), nullable=False, unique=True),
    Column("added_at", Instant, nullable=False),
    Column("heard_at", Instant),
    Column("heartbeat", Text),
)

accounts = Table(
    "accounts",
    metadata,
    Column("username", String(200), primary_key=True),
    Column("password_hash", Text, nullable=False),
    Column("added_at", Instant, nullable=False),
    Column("disabled", Boolean, nullable=False),
)

sessions = Table(
    "sessions",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("username", String(200), nullable=False, index=True),
    Column("opened_at", Instant, nullable=False),
    Column("ends_at", Instant, nullable=False, index=True),
)

links = Table(
    "links",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("username", String(200), nullable=False),
    Column("ends_at", Instant, nullable=False, index=True),
)

used_links = Table(
    "used_links",
    metadata,
    Column("mark", String(64), primary_key=True),
    Column("ends_at", Instant, nullable=False, index=True),
)

handling = Table(
    "handling",
    metadata,
    Column("alarm_id", String(40), primary_key=True),
    Column("stage", String(20), primary_key=True),
    Column("answerer", String(200), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("at", Instant, nullable=False),
)

zones = Table(
    "zones",
    metadata,
    Column("watcher", String(200), primary_key=True),
    Column("camera", String(200), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("body", Text, nullable=False),
    Column("drawn_by", String(200), nullable=False),
    Column("drawn_at", Instant, nullable=False),
)

service = Table(
    "service",
    metadata,
    Column("watcher", String(200), primary_key=True),
    Column("camera", String(200), primary_key=True),
    Column("taken_out_by", String(200), nullable=False),
    Column("reason", Text, nullable=False),
    Column("began_at", Instant, nullable=False),
    Column("since", Instant, nullable=False),
    Column("until", Instant, nullable=False),
)

calibrations = Table(
    "calibrations",
    metadata,
    Column("watcher", String(200), primary_key=True),
    Column("camera", String(200), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("body", Text, nullable=False),
    Column("saved_by", String(200), nullable=False),
    Column("saved_at", Instant, nullable=False),
)

duty_changes = Table(
    "duty_changes",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("kind", String(20), nullable=False),
    Column("responder", String(200), nullable=False),
    Column("taken_by", String(200), nullable=False),
    Column("since", Instant, nullable=False),
    Column("until", Instant, nullable=False),
    Column("made_by", String(200), nullable=False),
    Column("reason", Text, nullable=False),
    Column("made_at", Instant, nullable=False),
    Index("duty_changes_since", "since", "until"),
)

hand_overs = Table(
    "hand_overs",
    metadata,
    Column("at", Instant, primary_key=True, autoincrement=False),
    Column("body", Text, nullable=False),
)

channels = Table(
    "channels",
    metadata,
    Column("name", String(60), primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("failing_since", Instant),
    Column("last_ok_at", Instant),
    Column("last_error", Text, nullable=False),
    Column("trouble", String(200), nullable=False),
)

circuits = Table(
    "circuits",
    metadata,
    Column("name", String(120), primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("trips", Integer, nullable=False),
    Column("open_until", Instant),
    Column("failed_at", Instant),
)

allowances = Table(
    "allowances",
    metadata,
    Column("name", String(60), primary_key=True),
    Column("remaining", Float, nullable=False),
    Column("at", Instant, nullable=False),
)

subscriptions = Table(
    "subscriptions",
    metadata,
    Column("endpoint", String(1000), primary_key=True),
    Column("account", String(200), nullable=False, index=True),
    Column("p256dh", String(120), nullable=False),
    Column("auth", String(40), nullable=False),
    Column("device", String(60), nullable=False),
    Column("added_at", Instant, nullable=False),
    Column("last_ok_at", Instant, nullable=False, index=True),
)

watchman = Table(
    "watchman",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("at", Instant, nullable=False),
    Column("body", Text, nullable=False),
)
