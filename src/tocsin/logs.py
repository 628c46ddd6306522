"""Logs: structlog, constant event names, ids as fields, and nothing secret."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

_SECRET_KEYS = re.compile(r"password|secret|token|authorization|cookie|credential", re.IGNORECASE)
_USERINFO = re.compile(r"(?<=://)\S*@")
"""Up to the last @ of the word: passwords are typed into URLs with / and @ in them."""


def configure(*, json: bool, debug: bool = False) -> None:
    """One line per event on stderr: coloured for a person, JSON for a collector."""
    level = logging.DEBUG if debug else logging.INFO
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if json
        # Local variables stay out of tracebacks: they may hold a picture or a password.
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            # Formatted before the secrets are taken out: an exception's text may hold a camera's URL.
            structlog.processors.format_exc_info,
            without_secrets,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    # Libraries speak through the standard logging; only their warnings matter to us.
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s %(message)s")
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)


def without_secrets(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Blanks fields named like secrets, and user names and passwords inside URLs."""
    for key, value in event.items():
        if _SECRET_KEYS.search(key):
            event[key] = "***"
        elif isinstance(value, str):
            event[key] = _USERINFO.sub("***@", value)
    return event
