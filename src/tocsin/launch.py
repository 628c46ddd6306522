"""Running a centre and a watcher together, each as a process of its own, and saying what they do."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import FrameType

import httpx
import tomli_w
from rich.console import Console
from rich.markup import escape

from tocsin import wiring
from tocsin.clocks import SystemClock
from tocsin.config import Config, Secrets, from_values, load
from tocsin.core.errors import ConfigError, StoreError
from tocsin.core.journal import Entry
from tocsin.flows.accounts import Accounts, WatcherTokens, new_token
from tocsin.kernel import end_with_parent
from tocsin.naming import with_sources
from tocsin.stores.sql import SqlStore

START_WITHIN_S = 60.0
FIRST_RESTART_S = 1.0
MAX_RESTART_S = 30.0

Act = Callable[[SqlStore], Awaitable[None]]


async def with_store(config: Config, secrets: Secrets, act: Act) -> None:
    """Does something on the site's database, brought up to date first."""
    config.centre.data_dir.mkdir(parents=True, exist_ok=True)
    store = wiring.store_of(config, secrets)
    try:
        await store.migrate()
        await act(store)
    finally:
        await store.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def listen(host: str, port: int) -> socket.socket:
    """The centre's listening socket. Raises ConfigError when the port is taken or not ours to take."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise ConfigError(
            f"the centre cannot listen there ({error.strerror or error})",
            where=f"{host}:{port}",
            hint="is another centre running? choose another [centre] port",
        ) from None


class Child:
    """One process of ours: its log in a file, restarted with back-off when it dies."""

    def __init__(self, name: str, arguments: list[str], env: Mapping[str, str], log: Path) -> None:
        self.name = name
        self.log = log
        self._arguments = arguments
        self._env = {**os.environ, **env}
        self._process: subprocess.Popen[bytes] | None = None
        self._restart_at_s = 0.0
        self._back_off_s = FIRST_RESTART_S

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own program
                [sys.executable, "-m", "tocsin", *self._arguments],
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for us; we end our children in order
                preexec_fn=_die_with_parent,
            )

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def poll(self) -> int | None:
        return None if self._process is None else self._process.poll()

    def keep_alive(self, now_s: float, console: Console) -> int | None:
        """Restarts it if it died; returns its exit status if it ended well."""
        status = self.poll()
        if status is None:
            return None
        if status == 0:
            return 0
        if self._restart_at_s == 0.0:
            console.print(f"[yellow]The {self.name} died (status {status}); it is started again.[/]")
            self._restart_at_s = now_s + self._back_off_s
            self._back_off_s = min(self._back_off_s * 2, MAX_RESTART_S)
        elif now_s >= self._restart_at_s:
            self._restart_at_s = 0.0
            self.start()
        return None

    def stop(self) -> None:
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def tail(self) -> str:
        """The end of its log, for a person."""
        with suppress(OSError):
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-8:])
        return ""


def _die_with_parent() -> None:
    # A killed launcher must not leave a centre behind that holds the port.
    end_with_parent(signal.SIGTERM)


class Launch:
    """A centre and a watcher on one configuration file."""

    def __init__(self, config_path: Path, config: Config, *, ends: list[str] | None = None) -> None:
        """`ends`: watch these files once, instead of the configuration's cameras."""
        self.config = config
        self.url = config.centre.console_url
        data = config.centre.data_dir
        data.mkdir(parents=True, exist_ok=True)
        self._token = ""
        secrets = os.environ.get("TOCSIN_WEBHOOK_SECRET")
        self._env = {"TOCSIN_WEBHOOK_SECRET": secrets} if secrets else {}
        arguments = ["--config", str(config_path)]
        self.centre = Child("centre", ["serve", *arguments], self._env, data / "centre.log")
        self._watch_arguments = ["watch", *(ends or []), *arguments]
        self._data = data
        self.watcher: Child | None = None

    async def prepare(self, username: str, secrets: Secrets) -> str | None:
        """Migrates, issues the watcher's token; a one-time link if nobody has an account yet."""
        link: list[str] = []

        async def act(store: SqlStore) -> None:
            now = SystemClock().now()
            self._token = await WatcherTokens(store).issue(self.config.watcher.name, now)
            accounts = Accounts(store)
            if not await accounts.all():
                # A password that nobody knows: the link gets in, `tocsin user password` sets a real one.
                await accounts.add(username, new_token(), now)
                link.append(await accounts.make_link(username, now))

        await with_store(self.config, secrets, act)
        return f"{self.url}/sign-in/once?token={link[0]}" if link else None

    def start(self) -> None:
        """Starts both; returns when the centre answers. Raises ConfigError with the log's end if not."""
        self.centre.start()
        deadline_s = time.monotonic() + START_WITHIN_S
        while not self._answers():
            if self.centre.poll() is not None or time.monotonic() > deadline_s:
                tail = self.centre.tail()
                self.centre.stop()
                raise ConfigError(
                    "the centre did not start", where=str(self.centre.log), hint=tail or "its log is empty"
                )
            time.sleep(0.1)
        env = {**self._env, "TOCSIN_WATCHER_TOKEN": self._token}
        self.watcher = Child("watcher", self._watch_arguments, env, self._data / "watcher.log")
        self.watcher.start()

    def _answers(self) -> bool:
        try:
            return httpx.get(
                f"{self.config.centre.local_url}/healthz", timeout=2.0, trust_env=False
            ).is_success
        except httpx.HTTPError:
            return False

    def stop(self) -> None:
        """The watcher first, so that its last edges still arrive."""
        if self.watcher is not None:
            self.watcher.stop()
        self.centre.stop()

    def keep_alive(self, console: Console) -> int | None:
        """Looks after both; the watcher's exit status when it ended well (its files are over)."""
        now_s = time.monotonic()
        self.centre.keep_alive(now_s, console)
        return self.watcher.keep_alive(now_s, console) if self.watcher is not None else None


