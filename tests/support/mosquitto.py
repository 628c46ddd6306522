"""The real MQTT broker Mosquitto, started by the tests on a port of its own."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

START_WITHIN_S = 20.0


class BrokerMissingError(Exception):
    """Mosquitto is not on this machine."""


class Broker:
    """Use it as a context manager. With a password it takes nobody else."""

    def __init__(self, *, username: str = "", password: str = "") -> None:
        """Raises BrokerMissingError."""
        found = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
        if found is None:
            raise BrokerMissingError("Mosquitto is not installed (Debian: apt-get install mosquitto)")
        self.folder = Path(tempfile.mkdtemp(prefix="tocsin-mqtt-"))
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        lines = [f"listener {self.port} 127.0.0.1", "persistence false"]
        if username:
            passwords = self.folder / "passwords"
            tool = shutil.which("mosquitto_passwd") or str(Path(found).with_name("mosquitto_passwd"))
            tool = tool if Path(tool).exists() else "/usr/bin/mosquitto_passwd"
            subprocess.run([tool, "-b", "-c", str(passwords), username, password], check=True)
            passwords.chmod(0o644)
            lines += ["allow_anonymous false", f"password_file {passwords}"]
        else:
            lines.append("allow_anonymous true")
        self.folder.chmod(0o755)  # started as root, it goes on as another user
        self._config = self.folder / "mosquitto.conf"
        self._config.write_text("\n".join(lines) + "\n")
        self._program = found
        self._process: subprocess.Popen[Any] | None = None

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [self._program, "-c", str(self._config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until = time.monotonic() + START_WITHIN_S
        while time.monotonic() < until:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1.0).close()
            except OSError:
                time.sleep(0.05)
            else:
                return self
        raise RuntimeError("the broker did not start")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
        shutil.rmtree(self.folder, ignore_errors=True)
