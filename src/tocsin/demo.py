"""`tocsin demo`: the whole way on two rendered cameras, with nothing faked in between.

The scenes are drawn by `scenes.py` into video files; from there on everything is the product: the
file source decodes them, the detectors look, the spool, the centre, the outbox, a signed webhook to
a telephone that this process plays, the console's own URLs for acknowledging and resolving.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
from pydantic import SecretStr
from rich.console import Console
from rich.table import Table

from tocsin.channels.webhook import signature, signing_key
from tocsin.clocks import SystemClock
from tocsin.config import Secrets, from_values
from tocsin.core.errors import TocsinError
from tocsin.flows.accounts import Accounts, new_token
from tocsin.launch import Launch, Stop, free_port, with_store, write_config
from tocsin.scenes import CoveredScene, FireScene, write_video
from tocsin.stores.sql import SqlStore

FIRE, DOCK = "hall-1", "dock-2"
FPS = 10.0
VISITOR, CHECKER = "visitor", "checker"
MAX_PAGE = 256 * 1024


class Phone:
    """The responder's telephone: a web server on this machine that checks each page's signature."""

    def __init__(self, secret: SecretStr, ring: Callable[[dict[str, Any]], None]) -> None:
        self.pages: list[dict[str, Any]] = []
        self.forged = 0
        key = signing_key(secret)
        phone = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = min(int(self.headers.get("content-length", "0")), MAX_PAGE)
                body = self.rfile.read(length)
                page_id = self.headers.get("webhook-id", "")
                stamp = self.headers.get("webhook-timestamp", "")
                right = signature(key, page_id, stamp, body)
                genuine = hmac.compare_digest(right, self.headers.get("webhook-signature", ""))
                self.send_response(204 if genuine else 401)
                self.end_headers()
                if not genuine:
                    phone.forged += 1
                elif all(known["page_id"] != page_id for known in phone.pages):
                    page = json.loads(body)
                    phone.pages.append(page)
                    ring(page)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/page"
        self._thread = threading.Thread(target=self._server.serve_forever, name="phone")
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class ConsoleClient:
    """Uses the console as a browser does: signs in by a one-time link, then the pages' own URLs."""

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(
            base_url=url,
            timeout=10.0,
            trust_env=False,
            headers={"origin": url, "accept": "application/json"},
        )

    def sign_in(self, link: str) -> None:
        token = parse_qs(urlsplit(link).query)["token"][0]
        self._client.post("/sign-in/once", data={"token": token})

    def get(self, path: str) -> Any:
        response = self._client.get(path)
        response.raise_for_status()
        return response.json()

    def picture(self, path: str) -> bytes:
        response = self._client.get(path)
        response.raise_for_status()
        return response.content

    def post(self, path: str, **fields: str) -> Any:
        response = self._client.post(path, data=fields)
        response.raise_for_status()
        return response.json()

    def close(self) -> None:
        self._client.close()


@dataclass(slots=True)
class Demo:
    """Everything of one demonstration; a folder of its own that goes when it ends."""

    port: int
    console: Console
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="tocsin-demo-")))
    secret: SecretStr = field(
        default_factory=lambda: SecretStr("whsec_" + base64.b64encode(os.urandom(32)).decode())
    )
    phone: Phone = field(init=False)
    launch: Launch = field(init=False)
    links: dict[str, str] = field(default_factory=dict[str, str])
    rendered_s: float = 0.0

    def __post_init__(self) -> None:
        os.environ["TOCSIN_WEBHOOK_SECRET"] = self.secret.get_secret_value()
        self.phone = Phone(self.secret, self._rings)
        values: dict[str, Any] = {
            "site": {"name": "Demonstration yard", "status": "Exercise"},
            "centre": {"port": self.port or free_port(), "data_dir": str(self.folder / "centre")},
            "watcher": {"name": "demo", "data_dir": str(self.folder / "watcher")},
            "place": [{"id": "hall", "name": "Sorting hall"}, {"id": "dock", "name": "Loading dock"}],
            "camera": [
                {
                    "id": FIRE,
                    "name": "Sorting hall 1",
                    "place": "hall",
                    "source": str(self.folder / "hall.mkv"),
                    "loop": True,
                },
                {
                    "id": DOCK,
                    "name": "Dock gate 2",
                    "place": "dock",
                    "source": str(self.folder / "dock.mkv"),
                    "loop": True,
                },
            ],
            "responder": [
                {
                    "id": "duty",
                    "name": "Duty responder",
                    "contacts": [{"channel": "webhook", "address": self.phone.url}],
                    "qualifications": ["fire"],
                }
            ],
        }
        config = from_values(values, "demo")
        path = self.folder / "tocsin.toml"
        write_config(path, config)
        self.launch = Launch(path, config)

    def start(self) -> None:
        """Renders the scenes, then starts the centre and the watcher."""
        began_s = time.monotonic()
        fire = FireScene(smoke_from_s=6.0, flame_from_s=20.0, out_from_s=70.0)
        dock = CoveredScene(covered_from_s=12.0, covered_until_s=42.0)
        with ThreadPoolExecutor(2) as pool:
            jobs = [
                pool.submit(write_video, self.folder / "hall.mkv", fire, 110.0, fps=FPS),
                pool.submit(write_video, self.folder / "dock.mkv", dock, 80.0, fps=FPS),
            ]
            for job in jobs:
                job.result()
        self.rendered_s = time.monotonic() - began_s
        asyncio.run(self._accounts())
        self.launch.start()

    async def _accounts(self) -> None:
        await self.launch.prepare(VISITOR, Secrets())

        async def act(store: SqlStore) -> None:
            accounts, now = Accounts(store), SystemClock().now()
            await accounts.add(CHECKER, new_token(), now)
            for name in (VISITOR, CHECKER):
                token = await accounts.make_link(name, now)
                self.links[name] = f"{self.launch.url}/sign-in/once?token={token}"

        await with_store(self.launch.config, Secrets(), act)

    def stop(self) -> None:
        self.launch.stop()
        self.phone.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _rings(self, page: dict[str, Any]) -> None:
        self.console.print(
            f"  [bold]The duty phone rings:[/] {page['subject']}", highlight=False, soft_wrap=True
        )


