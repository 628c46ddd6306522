"""What a probe says of a stream is so, and the decoder does what is advised by it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.support.rtsp import draw_clip

from tocsin.clocks import SystemClock
from tocsin.core.errors import ConfigError, InvalidInputError, SourceNotFoundError
from tocsin.core.observation import CameraId
from tocsin.core.sampling import Offer, Way, advise, lives_on_keys
from tocsin.sources.file import FileSource
from tocsin.sources.probe import probe


@pytest.mark.parametrize(("gop", "keys_only"), [(10, True), (20, True), (22, True), (25, False), (40, False)])
def test_the_advice_is_what_the_decoder_does(tmp_path: Path, gop: int, keys_only: bool) -> None:
    clip = draw_clip(tmp_path / "clip.mp4", seconds=12.0, fps=10, gop=gop)
    stream = probe(str(clip), clock=SystemClock())
    assert stream.key_gap_median_s == pytest.approx(gop / 10)
    assert lives_on_keys(stream) is keys_only
    assert (advise([Offer("main", stream)]).choice.way is Way.KEY_FRAMES) is keys_only
    source = FileSource(
        CameraId("c"), clip, clock=SystemClock(), started_at=datetime(2026, 1, 1, tzinfo=UTC), pace=False
    )
    list(source.frames())
    assert (source.decoded < 60) is keys_only, "of 120 frames"


def test_b_frames_and_a_lone_key_frame_are_found_out(tmp_path: Path) -> None:
    plain = probe(str(draw_clip(tmp_path / "a.mp4", gop=25)), clock=SystemClock())
    assert (plain.b_frames, plain.keys_whole, plain.stamp_faults) == (False, True, ())
    with_b = draw_clip(tmp_path / "b.mp4", gop=25, bf="2", preset="medium", b_strategy="0")
    assert probe(str(with_b), clock=SystemClock()).b_frames
    lone = probe(str(draw_clip(tmp_path / "c.mp4", gop=500)), clock=SystemClock())
    assert (lone.key_gap_median_s, lone.key_gap_max_s) == (None, None)


def test_only_as_much_as_was_asked_for_is_read(tmp_path: Path) -> None:
    clip = str(draw_clip(tmp_path / "a.mp4", seconds=6.0, fps=10))
    assert probe(clip, clock=SystemClock(), seconds=2.0).watched_s == pytest.approx(2.0, abs=0.11)
    for seconds in (0.0, 121.0, float("nan")):
        with pytest.raises(InvalidInputError):
            probe(clip, clock=SystemClock(), seconds=seconds)


def test_what_cannot_be_probed_is_told(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFoundError):
        probe(str(tmp_path / "gone.mp4"), clock=SystemClock())
    with pytest.raises(ConfigError, match="rtsp://"):
        probe("ftp://cam/a.jpg", clock=SystemClock())
