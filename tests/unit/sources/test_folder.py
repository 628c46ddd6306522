"""Folders as cameras: films one after another as one, pictures in the order of their names."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from tests.support.http_camera import a_jpeg
from tests.support.rtsp import draw_clip

from tocsin.core.errors import ConfigError, SourceCodecError, SourceNotFoundError
from tocsin.core.observation import CameraId
from tocsin.ports import PATROL, STARE, Gaze, Rates
from tocsin.sources.folder import FolderSource

NOON = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)


class FakeClock:
    """Goes on only while somebody sleeps."""

    def __init__(self) -> None:
        self.at_s = 1000.0

    def now(self) -> datetime:
        return NOON + timedelta(seconds=self.at_s - 1000.0)

    def monotonic_s(self) -> float:
        return self.at_s

    def sleep(self, seconds: float) -> None:
        self.at_s += seconds


def folder_of(
    path: Path, clock: FakeClock | None = None, *, pace: bool = True, loop: bool = False, gaze: Gaze = STARE
) -> FolderSource:
    clock = clock or FakeClock()
    return FolderSource(
        CameraId("yard"), path, clock=clock, started_at=NOON, loop=loop, pace=pace, rates=Rates(1.0, 5.0),
        gaze=gaze, sleep=clock.sleep,
    )  # fmt: skip


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three films of 1 s, and what is no film beside them."""
    made = tmp_path_factory.mktemp("films")
    for name in ("b.mp4", "a.mkv", "c.ts"):
        draw_clip(made / name, seconds=1.0)
    (made / "notes.txt").write_text("nothing")
    (made / "poster.jpg").write_bytes(a_jpeg())
    (made / ".hidden.mp4").write_bytes(b"nothing")
    (made / "more.mp4").mkdir()
    return made


@pytest.mark.parametrize("pace", [True, False])
def test_films_are_one_film(films: Path, pace: bool) -> None:
    infos = [frame.info for frame in folder_of(films, pace=pace).frames()]
    assert [info.index for info in infos] == list(range(0, 75, 5))
    zero_s = 1000.0 if pace else 0.0
    assert [info.clock_s - zero_s for info in infos] == pytest.approx([i * 0.2 for i in range(15)], abs=0.06)
    assert [(info.at - NOON).total_seconds() for info in infos] == pytest.approx(
        [i * 0.2 for i in range(15)], abs=0.06
    )


def test_a_loop_goes_on_with_time_going_on(films: Path) -> None:
    source = folder_of(films, loop=True)
    infos = [frame.info for frame in itertools.islice(source.frames(), 40)]
    source.close()
    assert all(b.clock_s > a.clock_s and b.index > a.index for a, b in itertools.pairwise(infos))
    assert infos[-1].clock_s - infos[0].clock_s == pytest.approx(7.8, abs=0.3)


def test_a_damaged_film_is_left_out(tmp_path: Path) -> None:
    draw_clip(tmp_path / "a.mp4", seconds=1.0)
    (tmp_path / "b.mp4").write_bytes(b"no film")
    (tmp_path / "c.mp4").write_bytes(b"")
    draw_clip(tmp_path / "d.mp4", seconds=1.0)
    assert len(list(folder_of(tmp_path).frames())) == 10


def test_nothing_but_damaged_films(tmp_path: Path) -> None:
    (tmp_path / "b.mp4").write_bytes(b"no film")
    with pytest.raises(SourceCodecError):
        list(folder_of(tmp_path, loop=True).frames())


@pytest.mark.parametrize(("gaze", "step_s"), [(PATROL, 1.0), (STARE, 0.2)])
@pytest.mark.parametrize("pace", [True, False])
def test_pictures_one_a_look(tmp_path: Path, gaze: Gaze, step_s: float, pace: bool) -> None:
    for number in (2, 0, 1):
        (tmp_path / f"{number}.jpg").write_bytes(a_jpeg(number * 10, 1280, 960))
    (tmp_path / "0-bad.jpg").write_bytes(a_jpeg()[:500])
    frames = list(folder_of(tmp_path, gaze=gaze, pace=pace).frames())
    infos = [frame.info for frame in frames]
    assert [info.index for info in infos] == [0, 1, 2]
    assert np.diff([info.clock_s for info in infos]) == pytest.approx([step_s] * 2)
    assert np.diff([info.at.timestamp() for info in infos]) == pytest.approx([step_s] * 2)
    assert [frame.picture.shape for frame in frames] == [(480, 640, 3)] * 3
    squares = [np.argwhere(frame.picture[:, :, 2] > 200)[:, 1].min() for frame in frames]
    assert squares == sorted(set(squares)), "in the order of their names"


def test_empty_and_missing(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing")
    for path in (tmp_path, tmp_path / "missing", tmp_path / "notes.txt"):
        with pytest.raises(SourceNotFoundError) as caught:
            list(folder_of(path).frames())
        assert caught.value.hint


def test_a_start_without_a_time_zone(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        FolderSource(CameraId("yard"), tmp_path, clock=FakeClock(), started_at=datetime(2026, 1, 1))
