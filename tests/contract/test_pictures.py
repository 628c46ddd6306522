"""The contract of the pictures' store: durable, by digest, and only what went through the one door."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tocsin.core.errors import StoreError, StoreFullError
from tocsin.core.observation import Region
from tocsin.redact import RedactedPicture, redact
from tocsin.stores.pictures import FilePictures

pytestmark = pytest.mark.anyio

ROOT = os.geteuid() == 0


def a_picture(seed: int = 1) -> RedactedPicture:
    pixels = np.random.default_rng(seed).integers(0, 255, (270, 480, 3), dtype=np.uint8)
    return redact(pixels, Region(0.2, 0.2, 0.4, 0.4))


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[Path]:
    """A folder that takes no new files."""
    folder = tmp_path / "locked"
    folder.mkdir(0o500)
    yield folder
    folder.chmod(0o700)


async def test_a_picture_comes_back_byte_for_byte(tmp_path: Path) -> None:
    store, picture = FilePictures(tmp_path / "deep" / "pictures"), a_picture()
    digest = await store.put(picture)
    assert digest == hashlib.sha256(picture.jpeg).hexdigest()
    assert await store.get(digest) == picture.jpeg
    assert await FilePictures(tmp_path / "deep" / "pictures").get(digest) == picture.jpeg


async def test_the_same_picture_twice_is_one_file(tmp_path: Path) -> None:
    store = FilePictures(tmp_path)
    assert await store.put(a_picture()) == await store.put(a_picture())
    await store.put(a_picture(2))
    assert len(files(tmp_path)) == 2


async def test_what_is_not_there_is_none(tmp_path: Path) -> None:
    assert await FilePictures(tmp_path).get("0" * 64) is None


@pytest.mark.parametrize("digest", ["", "../../secret", "a" * 63, "A" * 64, "g" * 64, "a" * 64 + "\n"])
async def test_a_digest_that_is_none_reaches_no_file(tmp_path: Path, digest: str) -> None:
    (tmp_path / "secret.jpg").write_bytes(b"secret")
    assert await FilePictures(tmp_path / "pictures").get(digest) is None


async def test_dropping_takes_those_named_and_may_be_repeated(tmp_path: Path) -> None:
    store = FilePictures(tmp_path)
    first, second = await store.put(a_picture(1)), await store.put(a_picture(2))
    for _ in range(2):
        await store.drop([first, "0" * 64])
    assert await store.get(first) is None
    assert await store.get(second) is not None


async def test_invariant_4_it_takes_nothing_that_the_one_door_did_not_make(tmp_path: Path) -> None:
    jpeg = a_picture().jpeg
    with pytest.raises(TypeError, match="invariant 4"):
        RedactedPicture(jpeg, 960, 540, None, "0" * 64)
    store = FilePictures(tmp_path)
    with pytest.raises((TypeError, AttributeError)):
        await store.put(jpeg)  # pyright: ignore[reportArgumentType]
    assert files(tmp_path) == []


async def test_a_write_that_was_killed_leaves_no_picture_and_is_tidied_up(tmp_path: Path) -> None:
    store, picture = FilePictures(tmp_path), a_picture()
    aside = tmp_path / picture.sha256[:2] / f".{picture.sha256}.4711.part"
    aside.parent.mkdir()
    aside.write_bytes(picture.jpeg[:100])
    assert await store.get(picture.sha256) is None
    # A new start finds it: whatever is kept must end (invariant 8), also what has no name yet.
    restarted = FilePictures(tmp_path)
    assert not aside.exists()
    await restarted.put(picture)
    assert await restarted.get(picture.sha256) == picture.jpeg


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
async def test_a_full_disk_is_said_to_be_full_and_nothing_half_written_stays(tmp_path: Path) -> None:
    store, picture = FilePictures(tmp_path), a_picture()
    aside = tmp_path / picture.sha256[:2] / f".{picture.sha256}.{os.getpid()}.part"
    aside.parent.mkdir()
    aside.symlink_to("/dev/full")
    with pytest.raises(StoreFullError) as refused:
        await store.put(picture)
    assert not refused.value.permanent
    assert await store.get(picture.sha256) is None
    assert not aside.is_symlink()
    await store.put(picture)
    assert await store.get(picture.sha256) == picture.jpeg


@pytest.mark.skipif(ROOT, reason="root may write everywhere")
async def test_a_folder_that_may_not_be_written_to_is_a_store_error(locked: Path) -> None:
    with pytest.raises(StoreError):
        await FilePictures(locked).put(a_picture())


async def test_a_file_in_the_way_is_a_store_error_that_names_the_folder(tmp_path: Path) -> None:
    store, picture = FilePictures(tmp_path), a_picture()
    (tmp_path / picture.sha256[:2]).write_bytes(b"in the way")
    with pytest.raises(StoreError, match=str(tmp_path)):
        await store.put(picture)
    with pytest.raises(StoreError, match=str(tmp_path)):
        await store.drop([picture.sha256])
