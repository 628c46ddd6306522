"""Folders as cameras: the videos in one, played one after another, or its pictures."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import structlog

from tocsin.core.errors import PictureError, SourceCodecError, SourceError, SourceNotFoundError
from tocsin.core.observation import FrameInfo
from tocsin.ports import Frame, Picture
from tocsin.sources.decoding import look_size
from tocsin.sources.file import FileSource
from tocsin.sources.recording import Recording
from tocsin.sources.still import read_still

log = structlog.get_logger()

_VIDEOS: Final = """
    .mp4 .m4v .mov .mkv .webm .avi .ts .m2ts .mts .mpg .mpeg .flv .asf .wmv .ogv .h264 .264 .h265 .265 .hevc
    .mjpeg .mjpg .ivf .dv
"""
VIDEOS: Final = frozenset(_VIDEOS.split())
PICTURES: Final = frozenset((".jpg", ".jpeg", ".png"))
TICK_S: Final = 0.1
"""The longest sleep between two pictures: so soon a stare begins."""


class FolderSource(Recording):
    """A folder as a Source. Its videos are one film, in the order of their names; what is told of the
    times of a `FileSource` holds for the whole of it. Without videos its pictures are handed out, one a
    look, at the patrol's or the stare's rate.

    Hidden files and folders within are left out, and so is a damaged file, which the log names.
    """

    KIND = "folder"

    def frames(self) -> Iterator[Frame]:
        """The frames of all its files; anew at each call.

        Raises SourceNotFoundError for a folder that is not there or holds neither videos nor pictures,
        and SourceCodecError when not one of them can be read.
        """
        return self._runs.start(self._play)

    def _play(self, wanted: Callable[[], bool]) -> Generator[Frame]:
        zero_s = self._clock.monotonic_s() if self._pace else 0.0
        played, index = 0.0, 0
        while wanted():
            paths, of_videos = self._files()
            before, failure = index, None
            for path in paths:
                if not wanted():
                    return
                so_far_s = self._clock.monotonic_s() - zero_s if self._pace else played
                try:
                    if of_videos:
                        file = self._video(path, so_far_s)
                        yield from self._of_video(file, wanted, so_far_s, index)
                        self._sleep_until(zero_s + so_far_s + file.read_s, wanted)  # its last frame's time
                        played, index = played + file.read_s, index + file.read
                    else:
                        yield self._still(path, zero_s + so_far_s, zero_s, index)
                        index += 1
                        played += self._wait(so_far_s + zero_s, wanted)
                except SourceError as error:
                    failure = error
                    log.warning("file-left-out", camera=self._camera, code=error.code, error=str(error))
            if index == before:
                raise failure or SourceNotFoundError(
                    "the folder holds neither videos nor pictures",
                    where=self._where,
                    hint="give MP4, MKV, AVI or MPEG-TS, JPEG or PNG",
                )
            if not self._loop:
                return

    def _files(self) -> tuple[list[Path], bool]:
        """Its files in the order of their names, and whether they are videos."""
        try:
            found = sorted(
                (one for one in self._path.iterdir() if one.is_file() and not one.name.startswith(".")),
                key=lambda one: one.name,
            )
        except OSError as error:
            raise SourceNotFoundError(
                f"the folder cannot be read: {(error.strerror or 'it is none').lower()}",
                where=self._where,
                hint="check the path and its rights",
            ) from None
        videos = [one for one in found if one.suffix.lower() in VIDEOS]
        return videos or [one for one in found if one.suffix.lower() in PICTURES], bool(videos)

    def _video(self, path: Path, so_far_s: float) -> FileSource:
        return FileSource(
            self._camera,
            path,
            clock=self._clock,
            started_at=self._started_at + timedelta(seconds=so_far_s),
            pace=self._pace,
            rates=self._rates,
            gaze=self._gaze,
            sleep=self._sleep,
        )

    def _of_video(
        self, file: FileSource, wanted: Callable[[], bool], so_far_s: float, first: int
    ) -> Generator[Frame]:
        try:
            for frame in file.frames():
                clock_s = frame.info.clock_s + (0.0 if self._pace else so_far_s)
                info = replace(frame.info, clock_s=clock_s, index=first + frame.info.index)
                yield Frame(info, frame.picture)
                if not wanted():
                    return
        finally:
            file.close()

    def _still(self, path: Path, clock_s: float, zero_s: float, index: int) -> Frame:
        try:
            picture = _small(read_still(path))
        except PictureError as error:
            raise SourceCodecError(
                f"{path.name}: {error.what}", where=self._where, hint="give whole JPEGs or PNGs"
            ) from None
        height_px, width_px = picture.shape[:2]
        at = self._started_at + timedelta(seconds=clock_s - zero_s)
        return Frame(FrameInfo(self._camera, at, clock_s, index, width_px, height_px, True), picture)

    def _wait(self, since_s: float, wanted: Callable[[], bool]) -> float:
        """Waits for the next look, if it is paced; returns how long a picture stands."""
        while wanted():
            rate = self._rates.stare_looks_per_s if self._gaze.staring else self._rates.patrol_looks_per_s
            if not self._pace:
                return 1.0 / rate
            left_s = since_s + 1.0 / rate - self._clock.monotonic_s()
            if left_s <= 0:
                break
            self._sleep(min(left_s, TICK_S))
        return 0.0

    def _sleep_until(self, due_s: float, wanted: Callable[[], bool]) -> None:
        while self._pace and wanted() and (left_s := due_s - self._clock.monotonic_s()) > 0:
            self._sleep(min(left_s, TICK_S))


def _small(picture: Picture) -> Picture:
    height, width = picture.shape[:2]
    size = look_size(width, height)
    if size == (width, height):
        return picture
    return np.ascontiguousarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
