"""Who shares a reader with whom, after readers have died."""

from __future__ import annotations

from tocsin.core.observation import CameraId
from tocsin.watch.berths import (
    FORGIVEN_S,
    MAX_BACK_OFF_S,
    Berth,
    after_death,
    back_off_s,
    place,
)

CAMERAS = tuple(CameraId(f"cam-{number}") for number in range(25))
KILLER = CAMERAS[17]


def test_whose_thread_crashed_goes_apart_at_once() -> None:
    others, alone = after_death(Berth(CAMERAS), KILLER, 100.0)
    assert alone.cameras == (KILLER,)
    assert others.cameras == tuple(one for one in CAMERAS if one != KILLER)
    assert back_off_s(others, 100.0) == 1.0


def test_one_death_without_a_culprit_parts_nobody() -> None:
    (berth,) = after_death(Berth(CAMERAS), None, 100.0)
    assert berth.cameras == CAMERAS
    (berth,) = after_death(berth, None, 100.0 + FORGIVEN_S + 1.0)
    assert berth.cameras == CAMERAS, "the first death is forgiven"


def test_an_unknown_killer_is_alone_after_few_deaths_and_hurts_fewer_each_time() -> None:
    berths, now_s, deaths, hurt = [Berth(CAMERAS)], 0.0, 0, list[int]()
    while len(mine := next(one for one in berths if KILLER in one.cameras).cameras) > 1:
        berth = next(one for one in berths if KILLER in one.cameras)
        berths.remove(berth)
        now_s += 5.0
        deaths += 1
        hurt.append(len(mine))
        berths.extend(after_death(berth, None, now_s))
    assert deaths <= 6
    assert hurt == sorted(hurt, reverse=True)
    assert sorted(one for berth in berths for one in berth.cameras) == sorted(CAMERAS), "nobody is lost"


def test_one_that_goes_on_killing_alone_is_started_ever_later_and_never_given_up() -> None:
    berth, waits = Berth((KILLER,)), list[float]()
    for number in range(8):
        (berth,) = after_death(berth, KILLER, 10.0 * number)
        waits.append(back_off_s(berth, 10.0 * number))
    assert waits[:5] == [1.0, 2.0, 4.0, 8.0, 16.0]
    assert waits[5:] == [MAX_BACK_OFF_S] * 3
    assert back_off_s(berth, 70.0 + FORGIVEN_S + 1.0) == 0.0


def test_cameras_are_spread_over_the_cores() -> None:
    berths: list[Berth] = []
    for camera in CAMERAS[:7]:
        index = place(berths, 2, 0.0)
        if index is None:
            berths.append(Berth())
            index = len(berths) - 1
        berths[index] = Berth((*berths[index].cameras, camera))
    assert [len(one.cameras) for one in berths] == [4, 3]


def test_a_new_camera_is_not_put_beside_one_that_kills_readers() -> None:
    quiet, dying = Berth(CAMERAS[:9]), Berth((KILLER,), (90.0,))
    assert place([quiet, dying], 2, 100.0) == 0
    assert place([dying, dying], 2, 100.0) is None, "then rather in a new reader"


def test_a_new_camera_is_never_put_beside_one_that_was_seen_to_crash() -> None:
    others, alone = after_death(Berth(CAMERAS), KILLER, 100.0)
    assert place([others, alone], 2, 101.0 + FORGIVEN_S) == 0, "the crowded one, and not the killer's"


def test_there_is_an_end_to_halving() -> None:
    """Out of memory is not mended by one more process, and one more, and one more."""
    (once,) = after_death(Berth(CAMERAS), None, 100.0, parts=False)
    (twice,) = after_death(once, None, 110.0, parts=False)
    assert twice.cameras == CAMERAS
    assert back_off_s(twice, 110.0) == 2.0
    assert len(after_death(twice, KILLER, 120.0, parts=False)) == 2, "whoever was seen to do it goes"
