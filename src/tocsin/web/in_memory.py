"""Forms with a picture, read into memory alone: what is not redacted yet touches no disk (invariant 4)."""

from __future__ import annotations

from typing import Final

from fastapi import Request
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import FormParser, MultiPartException, MultiPartParser

SPOOL_BYTES: Final = 8 * 1024 * 1024
"""Above the largest body that `web/app.py` takes, so that an upload never rolls over to a file: the parser's
own limit of 1 MB writes larger ones to the temporary folder."""

MAX_FIELDS: Final = 10
MAX_FIELD_BYTES: Final = 4096


async def form_in_memory(request: Request) -> FormData:
    """The form's fields and at most one file. Raises HTTPException (400) for a body that is no form."""
    try:
        if request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
            parser = MultiPartParser(
                request.headers,
                request.stream(),
                max_files=1,
                max_fields=MAX_FIELDS,
                max_part_size=MAX_FIELD_BYTES,
            )
            parser.spool_max_size = SPOOL_BYTES
            return await parser.parse()
        return await FormParser(
            request.headers, request.stream(), max_fields=MAX_FIELDS, max_part_size=MAX_FIELD_BYTES
        ).parse()
    except MultiPartException as error:
        raise HTTPException(400, error.message) from None


def text(form: FormData, name: str) -> str:
    found = form.get(name)
    return found if isinstance(found, str) else ""


async def upload(form: FormData, name: str) -> bytes:
    """The file's bytes; empty without one."""
    found = form.get(name)
    return await found.read() if isinstance(found, UploadFile) else b""
