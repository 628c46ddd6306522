"""Pictures of staff, decoded in a process of their own: what is taken, what is refused, and its bounds."""

from __future__ import annotations

import asyncio
import struct
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from tests.support.running import distinct_columns, sharp_jpeg, sharp_picture

from tocsin import redact_apart
from tocsin.core.errors import PictureBusyError, PictureError
from tocsin.core.observation import Region
from tocsin.redact import MAX_UPLOAD_BYTES, RedactedPicture, redact
from tocsin.redact_apart import Apart

pytestmark = pytest.mark.anyio

MIDDLE = Region(0.3, 0.3, 0.7, 0.7)


def encoded(kind: str, width: int = 960, height: int = 540) -> bytes:
    done, data = cv2.imencode(kind, sharp_picture(width, height))
    assert done
    return data.tobytes()


def png(width: int, height: int, *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG that announces these sides; its pixels are zeros, as many as `chunks` give."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    out = b"\x89PNG\r\n\x1a\n"
    for kind, body in ((b"IHDR", head), *chunks, (b"IEND", b"")):
        out += struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    return out


def with_exif(jpeg: bytes, text: bytes) -> bytes:
    body = b"Exif\0\0" + text
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + jpeg[2:]


@pytest.mark.parametrize("kind", [".jpg", ".png", ".webp"])
async def test_invariant_4_a_picture_comes_back_as_mosaic(kind: str) -> None:
    # Noise compresses badly: a smaller one keeps PNG under the bound.
    got = await Apart()(encoded(kind, 640, 360), None)
    assert distinct_columns(got.jpeg) <= 96
    assert (got.width_px, got.height_px) == (960, 540)


async def test_invariant_4_only_the_drawn_part_keeps_some_detail() -> None:
    stripes = np.tile(np.repeat(np.array([0, 255], np.uint8), 5), 96)  # 5 px each: finer than the mosaic
    done, data = cv2.imencode(".png", np.dstack([np.tile(stripes, (540, 1))] * 3))
    assert done
    got = await Apart()(data.tobytes(), MIDDLE)
    assert got.region == MIDDLE
    assert 50 < distinct_columns(got.jpeg, MIDDLE) <= 160
    assert distinct_columns(got.jpeg, Region(0.0, 0.0, 1.0, 0.25)) == 1


async def test_it_is_the_picture_that_the_door_itself_makes() -> None:
    data = encoded(".png", 640, 360)
    got = await Apart()(data, MIDDLE)
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    straight = redact(picture.astype(np.uint8), MIDDLE)
    one, other = (cv2.imdecode(np.frombuffer(p.jpeg, np.uint8), cv2.IMREAD_COLOR) for p in (got, straight))
    assert one is not None
    assert other is not None
    # Through the door twice: cells on the mark's edge are mixed anew, and JPEG rounds.
    assert np.abs(one.astype(np.int16) - other).mean() < 1.0


async def test_metadata_is_gone() -> None:
    data = with_exif(sharp_jpeg(), b"GPS 48.1374 11.5755 serial 4711")
    got = await Apart()(data, None)
    assert b"4711" not in got.jpeg
    assert b"Exif" not in got.jpeg


_JPEG = sharp_jpeg(320, 180)
_WEBP = encoded(".webp", 320, 180)
_ANIMATED_WEBP = (
    b"RIFF" + struct.pack("<I", 4 + 18 + 14) + b"WEBPVP8X" + struct.pack("<I", 10) + b"\x02\0\0\0"
    + b"\x3f\x01\0" + b"\xb3\0\0" + b"ANIM" + struct.pack("<I", 6) + b"\0" * 6
)  # fmt: skip
_ZEROS = zlib.compress(b"\0" * (961 * 540))

REFUSED = {
    "nothing": (b"", "neither"),
    "svg": (b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>', "neither"),
    "gif": (b"GIF89a" + bytes(100), "neither"),
    "page": (b"<!doctype html>" + _JPEG, "neither"),
    "cut-off-jpeg": (_JPEG[:-200], "cut-off JPEG"),
    "cut-off-webp": (_WEBP[:-200], "cut-off WebP"),
    "jpeg-and-zip": (_JPEG + b"PK\x03\x04" + bytes(100), "behind the picture's end"),
    "jpeg-and-page": (_JPEG + b"<script>alert(1)</script>", "behind the picture's end"),
    "webp-and-film": (_WEBP + b"ftypmp42", "behind the picture's end"),
    "moving-png": (
        png(960, 540, (b"acTL", struct.pack(">II", 2, 0)), (b"IDAT", _ZEROS)),
        "a moving picture",
    ),
    "moving-webp": (_ANIMATED_WEBP, "a moving picture"),
    "bomb-of-100-megapixels": (png(10_000, 10_000, (b"IDAT", zlib.compress(bytes(30_000_000)))), "10000 x"),
    "bomb-that-lies": (png(64, 64, (b"IDAT", zlib.compress(bytes(200_000_000), 9))), ""),
    "png-of-no-pixels": (png(640, 360, (b"IDAT", b"")), "do not decode"),
    "too-many-bytes": (_JPEG + bytes(MAX_UPLOAD_BYTES), "bytes are too many"),
}


@pytest.mark.parametrize("name", sorted(set(REFUSED) - {"bomb-that-lies"}))
async def test_what_is_no_still_picture_is_refused_with_the_reason(name: str) -> None:
    data, words = REFUSED[name]
    with pytest.raises(PictureError, match=words):
        await Apart()(data, None)


async def test_a_picture_that_inflates_beyond_what_it_announces_gives_no_more_than_that() -> None:
    data, _ = REFUSED["bomb-that-lies"]
    got = await Apart()(data, None)
    assert max(got.width_px, got.height_px) == 960


async def _answered(answer: bytes) -> RedactedPicture:
    return redact_apart._redacted(answer, None)  # pyright: ignore[reportPrivateUsage]


@pytest.mark.parametrize(
    "answer",
    [
        b"", b"\n", b"{}", b"[]\n", b'{"shape": [540, 960]}\n' + bytes(99), b'{"shape": [-1, 960]}\n',
        b'{"shape": [100000, 100000]}\n', b'{"shape": ["a", 1]}\n', b"null\n", b'{"shape": null}\n',
        b'{"what": "x"}\n',
    ],
)  # fmt: skip
async def test_what_a_broken_child_answers_is_a_refusal(answer: bytes) -> None:
    with pytest.raises(PictureError):
        await _answered(answer)


async def test_invariant_4_what_a_hostile_child_answers_goes_through_the_door() -> None:
    sharp = sharp_picture(960, 540)
    got = await _answered(b'{"shape": [540, 960]}\n' + sharp.tobytes())
    assert distinct_columns(got.jpeg) <= 96


@pytest.fixture
def instead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Starts this program in the child's place; where it lies."""
    program = tmp_path / "child"

    async def spawn(_python: str, *_args: str, **kwargs: object) -> asyncio.subprocess.Process:
        return await real(sys.executable, str(program), **kwargs)  # type: ignore[arg-type]

    real = asyncio.create_subprocess_exec
    monkeypatch.setattr(asyncio, "create_subprocess_exec", spawn)

    def write(source: str) -> Path:
        program.write_text(source)
        return program

    return write


async def test_a_child_that_hangs_is_ended(
    instead: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    instead("import time\ntime.sleep(600)\n")
    monkeypatch.setattr(redact_apart, "WALL_S", 1.0)
    with pytest.raises(PictureError, match="memory and time"):
        await asyncio.wait_for(Apart()(sharp_jpeg(), None), 20)  # more than a pipe holds: it is not even read


async def test_a_child_that_answers_without_end_is_ended(instead: Callable[[str], Path]) -> None:
    instead("import sys\nwhile True: sys.stdout.buffer.write(bytes(1 << 20))\n")
    with pytest.raises(PictureError, match="memory and time"):
        await asyncio.wait_for(Apart()(_JPEG, None), 20)


async def test_the_child_knows_no_secret(
    tmp_path: Path, instead: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOCSIN_WEBHOOK_SECRET", "whsec_4711")
    told = tmp_path / "told"
    instead(f"import os\nopen({str(told)!r}, 'w').write(repr(dict(os.environ)))\n")
    with pytest.raises(PictureError):
        await Apart()(_JPEG, None)
    environment = told.read_text()
    assert "PYTHONPATH" in environment
    assert "4711" not in environment


async def test_whoever_comes_when_too_many_wait_is_told_to_come_again(instead: Callable[[str], Path]) -> None:
    instead("import time\ntime.sleep(600)\n")
    door = Apart()
    waiting = [asyncio.create_task(door(_JPEG, None)) for _ in range(redact_apart.MOST_WAITING)]
    await asyncio.sleep(0.1)
    try:
        with pytest.raises(PictureBusyError) as refused:
            await door(_JPEG, None)
        assert not refused.value.permanent
    finally:
        for one in waiting:
            one.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


BOUNDS = """
import sys
from tocsin import redact_child
redact_child._bounded()
what = sys.argv[1]
if what == "memory":
    bytearray(redact_child.MEMORY_MORE_BYTES + (64 << 20))
elif what == "file":
    with open(sys.argv[2], "wb", buffering=0) as file: file.write(b"x")
elif what == "time":
    while True: pass
print("no bound")
"""


@pytest.mark.parametrize("what", ["memory", "file", "time"])
async def test_invariant_4_the_child_is_bounded_and_can_write_no_file(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "leak"
    source = BOUNDS.replace("redact_child._bounded()", "redact_child.CPU_S = 1\nredact_child._bounded()")
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", source, what, str(target), stdout=-1, stderr=-1,
        env={"PYTHONPATH": ":".join(sys.path)},
    )  # fmt: skip
    out, _ = await child.communicate()
    assert child.returncode != 0
    assert b"no bound" not in out
    assert not target.exists() or target.stat().st_size == 0
