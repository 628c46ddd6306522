"""Hostile bytes to the parsers of sources that are ours: MJPEG parts, JPEG headers, URLs, content types."""

from __future__ import annotations

import contextlib
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.http_camera import a_jpeg

from tocsin.core.errors import PictureError, SourceCodecError, SourceProtocolError
from tocsin.redact import announced
from tocsin.sources.asking import content_type, redirected
from tocsin.sources.jpeg import MAX_JPEG_PX, picture_of
from tocsin.sources.multipart import MAX_HEAD_BYTES, MAX_PREAMBLE_BYTES, Parts

JPEG = a_jpeg(width=64, height=48)
MOST = 3000
PIECES = st.one_of(
    st.sampled_from([b"--shot", b"--", b"\r\n", b"\n", b"\r\n\r\n", b"Content-Length: ", b"12", b"99999"]),
    st.sampled_from([b"\xff\xd8\xff", b"\xff\xd9"]),
    st.binary(max_size=40),
)
BODIES = st.lists(
    st.binary(min_size=1, max_size=300).filter(lambda b: b"--shot" not in b), min_size=1, max_size=6
)


@given(st.lists(PIECES, max_size=60))
def test_any_bytes_as_a_stream_give_bounded_parts_or_a_typed_error(pieces: list[bytes]) -> None:
    reader = Parts("shot", MOST, "")
    stream = b"".join(pieces)
    with contextlib.suppress(SourceProtocolError):
        for piece in pieces:
            for body in reader.feed(piece):
                assert 0 < len(body) <= MOST
                assert body in stream
        kept = len(reader._kept)  # pyright: ignore[reportPrivateUsage]
        assert kept <= max(MOST, MAX_HEAD_BYTES, MAX_PREAMBLE_BYTES) + MAX_HEAD_BYTES + 100


@given(
    BODIES,
    st.lists(st.integers(0, 4000), max_size=12),
    st.booleans(),
    st.sampled_from([b"\r\n", b"\n"]),
)
def test_what_was_sent_is_what_is_read_however_it_is_cut(
    bodies: list[bytes], cuts: list[int], lengths: bool, end: bytes
) -> None:
    # Between a body without its length and the boundary nobody can tell whose the line ends are.
    bodies = [b"\xff\xd8\xff" + body + b"\xff\xd9" for body in bodies]
    stream = b""
    for body in bodies:
        stream += b"--shot" + end + b"Content-Type: image/jpeg" + end
        stream += (b"content-length:%d" % len(body) + end if lengths else b"") + end + body + end
    stream += b"--shot--"
    at = sorted({0, len(stream), *(cut % len(stream) for cut in cuts)})
    reader = Parts("--shot", MOST, "")
    assert [body for a, b in pairwise(at) for body in reader.feed(stream[a:b])] == bodies


def mutated(data: bytes, changes: list[tuple[int, int]], cut: int) -> bytes:
    out = bytearray(data)
    for at, value in changes:
        out[at % len(out)] = value
    return bytes(out[: len(out) - cut % len(out)])


CHANGES = st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 255)), max_size=8)


@given(CHANGES, st.one_of(st.just(0), st.integers(0, 5000)))
def test_a_mutated_jpeg_is_a_bounded_picture_or_a_typed_error(
    changes: list[tuple[int, int]], cut: int
) -> None:
    data = mutated(JPEG, changes, cut)
    try:
        (width, height), end = announced(data)
    except PictureError:
        width = height = end = 0
    assert 0 <= end <= len(data)
    try:
        picture = picture_of(data, "")
    except SourceCodecError:
        return
    assert 0 < width * height <= MAX_JPEG_PX
    assert max(picture.shape[:2]) <= 640


@given(st.binary(max_size=300))
def test_any_bytes_as_a_jpeg(data: bytes) -> None:
    with pytest.raises(SourceCodecError):
        picture_of(b"\xff\xd8\xff" + data, "")


@given(st.text(max_size=80))
def test_any_text_as_a_content_type(text: str) -> None:
    kind, boundary = content_type(text)
    assert kind == kind.lower().strip()
    assert ";" not in boundary


@given(st.one_of(st.text(max_size=60), st.text("/:@\\.?#[]%camh tps", max_size=40)))
def test_no_text_as_a_redirect_leads_elsewhere(location: str) -> None:
    with contextlib.suppress(SourceProtocolError):
        to = redirected("http://cam:81/a", location, "")
        assert to.lower().startswith(("http://cam:81/", "http://cam:81?", "https://cam", "http://cam:81"))
