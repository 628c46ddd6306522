"""What a soak concludes from what it recorded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import pytest
from benchmarks.children import Cost
from benchmarks.rtsp_farm import Fault
from benchmarks.scene import Measured
from benchmarks.soak_record import RETURN_S, Hurt, Killed, Record, Sample, growth, judge, missed
from benchmarks.soak_report import markdown, svg

HOUR = 60.0
CAMERAS = ("a", "b", "c")
CLIP = Measured(640, 360, "h264 High", 12.0, 300, 800.0, 1.0, 30.0, 4.0, 1.0)


def a_cost(pss_mb: float = 200.0) -> Cost:
    return Cost(1.0, 1, 5, 20, pss_mb, pss_mb)


def a_record(
    *, pss_mb: Callable[[float], float] = lambda _at: 200.0, lost: Sequence[tuple[str, float, float]] = ()
) -> Record:
    """An hour, a sample each 10 s, a look a second but where `lost`: a camera, from, until."""
    record = Record()
    looks: dict[str, int] = dict.fromkeys(CAMERAS, 0)
    for number in range(361):
        at_s = number * 10.0
        if number:
            for camera in looks:
                blind = any(one == camera and since < at_s <= until for one, since, until in lost)
                looks[camera] += 0 if blind else 10
        figures = {"cpu_s": at_s * 0.05}
        record.samples.append(Sample(at_s, a_cost(pss_mb(at_s)), a_cost(), dict(looks), {}, 0, figures))
    return record


def a_hurt(camera: str = "a", at_s: float = 612.0, **other: Any) -> Hurt:
    values: dict[str, Any] = {
        "mended_at_s": at_s + 30.0,
        "raised_s": 10.5,
        "looked_s": 4.0,
        "cleared_s": 9.0,
        "alarm_id": "x",
        "said": "Camera silent: no picture",
        "code": "source-refused",
    }
    return Hurt(camera, Fault.KILLED, at_s, **(values | other))


def test_a_quiet_hour_passes() -> None:
    verdict = judge(a_record(), HOUR, 5.0)
    assert verdict.failures == []
    assert (verdict.growth, verdict.missed, verdict.missed_worst) == (0.0, 0.0, 0.0)


def test_growth_is_between_the_second_ten_minutes_and_the_last() -> None:
    record = a_record(pss_mb=lambda at_s: 400.0 if at_s < 599 else 200.0 if at_s < 3000 else 210.0)
    assert growth(record.samples, HOUR) == pytest.approx((0.05, 200.0, 210.0))
    assert judge(record, HOUR, 5.0).failures == ["memory grew by 5.0%"]


def test_looks_of_the_hurt_camera_are_not_missed_by_the_others() -> None:
    record = a_record(lost=[("a", 610.0, 650.0)])
    record.hurts.append(a_hurt())
    assert missed(record) == (0.0, pytest.approx(0.0, abs=1e-3), 0.0)
    assert judge(record, HOUR, 5.0).failures == []


def test_looks_that_others_miss_count() -> None:
    record = a_record(lost=[("b", 600.0, 720.0)])
    record.hurts.append(a_hurt("a"))
    verdict = judge(record, HOUR, 5.0)
    assert verdict.missed == pytest.approx(120 / (3 * 3570), rel=0.02)
    assert verdict.missed_worst == pytest.approx(119 / 3570, rel=0.01)
    assert len(verdict.failures) == 1
    assert "looks were missed" in verdict.failures[0]


def test_the_many_looks_of_a_stare_do_not_make_up_for_missed_ones() -> None:
    record = a_record(lost=[("b", 600.0, 720.0)])
    for number, sample in enumerate(record.samples[200:]):
        record.samples[200 + number] = replace(
            sample, looks={**sample.looks, "c": sample.looks["c"] + 90 * number}
        )
    assert missed(record)[0] == pytest.approx(120 / (2 * 3570 + 1970), rel=0.02)


def test_looks_after_a_kill_are_told_apart() -> None:
    record = a_record(lost=[(camera, 600.0, 610.0) for camera in CAMERAS])
    record.kills.append(Killed(600.0, 4711, 5.0))
    every, worst, unsettled = missed(record)
    assert (every, worst) == (0.0, 0.0)
    assert unsettled > 0.1


@pytest.mark.parametrize(
    ("other", "failure"),
    [
        ({"raised_s": 15.2}, "a loss was raised after 15.2 s only"),
        ({"raised_s": None, "alarm_id": ""}, "1 losses were never raised"),
        ({"looked_s": RETURN_S + 1}, f"a camera was looked at again after {RETURN_S + 1:.1f} s only"),
        ({"looked_s": None}, "1 cameras were never looked at again"),
    ],
)
def test_a_fault_that_is_told_late_or_not_at_all_fails(other: dict[str, Any], failure: str) -> None:
    record = a_record(lost=[("a", 610.0, 740.0)])
    record.hurts.append(a_hurt(**other))
    assert judge(record, HOUR, 5.0).failures == [failure]


def test_the_site_s_own_on_delay_is_given() -> None:
    record = a_record(lost=[("a", 610.0, 650.0)])
    record.hurts.append(a_hurt(raised_s=38.0))
    assert judge(record, HOUR, 30.0).failures == []


def test_a_flood_is_no_loss() -> None:
    record = a_record()
    record.hurts.append(replace(a_hurt(raised_s=None, alarm_id="", cleared_s=None), kind=Fault.FLOODING))
    assert judge(record, HOUR, 5.0).failures == []


def test_a_fault_that_was_not_mended_before_the_end_is_not_judged() -> None:
    record = a_record()
    record.hurts.append(a_hurt(at_s=3590.0, mended_at_s=0.0, looked_s=None, raised_s=None, alarm_id=""))
    assert judge(record, HOUR, 5.0).failures == []


def test_the_report_names_each_fault_and_the_picture_is_well_formed() -> None:
    record = a_record()
    record.hurts += [a_hurt(), replace(a_hurt(at_s=1200.0), kind=Fault.FLOODING, raised_s=None, said="")]
    record.kills.append(Killed(600.0, 4711, 5.0))
    text = markdown(record, judge(record, HOUR, 5.0), CLIP, 3, HOUR)
    assert "| killed | 1 | 10.5 (at most 10.5) | Camera silent: no picture | source-refused |" in text
    assert "| flooding | 1 | not | nothing: it is seen all the time |" in text
    assert "| reader process killed | 1 |" in text
    drawn = ElementTree.fromstring(svg(record, HOUR))
    bands = [one for one in drawn.iter("{http://www.w3.org/2000/svg}rect") if one.get("opacity") == "0.16"]
    assert len(bands) == 2 * 4  # in each of four panels
