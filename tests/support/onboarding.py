"""A watcher that only beats and adds cameras: with the real search, survey, and file of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from pydantic import SecretStr

from tocsin.clocks import SystemClock
from tocsin.core.observation import CameraId, PlaceId
from tocsin.core.sight import CameraHealth, Heartbeat, Sight
from tocsin.sources.onboarding import find, measure
from tocsin.watch.adding import CameraFile
from tocsin.watch.onboarding import Onboarding
from tocsin.watch.sender import CentreClient, Sender
from tocsin.watch.spool import Spool
from tocsin.watch.zones import Asked, KeptZones

CONFIG = """# The yard's cameras
[[place]]
id = "hall"
name = "Sorting hall"

[[camera]]
id = "one"
source = "rtsp://192.0.2.1/a"
"""


class AddingWatcher:
    """On a folder that outlives it; `file` is its configuration, or None."""

    def __init__(
        self,
        folder: Path,
        url: str,
        token: str,
        *,
        name: str = "w1",
        with_file: bool = True,
        changed: Callable[[], None] | None = None,
    ) -> None:
        folder.mkdir(exist_ok=True)
        self.name = name
        self.file = folder / "site.toml" if with_file else None
        if self.file is not None and not self.file.exists():
            self.file.write_text(CONFIG)
        self.credentials = folder / "credentials"
        self.client = CentreClient(url, SecretStr(token))
        clock = SystemClock()
        self.onboarding = Onboarding(
            self.client,
            partial(find, clock=clock, wait_s=0.6),
            partial(measure, clock=clock, seconds=2.2),
            CameraFile(self.file, self.credentials, changed),
            clock,
        )
        self._spool = Spool(folder / "spool.sqlite")
        kept = KeptZones(folder / "zones.json", {})
        asked = Asked(self.client, kept, lambda _camera: None, jobs=self.onboarding.take)
        self._sender = Sender(
            self._spool, self.client, _heartbeat, threading.Event(), asked=asked, ends=self.onboarding.stop
        )

    @contextmanager
    def beating(self) -> Generator[AddingWatcher]:
        self._sender.start()
        try:
            yield self
        finally:
            self._sender.stop()
            self.client.close()
            self._spool.close()


def _heartbeat() -> Heartbeat:
    now = datetime.now(UTC)
    return Heartbeat(now, (CameraHealth(CameraId("one"), "Yard", PlaceId("hall"), Sight.SEEING, now, 9),))
