"""What is wrong with an RTSP camera, by what FFmpeg says; nothing of FFmpeg's own text, as it shows URLs."""

from __future__ import annotations

import errno
import os

import av.error

from tocsin.core.errors import (
    SourceAuthError,
    SourceCodecError,
    SourceError,
    SourceNotFoundError,
    SourceProtocolError,
    SourceRefusedError,
    SourceTimeoutError,
    SourceUnreachableError,
)
from tocsin.sources.flow import MOST_BYTES_PER_S, MOST_FRAMES_PER_S


def described(error: Exception, where: str, read_timeout_s: float, *, opening: bool = False) -> SourceError:
    """Our error for one of FFmpeg's."""
    match error:
        case av.error.HTTPUnauthorizedError() | av.error.HTTPForbiddenError():
            return SourceAuthError(
                "the camera refuses our user name or password",
                where=where,
                hint="check both; some cameras lock out an address after wrong attempts",
            )
        case av.error.HTTPNotFoundError():
            return SourceNotFoundError(
                "the camera answers, but has no such stream",
                where=where,
                hint="check the path of the URL, or ask the camera for it over ONVIF",
            )
        case av.error.ExitError() | av.error.TimeoutError():
            return silent(where, read_timeout_s)
        case av.error.InvalidDataError() | av.error.BrokenPipeError() if opening:
            return SourceProtocolError(
                "what answers there does not speak RTSP",
                where=where,
                hint="check the port: 554 is RTSP's, 322 that of RTSP over TLS",
            )
        case av.error.InvalidDataError() | av.error.LookupError() | av.error.PatchWelcomeError():
            return undecodable(where, "what the camera sends cannot be understood")
        case av.error.ArgumentError() if opening:
            return SourceProtocolError(
                "its answer leads to no address of a camera",
                where=where,
                hint="it may redirect: name the address that gives the pictures as source",
            )
        case av.error.MemoryError() if opening:
            return SourceProtocolError(
                "its answer is larger than that of any camera",
                where=where,
                hint="look at what answers at that address",
            )
        case av.error.MemoryError():
            return undecodable(where, "it sends pieces larger than those of any camera")
        case av.error.HTTPError() | av.error.HTTPClientError():
            return SourceRefusedError(
                "the camera refuses the request",
                where=where,
                hint="it may serve too many viewers, or not over this transport",
            )
        case av.error.OSError(errno=errno.EPROTONOSUPPORT):
            return SourceProtocolError(
                "the camera does not send its packets this way",
                where=where,
                hint='set transport = "tcp" or "udp", the other one',
            )
        case av.error.ConnectionRefusedError():
            return SourceRefusedError(
                "the connection is refused: nothing listens at that port",
                where=where,
                hint="check the port, and that the camera's RTSP service is switched on",
            )
        case _:
            number = getattr(error, "errno", None)
            why = os.strerror(number) if isinstance(number, int) and 0 < number < 200 else "no connection"
            return SourceUnreachableError(
                f"nobody answers: {why.lower()}",
                where=where,
                hint="check host, port, power and network",
            )


def silent(where: str, read_timeout_s: float, though: str = "") -> SourceTimeoutError:
    return SourceTimeoutError(
        f"no picture for {read_timeout_s:g} s{though}",
        where=where,
        hint="check the camera's power and network; restart it; set at least one frame a second on it",
    )


def undecodable(where: str, what: str) -> SourceCodecError:
    return SourceCodecError(what, where=where, hint="set the camera's stream to H.264, with key frames")


def flooding(where: str) -> SourceProtocolError:
    return SourceProtocolError(
        f"it sends more than {MOST_FRAMES_PER_S:g} frames or {MOST_BYTES_PER_S / 1e6:g} MB a second",
        where=where,
        hint="restart the camera; set a lower frame rate and bit rate on it",
    )
