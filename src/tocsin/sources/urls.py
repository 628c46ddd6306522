"""Addresses of cameras without what nobody may read in a log or an error."""

from __future__ import annotations

import re
from typing import Final

HIDDEN: Final = "***"

# Up to the *last* @: passwords are typed into URLs unescaped, with / and @ in them. A stream whose
# path has an @ loses its host's name in logs by that; the other mistake would print a password.
_USERINFO = re.compile(r"(?<=://)[^\s\"'<>]*@")

# Cameras also take passwords as parameters, in the query or in the path itself
# (rtsp://host/user=admin&password=x&channel=1); "auth" and the like cover tokens and signatures.
_PARAMETER = re.compile(
    r"(?i)([\w.\-]*(?:pass|pwd|passwd|psw|token|secret|auth|key|sign|sig|user|login|credential)[\w.\-]*=)"
    r"[^&;/?#\s\"'<>]*"
)


def without_secrets(url: str) -> str:
    """The URL, or any text with URLs in it, with user names, passwords and tokens replaced by ***.

    Hides rather too much than too little, and never fails, however broken the URL is.
    """
    return _PARAMETER.sub(rf"\g<1>{HIDDEN}", _USERINFO.sub(f"{HIDDEN}@", url))
