"""Which way to look at a camera is advised, and why; the limit is the decoder's own."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from tocsin.core.errors import InvalidInputError
from tocsin.core.sampling import Offer, Stream, Way, advise, lives_on_keys, longest_gap_s

MAIN = Stream("h264", "Main", 1920, 1080, 20.0, 10.0, 2000.0, 1.0, 1.0, True, False, (), 12.0, 5.0)
LONG = replace(MAIN, key_gap_median_s=4.0, key_gap_max_s=4.0)
SUB = replace(MAIN, width_px=640, height_px=360, key_cpu_ms=2.0, frame_cpu_ms=0.8)
SMALL = replace(SUB, width_px=352, height_px=288)


def codes(stream: Stream) -> set[str]:
    return {setting.code for setting in advise([Offer("main", stream)]).settings}


def test_the_cheapest_way_that_sees_enough_is_chosen() -> None:
    main, long, sub = Offer("main", MAIN), Offer("main", LONG), Offer("sub", SUB)
    assert advise([main]).choice.way is Way.KEY_FRAMES
    assert advise([main, sub]).choice.offer is sub, "640 px are all that is looked at"
    small = Offer("sub", SMALL)
    assert advise([main, small]).choice.offer is main, "too small, while the large one is cheap"
    in_full = Offer("sub", replace(SMALL, key_gap_median_s=4.0, key_gap_max_s=4.0))
    chosen = advise([long, in_full])
    assert (chosen.choice.way, chosen.choice.offer) == (Way.EVERY_FRAME, in_full)
    assert "352 px wide" in chosen.why
    assert advise([long], snapshot=True).choice.way is Way.SNAPSHOTS
    dear = Offer("sub", replace(in_full.stream, frame_cpu_ms=9.0))
    assert advise([long, dear], snapshot=True).choice.way is Way.SNAPSHOTS
    assert advise([long, in_full], snapshot=True).choice.offer is in_full
    with pytest.raises(InvalidInputError):
        advise([])


@pytest.mark.parametrize(("gap_s", "good"), [(0.2, True), (2.2, True), (2.21, False), (None, False)])
def test_key_frames_are_lived_on_up_to_the_limit(gap_s: float | None, good: bool) -> None:
    stream = replace(MAIN, key_gap_median_s=gap_s, key_gap_max_s=gap_s)
    assert lives_on_keys(stream) is good
    assert advise([Offer("main", stream)]).choice.way is (Way.KEY_FRAMES if good else Way.EVERY_FRAME)
    assert not lives_on_keys(replace(stream, keys_whole=False))
    assert longest_gap_s(0.2) == 5.0


def test_what_to_set_is_said() -> None:
    assert codes(MAIN) == set()
    assert codes(LONG) == {"key-gap"}
    assert advise([Offer("main", LONG)]).settings[0].saves_ms_per_s == pytest.approx(39.75)
    assert codes(replace(MAIN, key_gap_max_s=2.0)) == {"smart-codec"}
    assert codes(replace(MAIN, keys_whole=False)) == {"refresh"}
    assert codes(replace(MAIN, frames_per_s=25.0)) == {"rate"}
    assert codes(replace(MAIN, frames_per_s=0.5)) == {"rate"}
    assert codes(replace(MAIN, width_px=3840, height_px=2160)) == {"size"}
    assert codes(replace(MAIN, codec="hevc")) == codes(replace(MAIN, codec="mpeg4")) == {"codec"}
    assert codes(replace(MAIN, b_frames=True)) == {"b-frames"}
    assert codes(replace(MAIN, stamp_faults=("they jump back",))) == {"stamps"}


def test_single_pictures_are_asked_for_as_they_come() -> None:
    one = Offer(
        "the camera", replace(MAIN, codec="jpeg", frames_per_s=8.0, key_cpu_ms=13.0, frame_cpu_ms=13.0)
    )
    advice = advise([one])
    assert (advice.choice.way, advice.choice.cost_ms_per_s) == (Way.SNAPSHOTS, 13.0)
    assert advice.why == "the camera gives single pictures, up to 8 a second: each is asked for"
    slow = advise([Offer("the camera", replace(one.stream, frames_per_s=0.25))])
    assert slow.choice.cost_ms_per_s == 3.25
    assert "one every 4 s" in slow.why
    assert [setting.code for setting in slow.settings] == ["codec"]


def test_every_stream_gets_an_advice_whatever_was_measured() -> None:
    for gap, whole, key_ms, frame_ms, rate, codec, snapshot in product(
        (None, 0.0, 0.04, 1.0, 9.0), (True, False), (None, 0.0, 50.0), (None, 0.0, 20.0),
        (0.0, 0.1, 25.0), ("h264", "mjpeg", "jpeg", "vp9"), (True, False),
    ):  # fmt: skip
        stream = replace(
            MAIN, key_gap_median_s=gap, key_gap_max_s=gap, keys_whole=whole, key_cpu_ms=key_ms,
            frame_cpu_ms=frame_ms, frames_per_s=rate, codec=codec,
        )  # fmt: skip
        advice = advise([Offer("main", stream), Offer("sub", SMALL)], snapshot=snapshot)
        assert advice.why
        assert all(advice.choice.sort_key <= other.sort_key for other in advice.others) or (
            advice.choice.way is Way.KEY_FRAMES
        )
