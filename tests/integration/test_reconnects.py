"""Reconnecting leaves nothing behind; ten thousand times and memory: `python -m benchmarks.reconnects`."""

from __future__ import annotations

from pathlib import Path

from benchmarks.reconnects import Place, held, reconnect
from tests.support.rtsp import draw_clip

TIMES = 60


def test_descriptors_and_threads_stay(tmp_path: Path) -> None:
    clip = draw_clip(tmp_path / "yard.mp4", seconds=0.2, width=160, height=120, gop=5)
    with Place(clip) as place:
        reconnect(place, 6, lambda _: None)  # whatever is made once is there
        before = held(0, 0.0)
        came = reconnect(place, TIMES, lambda _: None)
        after = held(TIMES, 0.0)
    assert (after.descriptors, after.threads) == (before.descriptors, before.threads)
    assert sum(came.values()) == TIMES
    assert {"picture", "source-auth", "source-protocol", "source-refused", "source-timeout"} <= came.keys()
    assert came["picture"] >= TIMES / 3 - 5
