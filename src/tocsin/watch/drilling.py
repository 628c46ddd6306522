"""What the centre asks this watcher to drill: handed to the reader of the camera, and told back."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any, Final, cast

import httpx
import structlog

from tocsin.core.drills import DrillStage, DrillTold, Stamp
from tocsin.core.observation import CameraId
from tocsin.ports import Clock
from tocsin.watch.orders import Rehearsed
from tocsin.watch.sender import CentreClient

log = structlog.get_logger()

ASK_EVERY_S: Final = 0.3
GIVE_UP_S: Final = 120.0
"""A reader tells a drill's end within a minute; one that has died tells none: the centre names the stage."""
MOST_SEEN: Final = 64
MOST_JOBS: Final = 4
STOP_WITHIN_S: Final = 15.0


class Drills:
    """Takes up drills that the centre names in its answers to heartbeats, each once."""

    def __init__(
        self,
        client: CentreClient,
        rehearse: Callable[[CameraId, str], bool],
        rehearsed: Callable[[str], Rehearsed | None],
        clock: Clock,
    ) -> None:
        """`rehearse` hands one to the camera's reader, `rehearsed` is what that has told of it."""
        self._client = client
        self._rehearse = rehearse
        self._rehearsed = rehearsed
        self._clock = clock
        self._seen: dict[str, None] = {}
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def take(self, answer: Mapping[str, Any]) -> None:
        """Called by the heart's thread with each answer; returns at once."""
        asked = answer.get("drills")
        for job in (cast("list[object]", asked) if isinstance(asked, list) else [])[:MOST_JOBS]:
            one = cast("dict[str, object]", job) if isinstance(job, dict) else {}
            drill, camera = one.get("id"), one.get("camera")
            fits = isinstance(drill, str) and isinstance(camera, str) and drill.isalnum() and len(drill) <= 40
            if not fits or str(drill) in self._seen or self._stop.is_set():
                continue
            self._seen[str(drill)] = None
            while len(self._seen) > MOST_SEEN:
                self._seen.pop(next(iter(self._seen)))
            self._threads = [thread for thread in self._threads if thread.is_alive()]
            thread = threading.Thread(
                target=self._follow, args=(str(drill), CameraId(str(camera))), name="drills"
            )
            self._threads.append(thread)
            thread.start()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(STOP_WITHIN_S)

    def _follow(self, drill: str, camera: CameraId) -> None:
        log.info("drill", camera=camera, drill=drill)
        taken = Rehearsed(drill, (Stamp(DrillStage.TAKEN, self._clock.now()),))
        self._tell(taken)
        if not self._rehearse(camera, drill):
            said = "its watcher does not watch this camera just now"
            self._tell(Rehearsed(drill, taken.stamps, said, over=True))
            return
        told, ends_s = taken, self._clock.monotonic_s() + GIVE_UP_S
        while not self._stop.wait(ASK_EVERY_S) and self._clock.monotonic_s() < ends_s:
            news = self._rehearsed(drill)
            if news is None or news == told:
                continue
            if self._tell(news):
                told = news
                if news.over:
                    return

    def _tell(self, news: Rehearsed) -> bool:
        try:
            response = self._client.drill_told(
                news.drill, DrillTold(self._clock.now(), news.stamps, news.not_detected)
            )
        except httpx.HTTPError as error:
            log.warning("drill-untold", drill=news.drill, error=type(error).__name__)
            return False
        return response.status_code < 500