def run_config(path: Path, console: Console) -> None:
    """`tocsin run --config`: until Ctrl-C."""
    config = load(path)
    if not config.camera:
        console.print("There is no camera yet: add one in the console, under Cameras.", style="yellow")
    _run(Launch(path, config), console)


def run_sources(sources: list[str], data_dir: Path, console: Console) -> None:
    """`tocsin run FILE...`: on the embedded default, until Ctrl-C."""
    port = free_port()
    values = {
        "centre": {"port": port, "data_dir": str(data_dir)},
        "watcher": {"data_dir": str(data_dir / "watcher")},
    }
    config = with_sources(from_values(values, "defaults"), sources)
    with tempfile.TemporaryDirectory(prefix="tocsin-") as folder:
        path = Path(folder) / "tocsin.toml"
        write_config(path, config)
        _run(Launch(path, config, ends=sources), console)


def write_config(path: Path, config: Config) -> None:
    """Writes what the launcher decided, for its children to read; never a secret."""
    path.write_text(tomli_w.dumps(config.model_dump(mode="json", exclude_unset=True, exclude_none=True)))


def _run(launched: Launch, console: Console) -> None:
    stop = Stop()
    link = asyncio.run(launched.prepare("operator", Secrets()))
    console.print("Starting the centre...", style="dim")
    try:
        launched.start()
        console.print(f"The console is at [bold]{launched.url}[/]", highlight=False)
        if link:
            console.print("Nobody has an account yet. Sign in once, within 15 minutes:", highlight=False)
            console.print(link, soft_wrap=True, highlight=False)
            console.print("Then set a password: tocsin user password operator", style="dim")
        console.print(f"Logs: {escape(str(launched.centre.log.parent))}. Ctrl-C ends it.", style="dim")
        told, news = False, News(launched.config, Secrets())
        while not stop.asked:
            for line in news.lines():
                console.print(f"  {escape(line)}", highlight=False, soft_wrap=True)
            if launched.keep_alive(console) == 0 and not told:
                told = True
                console.print("All files were watched to their end; the console stays up. Ctrl-C ends it.")
            time.sleep(1.0)
    finally:
        console.print("Ending the watcher and the centre...", style="dim")
        launched.stop()


_NEWS = frozenset(
    {
        Entry.RAISED,
        Entry.CORROBORATED,
        Entry.WORSENED,
        Entry.CLEARED,
        Entry.DISPATCHED,
        Entry.ESCALATED,
        Entry.PAGE_SENT,
        Entry.PAGE_FAILED,
        Entry.ACKNOWLEDGED,
        Entry.RESOLVED,
        Entry.SILENCED,
    }
)


class News:
    """What the journal says since the last look, in lines for the terminal."""

    def __init__(self, config: Config, secrets: Secrets) -> None:
        self._config = config
        self._secrets = secrets
        self._last: int | None = None

    def lines(self) -> list[str]:
        """New lines; none while the database cannot be read (the centre's own log says why)."""
        try:
            return asyncio.run(self._read())
        except StoreError:
            return []

    async def _read(self) -> list[str]:
        store = wiring.store_of(self._config, self._secrets)
        catalogue, lines = self._config.catalogue(), list[str]()
        try:
            async with store.reading() as unit:
                if self._last is None:
                    # What was there before this start is no news.
                    self._last = await unit.journal.last_number()
                for numbered in await unit.journal.after(self._last, 200):
                    self._last = numbered.number
                    said = numbered.entry
                    alarm = await unit.alarms.get(said.alarm_id) if said.alarm_id else None
                    if alarm is None or said.entry not in _NEWS:
                        continue
                    name = catalogue.get(alarm.hazard).name
                    at = said.at.astimezone(self._config.zone)
                    what = said.entry.value.replace("-", " ")
                    lines.append(f"{at:%H:%M:%S}  alarm {alarm.number} {name}: {what}, {said.reason}")
        finally:
            await store.close()
        return lines


class Stop:
    """Ctrl-C and SIGTERM, as a word to look at."""

    def __init__(self) -> None:
        self.asked = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._heard)

    def _heard(self, _number: int, _frame: FrameType | None) -> None:
        self.asked = True
