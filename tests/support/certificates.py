"""Certificates of cameras, from an authority of the test's own."""

from __future__ import annotations

import ssl
from typing import Any

import trustme


def tls_for(authority: trustme.CA, name: str) -> ssl.SSLContext:
    """What a server of that name or address needs to speak TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    issued: Any = authority.issue_cert(name)  # its types leave pyOpenSSL's contexts open
    issued.configure_cert(context)
    return context
