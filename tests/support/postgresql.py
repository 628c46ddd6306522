"""A real PostgreSQL cluster of the tests' own: made, started, restarted and thrown away.

It is reached over a Unix socket in a folder of its own, so that no port can be taken by somebody
else between choosing and using it. The server refuses to run as root: it is then started as the
`postgres` or the `nobody` user.
"""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

START_WITHIN_S = 60.0
SUPERUSER = "postgres"


class ServerMissingError(Exception):
    """PostgreSQL's server programs are not on this machine."""


def programs() -> Path:
    """The folder with initdb and postgres. Raises ServerMissingError."""
    folders = [Path(found).resolve().parent for found in [shutil.which("initdb")] if found]
    config = shutil.which("pg_config")
    if config is not None:
        said = subprocess.run([config, "--bindir"], capture_output=True, text=True, check=False)
        folders.append(Path(said.stdout.strip()))
    folders.extend(sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True))
    for folder in folders:
        if all((folder / name).exists() for name in ("initdb", "postgres", "psql")):
            return folder
    raise ServerMissingError(
        "PostgreSQL's server programs are neither on PATH nor under /usr/lib/postgresql"
        " (Debian: apt-get install postgresql)"
    )


class Cluster:
    """One server with its own data. Use it as a context manager."""

    def __init__(self) -> None:
        """Raises ServerMissingError."""
        self._programs = programs()
        # Short, because a socket's path has at most 107 characters.
        self.folder = Path(tempfile.mkdtemp(prefix="tocsin-pg-"))
        self._data = self.folder / "data"
        self._log = self.folder / "log"
        self._numbers = itertools.count(1)
        self._server: subprocess.Popen[Any] | None = None
        self._as: dict[str, Any] = {}
        if os.geteuid() == 0:
            owner = _unprivileged()
            os.chown(self.folder, owner.pw_uid, owner.pw_gid)
            self._as = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}

    def __enter__(self) -> Self:
        try:
            self._run("initdb", "-D", str(self._data), "-U", SUPERUSER, "--auth=trust", "-E", "UTF8",
                      "--no-locale")  # fmt: skip
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self) -> None:
        """Returns when it takes connections. fsync is as it is by default: on."""
        with self._log.open("ab") as log:
            server = subprocess.Popen(
                [
                    str(self._programs / "postgres"),
                    "-D", str(self._data),
                    "-c", "listen_addresses=",
                    "-c", f"unix_socket_directories={self.folder}",
                    "-c", "shared_buffers=32MB",
                    "-c", "max_connections=100",
                ],
                stdout=log,
                stderr=log,
                cwd=self.folder,
                start_new_session=True,  # Ctrl-C is for the tests; they end the server in order
                **self._as,
            )  # fmt: skip
        self._server = server
        until = time.monotonic() + START_WITHIN_S
        while True:
            try:
                self.sql("SELECT 1")
                return
            except subprocess.CalledProcessError:
                if server.poll() is not None or time.monotonic() > until:
                    raise RuntimeError(f"PostgreSQL did not start:\n{self._log.read_text()}") from None
            time.sleep(0.05)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """SIGINT is PostgreSQL's fast shutdown; SIGQUIT leaves at once, as after a crash."""
        if self._server is not None:
            self._server.send_signal(how)
            self._server.wait(START_WITHIN_S)
            self._server = None

    def close(self) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def pid(self) -> int:
        """The server's first process."""
        assert self._server is not None
        return self._server.pid

    def url(self, database: str) -> str:
        """As it stands in a site's configuration."""
        return f"postgresql://{SUPERUSER}@/{database}?host={self.folder}"

    def sql(self, statement: str, database: str = "postgres") -> str:
        """Runs it with psql, outside of a transaction; what it printed."""
        return self._run(
            "psql", "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1",
            "-h", str(self.folder), "-U", SUPERUSER, "-d", database, "-c", statement,
        )  # fmt: skip

    @contextmanager
    def database(self, template: str = "template1") -> Generator[str]:
        """A fresh database, a copy of the template, by name; dropped afterwards."""
        name = f"tocsin_{os.getpid()}_{next(self._numbers)}"
        self.sql(f"CREATE DATABASE {name} TEMPLATE {template}")
        try:
            yield name
        finally:
            self.sql(f"DROP DATABASE {name} WITH (FORCE)")

    def _run(self, program: str, *arguments: str) -> str:
        return subprocess.run(
            [self._programs / program, *arguments],
            capture_output=True,
            text=True,
            check=True,
            cwd=self.folder,
            **self._as,
        ).stdout


def _unprivileged() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise ServerMissingError("PostgreSQL does not run as root, and there is no user postgres or nobody")
