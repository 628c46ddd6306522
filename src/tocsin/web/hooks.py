"""What a telephone company calls us with: answers of responders, and how far their pages have got.

Nothing is read before its signature was checked. The company is told 2xx only for what was taken, so that it
tries again what we could not keep.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import parse_qsl

import structlog
from fastapi import APIRouter, Request, Response

from tocsin.core.dispatch import PageId
from tocsin.core.errors import (
    ForeignReplyError,
    IllegalMoveError,
    InvalidInputError,
    NotAllowedError,
    NotFoundError,
    TocsinError,
)
from tocsin.ports_telephony import Hook, Progress, Reply, TelephonyProvider
from tocsin.web.house import HouseDep

log = structlog.get_logger()
router = APIRouter()

MAX_FORM: Final = 16_384
"""Twilio's own stay under 4 kB; a text message has at most 1600 letters."""

MAX_FIELDS: Final = 100

_REFUSED: Final = (ForeignReplyError, InvalidInputError, IllegalMoveError, NotFoundError)
"""What the responder is told in words: they have replied, and must know that it did nothing."""


@dataclass(slots=True)
class Telephone:
    """The company, and what delivery does with a page that did not arrive."""

    provider: TelephonyProvider
    undelivered: Callable[[PageId, str, datetime], Awaitable[bool]]
    told: bool = False

    def first_unsigned(self) -> bool:
        first, self.told = not self.told, True
        return first


class NotReadyError(TocsinError):
    """Answers over the telephone are not set up, or not yet."""

    code = "not-ready"
    permanent = False


@router.post("/hooks/telephony/{name}")
async def telephony(name: str, request: Request, house: HouseDep) -> Response:
    """Takes what the company says, in its own form. 403 for what it has not signed."""
    telephone = house.telephone
    if telephone is None or name not in {one.value for one in Hook}:
        raise NotFoundError("there is no such hook", where=request.url.path)
    hook = Hook(name)
    body = await _bounded(request)
    # The raw query: what was signed is the address as it was given, byte by byte.
    query = request.scope.get("query_string", b"").decode("latin-1")
    try:
        form = parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=MAX_FIELDS)
        asked = dict(parse_qsl(query, max_num_fields=MAX_FIELDS))
    except ValueError:
        raise InvalidInputError("the form cannot be read", where="telephony") from None
    if not telephone.provider.verify(hook, query, form, request.headers):
        # Told once: whoever knocks must not fill the log.
        if telephone.first_unsigned():
            log.warning("telephony-unsigned", hook=hook.value, hint="is [centre] url the address it calls?")
        raise NotAllowedError("it is not signed by our telephone company", where="telephony")
    if house.answers is None:
        raise NotReadyError("answers are not taken yet", where="telephony")
    now = house.clock.now()
    text = ""
    try:
        said = telephone.provider.parse(hook, asked, dict(form))
        match said:
            case Reply():
                text = await house.answers.reply(said.channel, said.address, said.text, now)
            case Progress(stage=None):
                await telephone.undelivered(said.page_id, said.why, now)
            case Progress(stage=stage) if stage is not None:
                await house.answers.receipt(said.page_id, stage, now)
            case _:
                pass
    except _REFUSED as error:
        text = error.what
    media_type, answer = telephone.provider.say(hook, text)
    return Response(answer, media_type=media_type)


async def _bounded(request: Request) -> bytes:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MAX_FORM:
            raise InvalidInputError("the form is too large", where="telephony")
    return bytes(body)
