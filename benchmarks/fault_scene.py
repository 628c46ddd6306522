"""A site to break: real centres, a receiver of pages, whoever sends edges and answers, and the count of it all.

Whoever sends does what a watcher's spool does: asks again until there is an answer. What was answered with
2xx is *accepted*, and only that is counted.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import httpx
import tomli_w
from sqlalchemy import and_, func, or_, select
from tests.support.postgresql import Cluster
from tests.support.receiver import Answer, Received, Receiver

from benchmarks.fault_centre import NEVER, CentreProcess, Orders
from tocsin.core.alarm import AlarmId
from tocsin.core.hazards import HazardCode
from tocsin.core.observation import Edge, EdgeId, EdgeKind, PlaceId, SourceKind
from tocsin.flows.accounts import Accounts, WatcherTokens
from tocsin.flows.delivery import LEASE
from tocsin.launch import free_port
from tocsin.stores import schema
from tocsin.stores.sql import SqlStore
from tocsin.wire import edge_codec, edges_codec

WAIT_S: Final = 30.0
"""The first step's wait for an acknowledgement."""
DAY_S: Final = 86_400.0
HEAD_S: Final = 30.0
"""How long anything may take, on a machine that does much else."""
QUIET_S: Final = 0.8
"""Nothing moved for this long (delivery looks every 0.5 s): only the clock can bring the next step."""
_LINK = re.compile(r"/a/(\S+)")
_STAFF = "ida"


@dataclass(slots=True)
class Tally:
    """What became of what was accepted. `wrong` says what must not be, in words."""

    accepted: int = 0
    without_alarm: int = 0
    without_page: int = 0
    kills: int = 0
    pages: int = 0
    max_repeats: int = 0
    wrong: list[str] = field(default_factory=list[str])

    @property
    def passed(self) -> bool:
        return not (self.without_alarm or self.without_page or self.wrong) and self.max_repeats <= self.kills


class Inbox:
    """Who gets pages: by path, /ana, /ben and /cy. /gone answers 410; /ana refuses pages of `refusing` places."""

    def __init__(self) -> None:
        self.refusing: Callable[[dict[str, Any]], int] = lambda _: 0
        """The status to refuse a page with; 0 takes it."""
        self.slow_s = 0.0
        self.came: list[tuple[str, dict[str, Any]]] = []
        """Path and page of each that was taken, repeats included."""
        self.tries = 0
        self._lock = threading.Lock()

    def answer(self, request: Received) -> Answer:
        self.tries += 1
        if not request.verified:
            return Answer(401)
        if request.path == "/gone":
            return Answer(410)
        page = request.page
        status = self.refusing(page)
        if status:
            return Answer(status)
        with self._lock:
            self.came.append((request.path, page))
        time.sleep(self.slow_s)
        return Answer()

    def pages(self, path: str = "", alarm: str = "") -> list[dict[str, Any]]:
        with self._lock:
            came = list(self.came)
        return [page for at, page in came if path in ("", at) and alarm in ("", page["alarm_id"])]

    def counts(self) -> Counter[str]:
        return Counter(page["page_id"] for page in self.pages())


def an_edge(hazard: str, source: str, place: str, at: datetime, kind: EdgeKind = EdgeKind.CONFIRMED) -> Edge:
    return Edge(
        EdgeId(str(uuid4())), kind, HazardCode(hazard), SourceKind.CAMERA, source, PlaceId(place),
        at, at, 0.9, 3, 4, reason="seen in 3 of the last 4 looks",
    )  # fmt: skip


class Database:
    """Fresh databases of one kind, each a copy of one that has a watcher and an account.

    `server` is a cluster that whoever uses this may stop and start; None is SQLite.
    """

    def __init__(self, folder: Path, server: Cluster | None) -> None:
        self.server = server
        self._template = folder / "template.sqlite"
        self._number = 0
        if server is not None:
            server.sql("CREATE DATABASE fault_template")
        url = f"sqlite:///{self._template}" if server is None else server.url("fault_template")
        self.token, self.session = asyncio.run(_prepared(url))

    @contextmanager
    def fresh(self, folder: Path, space: str = "") -> Generator[str]:
        """The URL of one; `space` is a tablespace of PostgreSQL's."""
        self._number += 1
        if self.server is None:
            (folder / "centre").mkdir(parents=True, exist_ok=True)
            path = folder / "centre" / "tocsin.sqlite"
            shutil.copyfile(self._template, path)
            yield f"sqlite:///{path}"
            return
        with self.server.database(f"fault_template {space}") as name:
            yield self.server.url(name)


