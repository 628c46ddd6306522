"""The watchers' API, for adding cameras: what staff ask of a watcher, and what came of it."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request

from tocsin.core.errors import InvalidInputError
from tocsin.core.journal import Entry, JournalEntry
from tocsin.web.auth import WatcherDep
from tocsin.web.house import HouseDep
from tocsin.wire_onboarding import MAX_RESULT_BYTES, Add, Added, handed_out, read_result

router = APIRouter(prefix="/api/v1")


@router.get("/onboarding/{job_id}")
async def job(job_id: str, house: HouseDep, watcher: WatcherDep) -> dict[str, Any]:
    """Hands a job out, with the password that it needs: once, and only to the watcher that it is for."""
    return handed_out(house.jobs.hand_out(watcher.name, job_id, house.clock.now()))


@router.post("/onboarding/{job_id}/result")
async def result(job_id: str, request: Request, house: HouseDep, watcher: WatcherDep) -> dict[str, bool]:
    """Takes what came of a job, once. A camera that was added is journalled."""
    body = await request.body()
    if len(body) > MAX_RESULT_BYTES:
        raise InvalidInputError(
            "the result is too large", where=f"job {job_id[:40]}", hint=f"at most {MAX_RESULT_BYTES} bytes"
        )
    now, said = house.clock.now(), read_result(body)
    done = house.jobs.answered(watcher.name, job_id, said, now)
    if isinstance(done.result, Added) and isinstance(done.asked, Add):
        reason = f"camera {watcher.name}/{done.asked.camera.id} is in its watcher's configuration"
        async with house.store.writing() as unit:
            await unit.journal.write(JournalEntry(now, Entry.CAMERA_ADDED, None, done.by, reason))
    # Only now: a page says "added" when the journal has it, and a watcher that met a fault tries again.
    house.jobs.answer(watcher.name, job_id, said, now)
    return {"taken": True}
