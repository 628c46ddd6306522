"""The reader of MJPEG streams: as cameras write them, in any pieces, and never without an end."""

from __future__ import annotations

import pytest

from tocsin.core.errors import SourceProtocolError
from tocsin.sources.multipart import MAX_BOUNDARY, MAX_HEAD_BYTES, MAX_PREAMBLE_BYTES, Parts

JPEG = b"\xff\xd8\xff\xe0 a picture \r\n with line ends \xff\xd9"


def parts(boundary: str = "shot", most_bytes: int = 1000) -> Parts:
    return Parts(boundary, most_bytes, "camera yard")


def part(
    body: bytes = JPEG, *, length: int | None = None, end: bytes = b"\r\n", mark: bytes = b"--shot"
) -> bytes:
    lines = [mark, b"Content-Type: image/jpeg"]
    if length is not None:
        lines.append(b"Content-Length: %d" % length)
    return end.join([*lines, b"", body]) + end


@pytest.mark.parametrize("boundary", ["shot", "--shot", "-shot"])
@pytest.mark.parametrize("end", [b"\r\n", b"\n"])
@pytest.mark.parametrize("size", [1, 7, 4096])
def test_as_cameras_write_it(boundary: str, end: bytes, size: int) -> None:
    stream = b"preamble" + end + part(end=end) + part(end=end, length=len(JPEG)) + b"--shot--"
    reader = parts(boundary)
    found = [body for at in range(0, len(stream), size) for body in reader.feed(stream[at : at + size])]
    assert found == [JPEG, JPEG]


def test_a_picture_with_its_length_is_there_before_the_next_boundary() -> None:
    assert parts().feed(part(length=len(JPEG)).rstrip(b"\r\n")) == [JPEG]


@pytest.mark.parametrize("said", [0, 1, len(JPEG) - 1, len(JPEG) + 1])
def test_a_wrong_length_is_mended_by_the_boundary(said: int) -> None:
    found = parts().feed(part(length=said) + part(length=len(JPEG)) + b"--shot\r\n")
    assert found[-1] == JPEG
    assert len(found) >= 1


def test_no_line_end_before_the_boundary() -> None:
    assert parts().feed(b"--shot\r\n\r\n" + JPEG + b"--shot\r\n") == [JPEG]


def test_what_is_no_picture_is_passed_on_and_empty_parts_are_not() -> None:
    assert parts().feed(part(b"text") + part(b"") + part(b"more") + b"--shot") == [b"text", b"more"]


@pytest.mark.parametrize("boundary", ["", "--", "a\r\nb", "b" * (MAX_BOUNDARY + 1), "böse"])
def test_a_boundary_that_is_none(boundary: str) -> None:
    with pytest.raises(SourceProtocolError, match="names no boundary"):
        parts(boundary)


@pytest.mark.parametrize(
    ("begin", "again", "most", "why"),
    [
        (b"", b"x" * 100, MAX_PREAMBLE_BYTES, "none of the boundaries"),
        (b"--shot\r\n", b"X-A: b\r\n", MAX_HEAD_BYTES, "do not end"),
        (b"--shot\r\n\r\n", b"x" * 100, 1000, "larger than 1000 bytes"),
        (b"--shot\r\nContent-Length: 900\r\n\r\n", b"x" * 100, 1000, "larger than 1000 bytes"),
    ],
)
def test_what_does_not_end_is_refused_and_not_kept(begin: bytes, again: bytes, most: int, why: str) -> None:
    reader = parts()
    reader.feed(begin)
    fed = 0

    def feed() -> None:
        nonlocal fed
        while fed < 10 * most + 1000:
            reader.feed(again)
            fed += len(again)

    with pytest.raises(SourceProtocolError, match=why):
        feed()
    assert fed <= most + 300


@pytest.mark.parametrize("length", [1001, 10**11])
def test_a_length_beyond_all_bounds_is_refused_at_once(length: int) -> None:
    with pytest.raises(SourceProtocolError, match="announces"):
        parts().feed(part(b"", length=length))


def test_a_part_that_is_too_large_is_refused_when_it_comes_at_once() -> None:
    with pytest.raises(SourceProtocolError, match="larger than"):
        parts().feed(part(b"x" * 1001) + b"--shot\r\n")
