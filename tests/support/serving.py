"""`tocsin serve` as a process of its own, which may be killed at any moment and started again."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import tomli_w
from tests.support.receiver import SECRET, Receiver

START_WITHIN_S = 60.0


class ServedCentre:
    """Its only responder, Ana, has a webhook; every alarm owes her exactly one page."""

    def __init__(self, folder: Path, receiver: Receiver, database: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.log = folder / "centre.log"
        self._config = folder / "tocsin.toml"
        self._process: subprocess.Popen[Any] | None = None
        # One step, which nobody answers.
        steps = [{"who": "everyone", "wait_s": 86_400}]
        section: dict[str, Any] = {"host": "127.0.0.1", "port": port, "data_dir": str(folder / "centre")}
        values: dict[str, Any] = {
            "site": {"name": "Kill"},
            "centre": section | ({"database": database} if database else {}),
            "responder": [
                {
                    "id": "ana",
                    "name": "Ana",
                    "contacts": [{"channel": "webhook", "address": receiver.url("/page")}],
                    "qualifications": ["fire"],
                }
            ],
            "escalation": {"alarm": steps, "trouble": steps},
        }
        self._config.write_text(tomli_w.dumps(values))

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tocsin", "serve", "--config", str(self._config)],
                env=os.environ | {"TOCSIN_WEBHOOK_SECRET": SECRET},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def wait_until_ready(self) -> None:
        until = time.monotonic() + START_WITHIN_S
        while time.monotonic() < until:
            if self._process is None or self._process.poll() is not None:
                break
            with suppress(httpx.HTTPError):
                if httpx.get(f"{self.url}/healthz", timeout=2.0, trust_env=False).is_success:
                    return
            time.sleep(0.02)
        raise RuntimeError(f"the centre did not start:\n{self.log.read_text()[-3000:]}")

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(20)
            self.kill()