def show(port: int, console: Console) -> int:
    """With a visitor: prints the way in, and tells what happens until Ctrl-C."""
    stop = Stop()
    demo = Demo(port, console)
    try:
        with console.status("Drawing two camera scenes and starting the centre..."):
            demo.start()
        console.print(f"The console is at [bold]{demo.launch.url}[/]", highlight=False)
        console.print("Sign in once with this link, within 15 minutes:", highlight=False)
        console.print(f"[bold]{demo.links[VISITOR]}[/]", highlight=False, soft_wrap=True)
        console.print(
            "In about ten seconds smoke develops before camera 'Sorting hall 1', then flame; the lens of "
            "'Dock gate 2' gets covered. Acknowledge and resolve what you see. Ctrl-C ends it.",
            style="dim",
        )
        client = ConsoleClient(demo.launch.url)
        client.sign_in(demo.links[CHECKER])
        told: dict[str, str] = {}
        while not stop.asked:
            demo.launch.keep_alive(console)
            _tell(client, told, console)
            time.sleep(1.0)
        client.close()
    finally:
        console.print("Ending the demonstration...", style="dim")
        demo.stop()
    return 0


def _tell(client: ConsoleClient, told: dict[str, str], console: Console) -> None:
    try:
        alarms = client.get("/api/v1/alarms")
    except httpx.HTTPError:
        return  # it is restarting; the launcher says so
    for alarm in alarms:
        now = f"{alarm['hazard_name']} at {alarm['place']}: {alarm['state_text']}"
        if told.get(alarm["id"]) != now:
            told[alarm["id"]] = now
            by = f" by {alarm['handled_by']}" if alarm["handled_by"] else ""
            console.print(f"  Alarm {alarm['number']}, {now}{by}", highlight=False, soft_wrap=True)
    for gone in set(told) - {alarm["id"] for alarm in alarms}:
        if told[gone] != "closed":
            told[gone] = "closed"
            console.print("  An alarm was closed.", style="dim")


class _StageFailedError(TocsinError):
    """A stage of the demonstration did not happen in time."""

    code = "demo-stage"


@dataclass(slots=True)
class _Stages:
    """How long each stage took, told as it happens."""

    console: Console
    limit_s: float
    took_s: dict[str, float] = field(default_factory=dict[str, float])

    def wait(self, name: str, what: str, look: Callable[[], Any]) -> Any:
        """Waits until `look` gives something; keeps how long that took. Raises _StageFailedError."""
        began_s = time.monotonic()
        while True:
            try:
                found = look()
            except httpx.HTTPError:
                found = None
            took_s = time.monotonic() - began_s
            if found:
                self.done(name, what, took_s)
                return found
            if took_s > self.limit_s:
                raise _StageFailedError(f"{what}: not within {self.limit_s:.0f} s", where=name)
            time.sleep(0.1)

    def done(self, name: str, what: str, took_s: float) -> None:
        self.took_s[name] = round(took_s, 3)
        self.console.print(f"  {took_s:7.2f} s  {what}", highlight=False)


