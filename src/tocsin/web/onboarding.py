"""The jobs of staff who add cameras: for a watcher to fetch and to answer, in memory and not for long.

Nothing of it gets into the database: a job may hold a camera's password until its watcher has fetched it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from secrets import token_hex
from typing import Final

from tocsin.core.errors import InvalidInputError, NotFoundError
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
    without_credentials,
)

FETCH_WITHIN: Final = timedelta(seconds=60)
"""A watcher asks every 5 s. Counted anew when it is done with an earlier job, as it does one at a time."""
ANSWER_WITHIN: Final = timedelta(seconds=150)
"""Measuring takes 100 s at most; the rest is for the network."""
KEEP: Final = timedelta(minutes=30)
MOST: Final = 64


@dataclass(frozen=True, slots=True)
class Onboarding:
    """One job. `asked` has no credentials any more once it was handed out, or is over."""

    id: str
    watcher: str
    by: str
    asked: Job
    at: datetime
    handed_at: datetime | None = None
    result: Result | None = None
    ended_at: datetime | None = None

    @property
    def running(self) -> bool:
        return self.handed_at is not None and self.result is None

    @property
    def waiting(self) -> bool:
        return self.handed_at is None and self.result is None

    def ended(self, result: Result, now: datetime) -> Onboarding:
        return replace(self, asked=without_credentials(self.asked), result=result, ended_at=now)


@dataclass(slots=True)
class Jobs:
    """By id, the oldest first."""

    _jobs: dict[str, Onboarding] = field(default_factory=dict[str, Onboarding])

    def ask(self, watcher: str, asked: Job, by: str, now: datetime) -> Onboarding:
        """A new job for that watcher. The oldest makes room when there are too many."""
        self._sweep(now)
        job = Onboarding(token_hex(16), watcher, by, asked, now)
        self._jobs[job.id] = job
        while len(self._jobs) > MOST:
            self._jobs.pop(next(iter(self._jobs)))
        return job

    def waiting(self, watcher: str, now: datetime) -> list[str]:
        """The ids that a watcher is to fetch, the oldest first."""
        self._sweep(now)
        return [job.id for job in self._jobs.values() if job.watcher == watcher and job.waiting]

    def hand_out(self, watcher: str, job_id: str, now: datetime) -> Job:
        """What is asked, with its password: to the watcher that it is for, and once.

        Raises NotFoundError to anybody else, and when it is over.
        """
        self._sweep(now)
        job = self._jobs.get(job_id)
        if job is None or job.watcher != watcher or not job.waiting:
            raise NotFoundError("there is no such job to be done", where=f"job {job_id[:40]}")
        self._jobs[job_id] = replace(job, asked=without_credentials(job.asked), handed_at=now)
        return job.asked

    def answer(self, watcher: str, job_id: str, result: Result, now: datetime) -> Onboarding:
        """Takes the result of a job that this watcher fetched.

        Raises what `answered` raises.
        """
        self._jobs[job_id] = job = self.answered(watcher, job_id, result, now)
        return job

    def answered(self, watcher: str, job_id: str, result: Result, now: datetime) -> Onboarding:
        """The job as it will be with that result; nothing is changed.

        Raises NotFoundError for a job that this watcher did not fetch or that is over, InvalidInputError for
        a result of another kind of job.
        """
        self._sweep(now)
        job = self._jobs.get(job_id)
        if job is None or job.watcher != watcher or not job.running:
            raise NotFoundError("nobody waits for this result", where=f"job {job_id[:40]}")
        if not isinstance(result, (_RESULTS[type(job.asked)], Failed)):
            raise InvalidInputError("this is the result of another kind of job", where=f"job {job_id}")
        return job.ended(result, now)

    def get(self, job_id: str, now: datetime) -> Onboarding | None:
        self._sweep(now)
        return self._jobs.get(job_id)

    def _sweep(self, now: datetime) -> None:
        kept = {i: job for i, job in self._jobs.items() if now - (job.ended_at or job.at) <= KEEP}
        busy = {job.watcher for job in kept.values() if job.running}
        free_at: dict[str, datetime] = {}
        for job in kept.values():
            if job.ended_at is not None:
                free_at[job.watcher] = max(free_at.get(job.watcher, job.ended_at), job.ended_at)
        for job_id, job in kept.items():
            if job.running and job.handed_at is not None and now - job.handed_at > ANSWER_WITHIN:
                kept[job_id] = job.ended(_UNANSWERED, now)
            elif job.waiting and job.watcher not in busy:
                since = max(job.at, free_at.get(job.watcher, job.at))
                if now - since > FETCH_WITHIN:
                    kept[job_id] = job.ended(_UNFETCHED, now)
        self._jobs = kept


_RESULTS: Final[dict[type[Job], type[Result]]] = {Search: Found, Measure: Measured, Add: Added}

_UNFETCHED: Final = Failed(
    code="watcher-silent",
    what="its watcher did not take this up",
    hint="does it run, and is it of this version? then try again",
)
_UNANSWERED: Final = Failed(
    code="watcher-silent",
    what="its watcher took this up, and has not answered",
    hint="it may have been restarted: try again",
)
