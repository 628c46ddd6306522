"""An alarm's story as a file to keep or to send on."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Response

from tocsin.core.errors import NotFoundError
from tocsin.flows.storytelling import Story, Storytelling
from tocsin.telling.html import HEADER, story_html
from tocsin.web.auth import User
from tocsin.web.house import House, HouseDep

router = APIRouter()


async def _story(alarm_id: str, house: House) -> Story:
    telling = Storytelling(house.store, house.pictures, house.policy)
    story = await telling.of(alarm_id, house.clock.now())
    if story is None:
        raise NotFoundError("there is no such alarm", where=f"alarm {alarm_id}", hint="it may have ended")
    return story


def _file(content: bytes, story: Story, kind: str, media_type: str, policy: str) -> Response:
    headers = {
        "Content-Disposition": f'attachment; filename="alarm-{story.number}.{kind}"',
        "Content-Security-Policy": policy,
    }
    return Response(content, media_type=media_type, headers=headers)


@router.get("/alarms/{alarm_id}/story.html", include_in_schema=False)
async def story_page(alarm_id: str, house: HouseDep, user: User) -> Response:
    """One file with its pictures in it; nothing in it runs."""
    story = await _story(alarm_id, house)
    return _file(story_html(story), story, "html", "text/html", HEADER)


@router.get("/alarms/{alarm_id}/story.pdf", include_in_schema=False)
async def story_paper(alarm_id: str, house: HouseDep, user: User) -> Response:
    """The same on paper."""
    from tocsin.telling.pdf import story_pdf  # fonts and drawing load only here

    story = await _story(alarm_id, house)
    # In a thread: embedding fonts takes some tenths of a second, and consoles must not wait for it.
    content = await asyncio.to_thread(story_pdf, story)
    return _file(content, story, "pdf", "application/pdf", "default-src 'none'; sandbox")