def check(port: int, limit_s: float, console: Console) -> int:
    """Without a visitor: every stage for real, or exit status 1. The last line is one JSON object."""
    Stop()
    demo = Demo(port, console)
    stages = _Stages(console, limit_s)
    result: dict[str, Any] = {"ok": False}
    began_s = time.monotonic()
    try:
        console.print("Drawing two camera scenes, then starting the centre and the watcher...", style="dim")
        demo.start()
        stages.done("rendered", "two camera scenes drawn into video files", demo.rendered_s)
        started_s = time.monotonic() - began_s - demo.rendered_s
        stages.done("started", "centre and watcher started", started_s)
        result |= _story(demo, stages)
        result["ok"] = True
    except (TocsinError, httpx.HTTPError) as error:
        console.print(f"[red]failed:[/] {error}", highlight=False, soft_wrap=True)
        console.print(demo.launch.centre.tail(), style="dim", markup=False)
        if demo.launch.watcher is not None:
            console.print(demo.launch.watcher.tail(), style="dim", markup=False)
        result["error"] = str(error)
    finally:
        demo.stop()
    result["stages_s"] = stages.took_s
    result["total_s"] = round(time.monotonic() - began_s, 3)
    print(json.dumps(result))  # noqa: T201 - for the program that called us
    return 0 if result["ok"] else 1


def _story(demo: Demo, stages: _Stages) -> dict[str, Any]:
    client = ConsoleClient(demo.launch.url)
    client.sign_in(demo.links[CHECKER])

    def cameras_see() -> bool:
        return [c["state"] for c in client.get("/api/v1/cameras")].count("seeing") == 2

    def alarm_of(family: tuple[str, ...], **wanted: str) -> dict[str, Any] | None:
        for alarm in client.get("/api/v1/alarms"):
            if alarm["hazard"] in family and all(alarm[k] == v for k, v in wanted.items()):
                return alarm
        return None

    def page_for(alarm: dict[str, Any], hazard: str) -> dict[str, Any] | None:
        pages = (p for p in demo.phone.pages if p["alarm_id"] == alarm["id"] and p["hazard"] == hazard)
        return next(pages, None)

    stages.wait("sight", "both cameras are seen", cameras_see)
    first = stages.wait(
        "alarm", "smoke or flame seen, confirmed, and an alarm", lambda: alarm_of(("smoke", "flame"))
    )
    stages.wait("page", "the duty phone rang, signature right", lambda: page_for(first, first["hazard"]))
    path = f"/alarms/{first['id']}"
    began_s = time.monotonic()
    client.post(f"{path}/acknowledge")
    stages.done("acknowledged", "acknowledged through the API", time.monotonic() - began_s)
    if first["hazard"] == "smoke":
        stages.wait(
            "worsened",
            "flame seen too: the same alarm, graver, unacknowledged again",
            lambda: alarm_of(("flame",), id=first["id"], state="UNACK"),
        )
        stages.wait("page-2", "the duty phone rang again", lambda: page_for(first, "flame"))
        client.post(f"{path}/acknowledge")
    stages.wait("trouble", "the covered lens is a trouble signal", lambda: alarm_of(("camera-covered",)))

    def evidence() -> bool:
        pictures = client.get(f"/api/v1{path}")["pictures"]
        data = [client.picture(picture["url"]) for picture in pictures]
        roles = {picture["role"] for picture in pictures}
        return len(roles) == 3 and all(one.startswith(b"\xff\xd8\xff") for one in data)

    stages.wait("evidence", "redacted pictures before, at and after", evidence)

    def quiet() -> bool:
        return not any(page["state"] == "due" for page in client.get(f"/api/v1{path}")["pages"])

    stages.wait("paging-stopped", "nobody is called any more", quiet)
    trouble = alarm_of(("camera-covered",))
    assert trouble is not None
    client.post(f"/alarms/{trouble['id']}/acknowledge")
    stages.wait(
        "trouble-over",
        "the lens is free again: the trouble cleared by itself",
        lambda: client.get(f"/api/v1/alarms/{trouble['id']}")["state"] == "NORMAL",
    )
    began_s = time.monotonic()
    client.post(f"{path}/resolve", outcome="drill", note="demonstration")
    stages.done("resolved", "resolved through the API", time.monotonic() - began_s)
    story = client.get(f"/api/v1{path}")
    client.close()
    if story["state"] != "NORMAL" or demo.phone.forged:
        raise _StageFailedError("the alarm is not closed, or a page was forged", where="resolved")
    _print_story(stages.console, story)
    return {
        "alarm": {"id": story["id"], "hazard": story["hazard"], "state": story["state"]},
        "pages_received": len(demo.phone.pages),
        "pictures": len(story["pictures"]),
    }


def _print_story(console: Console, story: dict[str, Any]) -> None:
    table = Table("At", "What", "Who", "Why", title=f"Alarm {story['number']}", title_justify="left")
    for line in story["lines"]:
        table.add_row(line["at"][11:19], line["what"], line["who"], line["reason"])
    console.print(table)
