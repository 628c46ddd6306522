"""The usual way to look at a camera: an ffmpeg that decodes all of it and pipes raw pictures."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Sequence
from types import TracebackType
from typing import ClassVar, Self


class Usual:
    """One process a camera, each read by a thread that drops what it reads. Use it as a context manager."""

    FPS: ClassVar[int] = 5
    WIDE_PX: ClassVar[int] = 640

    def __init__(self, urls: Sequence[str], threads: int | None, size: tuple[int, int]) -> None:
        """`threads` for decoding, None for ffmpeg's own choice. `size`: of the cameras' pictures."""
        tall = round(self.WIDE_PX * size[1] / size[0] / 2) * 2  # as scale=640:-2 makes it
        self._picture_bytes = self.WIDE_PX * tall * 3
        self._urls = urls
        self._threads = [] if threads is None else ["-threads", str(threads)]
        self._processes: list[subprocess.Popen[bytes]] = []
        self._readers: list[threading.Thread] = []
        self._bytes = [0] * len(urls)

    @property
    def pids(self) -> list[int]:
        return [process.pid for process in self._processes]

    @property
    def frames(self) -> list[int]:
        """Whole pictures that each camera has given so far."""
        return [count // self._picture_bytes for count in self._bytes]

    def __enter__(self) -> Self:
        for number, url in enumerate(self._urls):
            # fmt: off
            process = subprocess.Popen(
                ["ffmpeg", "-nostdin", "-v", "quiet", *self._threads, "-rtsp_transport", "tcp", "-i", url,
                 "-an", "-vf", f"fps={self.FPS},scale={self.WIDE_PX}:-2",
                 "-f", "rawvideo", "-pix_fmt", "bgr24", "pipe:1"],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            )
            # fmt: on
            assert process.stdout is not None
            reader = threading.Thread(target=self._drop, args=(number, process.stdout.fileno()))
            reader.start()
            self._processes.append(process)
            self._readers.append(reader)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._processes:
            process.kill()
        for process, reader in zip(self._processes, self._readers, strict=True):
            process.wait()
            reader.join()
            assert process.stdout is not None
            process.stdout.close()

    def _drop(self, number: int, pipe: int) -> None:
        into = bytearray(1 << 20)
        while count := os.readv(pipe, [into]):
            self._bytes[number] += count
