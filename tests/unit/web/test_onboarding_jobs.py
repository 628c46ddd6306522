"""The jobs of adding a camera in the centre's memory: bounded, ended, and without the password soon."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr

from tocsin.core.errors import InvalidInputError, NotFoundError
from tocsin.web.onboarding import ANSWER_WITHIN, FETCH_WITHIN, KEEP, MOST, Jobs
from tocsin.wire_onboarding import Failed, Found, Measure, Search, handed_out, read_job

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
SECRET = Measure(address="192.0.2.1", username="ana", password=SecretStr("hunter2"))


def _after(step: timedelta) -> datetime:
    return NOON + step + timedelta(seconds=1)


def test_the_password_is_in_memory_until_the_watcher_has_it() -> None:
    jobs = Jobs()
    job = jobs.ask("w1", SECRET, "ana", NOON)
    assert "hunter2" not in repr(jobs)
    assert "ana" not in repr(job.asked), "nor the user name of the camera"
    assert read_job(json.dumps(handed_out(jobs.hand_out("w1", job.id, NOON)))) == SECRET
    kept = jobs.get(job.id, NOON)
    assert kept is not None
    assert isinstance(kept.asked, Measure)
    assert (kept.asked.address, kept.asked.username, kept.asked.password) == ("192.0.2.1", None, None)
    with pytest.raises(NotFoundError):
        jobs.hand_out("w1", job.id, NOON)


def test_a_job_that_nobody_fetches_ends_and_forgets_the_password() -> None:
    jobs = Jobs()
    job = jobs.ask("w1", SECRET, "ana", NOON)
    assert jobs.waiting("w1", NOON + FETCH_WITHIN) == [job.id]
    assert jobs.waiting("w1", _after(FETCH_WITHIN)) == []
    ended = jobs.get(job.id, _after(FETCH_WITHIN))
    assert ended is not None
    assert isinstance(ended.result, Failed)
    assert isinstance(ended.asked, Measure)
    assert ended.asked.password is None
    assert jobs.get(job.id, _after(FETCH_WITHIN + KEEP)) is not None, "kept from its end on"
    assert jobs.get(job.id, _after(FETCH_WITHIN + KEEP + FETCH_WITHIN)) is None


def test_a_job_behind_another_waits_for_that_one() -> None:
    jobs = Jobs()
    first = jobs.ask("w1", Search(), "ana", NOON)
    second = jobs.ask("w1", Search(), "ana", NOON)
    assert jobs.waiting("w1", NOON) == [first.id, second.id]
    jobs.hand_out("w1", first.id, NOON)
    late = NOON + timedelta(seconds=90)
    assert jobs.waiting("w1", late) == [second.id]
    jobs.answer("w1", first.id, Found(), late)
    assert jobs.waiting("w1", late + FETCH_WITHIN) == [second.id]
    assert jobs.waiting("w1", late + FETCH_WITHIN + timedelta(seconds=1)) == []


def test_an_answer_that_never_comes_is_said() -> None:
    jobs = Jobs()
    job = jobs.ask("w1", Search(), "ana", NOON)
    jobs.hand_out("w1", job.id, NOON)
    assert (still := jobs.get(job.id, NOON + ANSWER_WITHIN)) is not None
    assert still.running
    with pytest.raises(NotFoundError):
        jobs.answer("w1", job.id, Found(), _after(ANSWER_WITHIN))
    assert (ended := jobs.get(job.id, _after(ANSWER_WITHIN))) is not None
    assert isinstance(ended.result, Failed)


def test_only_the_right_watcher_answers_and_only_what_was_asked() -> None:
    jobs = Jobs()
    job = jobs.ask("w1", SECRET, "ana", NOON)
    for watcher in ("w1", "w2"):
        with pytest.raises(NotFoundError):
            jobs.answer(watcher, job.id, Found(), NOON)
    with pytest.raises(NotFoundError):
        jobs.hand_out("w2", job.id, NOON)
    jobs.hand_out("w1", job.id, NOON)
    with pytest.raises(InvalidInputError, match="another kind"):
        jobs.answer("w1", job.id, Found(), NOON)
    assert jobs.answer("w1", job.id, Failed(code="x", what="y"), NOON).result is not None


def test_there_are_never_too_many() -> None:
    jobs = Jobs()
    ids = [jobs.ask("w1", Search(), "ana", NOON).id for _ in range(MOST + 5)]
    assert jobs.waiting("w1", NOON) == ids[5:]
