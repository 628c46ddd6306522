"""What staff ask this watcher for when they add a camera: search, measure, write it down.

In a thread of its own that lives only while there is something to do: a slow or hostile device holds up
no camera and no heartbeat. One job at a time, and not for ever.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import httpx
import structlog
from pydantic import SecretStr

from tocsin.core.errors import NotFoundError, NotWrittenError, TocsinError
from tocsin.ports import Clock
from tocsin.watch.adding import CameraFile, section_text
from tocsin.watch.sender import CentreClient
from tocsin.wire_onboarding import (
    Add,
    Added,
    Failed,
    Found,
    Job,
    Measure,
    Measured,
    Result,
    Search,
    is_job_id,
    read_job,
)

log = structlog.get_logger()

MOST_WAITING: Final = 8
MOST_SEEN: Final = 256
"""Ids of jobs that are not taken up twice."""
MOST_KEPT: Final = 16
KEEP_S: Final = 1800.0
"""What was measured is kept for so long, with the password that it took: until somebody says "add"."""
TRIES: Final = 3
TRY_AGAIN_S: Final = 1.0
STOP_WITHIN_S: Final = 15.0

_FOUND: Final = 200

Find = Callable[[Search], Found]
Survey = Callable[[Measure, Callable[[], bool]], Measured]


@dataclass(frozen=True, slots=True)
class _Kept:
    source: str
    username: str | None
    password: SecretStr | None
    any_certificate: bool
    at_s: float


class Onboarding:
    """Takes up the jobs that the centre names in its answers to heartbeats."""

    def __init__(
        self, client: CentreClient, find: Find, survey: Survey, cameras: CameraFile, clock: Clock
    ) -> None:
        """`survey` is asked with the job and with whether it is to end early."""
        self._client = client
        self._find = find
        self._survey = survey
        self._cameras = cameras
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting: deque[str] = deque()
        self._seen: dict[str, None] = {}
        self._kept: dict[str, _Kept] = {}
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()

    def take(self, ids: Sequence[object]) -> None:
        """Takes up those that are new, as many as may wait; returns at once. Called by the heart's thread."""
        with self._lock:
            for job_id in ids[:MOST_WAITING]:
                if not is_job_id(job_id) or str(job_id) in self._seen or self._stop.is_set():
                    continue
                if len(self._waiting) >= MOST_WAITING:
                    break  # asked again with the next heartbeat
                self._seen[str(job_id)] = None
                self._waiting.append(str(job_id))
            while len(self._seen) > MOST_SEEN:
                self._seen.pop(next(iter(self._seen)))
            if self._waiting and self._thread is None:
                self._thread = threading.Thread(target=self._work, name="onboarding")
                self._thread.start()

    def stop(self) -> None:
        """Ends what runs; a job that was not done stays unanswered."""
        self._stop.set()
        with self._lock:
            self._waiting.clear()
            thread = self._thread
        if thread is not None:
            thread.join(STOP_WITHIN_S)
            if thread.is_alive():
                log.error("onboarding-will-not-stop")

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._thread = None
                    return
                job_id = self._waiting.popleft()
            try:
                self._do(job_id)
            except httpx.HTTPError as error:
                log.warning("onboarding-unanswered", job=job_id, error=type(error).__name__)
            except Exception:
                log.exception("onboarding-failed", job=job_id)

    def _do(self, job_id: str) -> None:
        response = self._client.job(job_id)
        if response.status_code != _FOUND:
            # Over already, or handed out to us once and lost: whoever asked is told by the centre.
            log.warning("onboarding-not-handed-out", job=job_id, status=response.status_code)
            return
        result = self._result(job_id, response.text)
        if self._stop.is_set():
            return
        for left in reversed(range(TRIES)):
            try:
                answer = self._client.job_done(job_id, result)
            except httpx.HTTPError:
                if not left:
                    raise
            else:
                if answer.status_code < 500:
                    return
            self._stop.wait(TRY_AGAIN_S)

    def _result(self, job_id: str, text: str) -> Result:
        section = ""
        try:
            job = read_job(text)
            if isinstance(job, Add):
                section = self._section(job)
            return self._act(job_id, job)
        except TocsinError as error:
            log.info("onboarding-refused", job=job_id, code=error.code, error=str(error))
            shown = section if isinstance(error, NotWrittenError) else ""
            return Failed(code=error.code, what=error.what, where=error.where, hint=error.hint, section=shown)
        except Exception as error:
            # Told to whoever waits for it, too. Its text is not: nobody knows what is in it.
            log.exception("onboarding-failed", job=job_id)
            return Failed(
                code="bug",
                what=f"its watcher stumbled ({type(error).__name__})",
                hint="see the watcher's log",
            )

    def _act(self, job_id: str, job: Job) -> Found | Measured | Added:
        if isinstance(job, Search):
            return self._find(job)
        if isinstance(job, Measure):
            measured = self._survey(job, self._stop.is_set)
            self._sweep()
            self._kept[job_id] = _Kept(
                measured.source, job.username, job.password, job.any_certificate, self._clock.monotonic_s()
            )
            return measured
        kept = self._of(job)
        added = self._cameras.add(
            job.camera, kept.source, kept.username, kept.password, any_certificate=kept.any_certificate
        )
        del self._kept[job.measured]
        log.info("camera-added", camera=added.camera, file=added.file, live=added.live)
        return added

    def _section(self, job: Add) -> str:
        kept = self._of(job)
        return section_text(job.camera, kept.source, kept.any_certificate)

    def _of(self, job: Add) -> _Kept:
        self._sweep()
        kept = self._kept.get(job.measured)
        if kept is None:
            raise NotFoundError(
                "its watcher does not know any more what it has measured",
                hint="it was too long ago, or the watcher was restarted: measure the camera again",
            )
        return kept

    def _sweep(self) -> None:
        now_s = self._clock.monotonic_s()
        left = [(job_id, kept) for job_id, kept in self._kept.items() if now_s - kept.at_s <= KEEP_S]
        self._kept = dict(left[-MOST_KEPT:])