async def _prepared(url: str) -> tuple[str, str]:
    now, store = datetime.now(UTC), SqlStore(url)
    try:
        await store.migrate()
        accounts = Accounts(store)
        await accounts.add(_STAFF, "correct horse battery", now)
        return await WatcherTokens(store).issue("gate", now), await accounts.open_session(_STAFF, now)
    finally:
        await store.close()


class Scene:
    """One site from its first edge to its last page. Use it as a context manager."""

    def __init__(self, folder: Path, database: Database, url: str, *, centres: int = 1) -> None:
        self.inbox, self.url = Inbox(), url
        self.accepted: list[Edge] = []
        self.acknowledged: list[str] = []
        self.kills = 0
        self.ahead_s = 0.0
        self.folder = folder
        self._database = database
        self._receiver = Receiver(self.inbox.answer)
        self._offset = folder / "offset"
        self.move(0.0)
        self.ports = [free_port() for _ in range(centres)]
        self.centres = [CentreProcess() for _ in range(centres)]
        self._restarting = threading.Lock()
        self.moments = folder / "moments"
        self._config = folder / "tocsin.toml"
        self._config.write_text(tomli_w.dumps(self._values()))
        self._client = httpx.Client(trust_env=False, timeout=30.0)
        self.store = SqlStore(url)

    def _values(self) -> dict[str, Any]:
        steps = [
            {"who": "named", "responders": ["ana"], "wait_s": WAIT_S},
            {"who": "everyone", "wait_s": DAY_S},
        ]
        # Off duty until the second step, so that one operator is on duty and eleven alarms are a flood.
        far = (self.now() + timedelta(days=4)).strftime("%a").lower()
        off = [{"days": [far], "start": "03:00", "end": "03:01"}]
        hooks = {name: self._receiver.url(f"/{name}") for name in ("ana", "ben", "cy", "gone")}

        def person(name: str, contacts: list[dict[str, Any]], **other: Any) -> dict[str, Any]:
            return {"id": name, "name": name.title(), "contacts": contacts, **other}

        ways = [{"channel": "webhook", "address": hooks["gone"]}]
        ways.append({"channel": "webhook", "address": hooks["cy"], "fallback": True})
        return {
            "site": {"name": "Fault", "time_zone": "UTC"},
            "centre": {
                "host": "127.0.0.1",
                "port": self.ports[0],
                "data_dir": str(self.folder / "centre"),
                "database": self.url,
            },
            "place": [{"id": "hall", "name": "Hall"}, {"id": "dock", "name": "Dock"}],
            "responder": [
                person("ana", [{"channel": "webhook", "address": hooks["ana"]}]),
                person("ben", [{"channel": "webhook", "address": hooks["ben"]}], shifts=off),
                person("cy", ways, shifts=off),
            ],
            "escalation": {"alarm": steps, "trouble": steps},
            # A flood's many are told to one: the story has enough of escalating without them.
            "plan": [
                {
                    "id": "lesser",
                    "match": {"hazard": ["egress", "channel-failing", "watchman"]},
                    "steps": [{"who": "named", "responders": ["ana"], "wait_s": DAY_S}],
                }
            ],
        }

    def __enter__(self) -> Scene:
        self._receiver.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        for centre in self.centres:
            centre.kill()
        self._client.close()
        asyncio.run(self.store.close())
        self._receiver.__exit__(None, None, None)

    # The centres

    def start(self, which: int = 0, kill_at: int = NEVER) -> None:
        port, log = self.ports[which], self.folder / f"centre-{which}.log"
        self.centres[which].start(Orders(self._config, log, self._offset, self.moments, port, kill_at))

    def kill(self, which: int = 0) -> None:
        with self._restarting:
            self.centres[which].kill()
            self.kills += 1

    def revive(self) -> None:
        """Starts again whichever centre is not there: killed by itself at its moment, or by somebody."""
        with self._restarting:
            for which, centre in enumerate(self.centres):
                if not centre.alive:
                    self.kills += centre.died()
                    self.start(which)

    def ready(self, which: int = 0) -> None:
        self.ask("POST", "/api/v1/edges", which=which, takes=range(400, 500))

    def ask(
        self, method: str, path: str, *, which: int = 0, takes: Sequence[int] = range(200, 500), **how: Any
    ) -> httpx.Response:
        """Asks until there is an answer with one of these statuses; a centre that has died is started again."""
        until = time.monotonic() + HEAD_S
        said = ""
        while time.monotonic() < until:
            try:
                response = self._client.request(method, f"http://127.0.0.1:{self.ports[which]}{path}", **how)
                if response.status_code in takes:
                    return response
                said = f"{response.status_code} {response.text[:200]}"
            except httpx.HTTPError as error:
                said = repr(error)
            self.revive()
            time.sleep(0.05)
        raise TimeoutError(f"{method} {path} had no answer in {HEAD_S:.0f} s; the last: {said}")

    # The clock

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.ahead_s)

    def move(self, by_s: float) -> None:
        """Sets the centres' clock forth or back."""
        self.ahead_s += by_s
        fresh = self._offset.with_suffix(".new")
        fresh.write_text(str(self.ahead_s))
        fresh.rename(self._offset)

    # What people and watchers do

    def take(self, *edges: Edge, which: int = 0) -> None:
        """Sends one edge by itself, more in one batch, until all are accepted."""
        headers = {"authorization": f"Bearer {self._database.token}"}
        if len(edges) == 1:
            self.ask("POST", "/api/v1/edges", which=which, takes=(200, 201), headers=headers,
                     content=edge_codec.dump(edges[0]))  # fmt: skip
            self.accepted.extend(edges)
            return
        owed = list(edges)
        until = time.monotonic() + HEAD_S
        while owed and time.monotonic() < until:
            answer = self.ask("POST", "/api/v1/edges/batch", which=which, takes=(200,), headers=headers,
                              content=edges_codec.dump(tuple(owed)))  # fmt: skip
            told = zip(owed, answer.json()["taken"], strict=True)
            taken = {edge.id for edge, one in told if "error" not in one}
            self.accepted.extend(edge for edge in owed if edge.id in taken)
            owed = [edge for edge in owed if edge.id not in taken]
        if owed:
            raise TimeoutError(f"{len(owed)} edges were never taken")

    def report(self, hazard: str, place: str) -> str:
        """A report by staff, until it is accepted; its alarm."""
        headers = {"origin": f"http://127.0.0.1:{self.ports[0]}", "accept": "application/json"}
        cookies = f"tocsin-session={self._database.session}"
        body = {"id": str(uuid4()), "hazard": hazard, "place": place}
        answer = self.ask("POST", "/api/v1/reports", takes=(200, 201), json=body,
                          headers=headers | {"cookie": cookies}).json()  # fmt: skip
        at = self.now()
        self.accepted.append(
            Edge(
                answer["id"],
                EdgeKind.CONFIRMED,
                HazardCode(hazard),
                SourceKind.STAFF,
                _STAFF,
                PlaceId(place),
                at,
                at,
                1.0,
                1,
                1,
            )  # fmt: skip
        )
        return answer["alarm_id"]

    def post_as_staff(self, path: str, **form: str) -> None:
        headers = {"origin": f"http://127.0.0.1:{self.ports[0]}", "accept": "application/json"}
        headers["cookie"] = f"tocsin-session={self._database.session}"
        self.ask("POST", path, takes=(200, 201, 204, 303), headers=headers, data=form)

    def acknowledge(self, alarm: str, path: str = "/ana") -> None:
        """By the link in the page, once that has come."""
        page = self.wait(lambda: self.inbox.pages(path, alarm), f"a page of {alarm} at {path}")[0]
        found = _LINK.search(page["text"])
        assert found is not None, page
        self.ask("POST", f"/a/{found[1]}", takes=(200, 303))
        self.acknowledged.append(alarm)

    def alarm_of(self, edge: Edge) -> str:
        async def find() -> str:
            async with self.store.reading() as unit:
                receipt = await unit.edges.receipt(edge.id)
            return (receipt.alarm_id or "") if receipt is not None else ""

        return asyncio.run(self._and_close(find()))

    def wait(self, look: Callable[[], Any], what: str) -> Any:
        """Until `look` gives something. The clock goes on by a lease when nothing moves any more."""
        until, moved_s, before = time.monotonic() + HEAD_S, time.monotonic(), self.inbox.tries
        while not (found := look()):
            if time.monotonic() > until:
                raise TimeoutError(f"never came: {what}")
            self.revive()
            if self.inbox.tries != before:
                before, moved_s = self.inbox.tries, time.monotonic()
            elif time.monotonic() - moved_s > QUIET_S + 1.0:
                self.move(LEASE.total_seconds() + 1.0)
                moved_s = time.monotonic()
            time.sleep(0.02)
        return found

    def settle(self) -> bool:
        """Lets everything come to its end: no page is owed and no step is due. False if that never is."""
        until, before, calm_s = time.monotonic() + HEAD_S, (-1, -1), 0.0
        while time.monotonic() < until:
            self.revive()
            owed = asyncio.run(self._and_close(self._owed()))
            now = (owed, self.inbox.tries)
            if now != before:
                before, calm_s = now, time.monotonic()
            elif time.monotonic() - calm_s > QUIET_S:
                if not owed:
                    return True
                self.move(LEASE.total_seconds() + 1.0)
                calm_s = time.monotonic()
            time.sleep(0.1)
        return False

    async def _owed(self) -> int:
        pages, alarms = schema.pages.c, schema.alarms.c
        soon = self.now() + timedelta(seconds=2 * WAIT_S)
        due = or_(pages.state == "due", and_(pages.state == "grouped", pages.done_at.is_(None)))
        async with self.store.engine.connect() as connection:
            owed = await connection.scalar(select(func.count()).where(due)) or 0
            late = and_(
                alarms.next_step_at.is_not(None), alarms.next_step_at < soon, alarms.closed_at.is_(None)
            )
            steps = await connection.scalar(select(func.count()).select_from(schema.alarms).where(late)) or 0
        return owed + steps

    async def _and_close(self, doing: Any) -> Any:
        """Connections belong to the loop that opened them, and each look here has a loop of its own."""
        try:
            return await doing
        finally:
            await self.store.engine.dispose()

    # The count

    def count(self) -> Tally:
        """After `settle`."""
        return asyncio.run(self._and_close(self._count()))

    async def _count(self) -> Tally:
        came = self.inbox.counts()
        tally = Tally(len(self.accepted), kills=self.kills, pages=len(came))
        tally.max_repeats = max(came.values(), default=1) - 1
        async with self.store.reading() as unit:
            for edge in self.accepted:
                receipt = await unit.edges.receipt(edge.id)
                found = await unit.alarms.get(receipt.alarm_id) if receipt and receipt.alarm_id else None
                if found is None:
                    tally.without_alarm += 1
                    continue
                pages = await unit.pages.of(found.id)
                tally.without_page += not any(p.id in came or (p.carrier or "") in came for p in pages)
            for alarm_id in self.acknowledged:
                alarm = await unit.alarms.get(AlarmId(alarm_id))
                if alarm is None or alarm.state.owes_acknowledgement:
                    tally.wrong.append(f"the acknowledgement of alarm {alarm_id} is gone")
        async with self.store.engine.connect() as connection:
            rows = (await connection.execute(select(schema.pages.c.id, schema.pages.c.state))).all()
        for row in rows:
            if row.state == "sent" and row.id not in came:
                tally.wrong.append(f"page {row.id} is marked sent and never came")
            if row.state == "due":
                tally.wrong.append(f"page {row.id} is owed for ever")
        known = {row.id for row in rows}
        tally.wrong += [f"page {page} came and is not in the database" for page in came if page not in known]
        return tally
