"""The schedule of stares: who is stared at, for how long, and that nobody waits for ever."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.core.observation import CameraId
from tocsin.ports import Rates
from tocsin.watch.scheduler import (
    GONE_S,
    LOST_S,
    MOST_COOL_S,
    SUSPICIOUS,
    Budget,
    Glance,
    Schedule,
    Stares,
)

ONE = CameraId("cam-1")
TWO = CameraId("cam-2")
CALM, WARM, HOT = 0.0, SUSPICIOUS + 0.1, 0.9


def schedule(*cameras: CameraId, cores: float = 1.0, stare_s: float = 4.0) -> Schedule:
    made = Schedule(Budget(stare_s, cores))
    for camera in cameras or (ONE,):
        made.add(camera)
    return made


def look(made: Schedule, at_s: float, suspicion: float, camera: CameraId = ONE, **more: float) -> bool:
    """One look; whether the camera is stared at after it."""
    made.looked(camera, Glance(at_s, suspicion, **more))  # type: ignore[arg-type]
    return made.staring(camera)


@dataclass
class Site:
    """Cameras as a watcher runs them: a look a second on patrol, ten in a stare, each at its own moments."""

    schedule: Schedule
    suspicion: Callable[[CameraId, float], float]
    cameras: list[CameraId]
    stare_cores: float = 0.1

    def run(self, seconds: float) -> dict[CameraId, list[tuple[float, bool]]]:
        """When each camera was looked at, and whether that look was part of a stare."""
        looks: dict[CameraId, list[tuple[float, bool]]] = {camera: [] for camera in self.cameras}
        due = {camera: n / max(1, len(self.cameras)) for n, camera in enumerate(self.cameras)}
        while True:
            camera = min(due, key=due.__getitem__)
            at_s = due[camera]
            if at_s > seconds:
                return looks
            staring = self.schedule.staring(camera)
            looks[camera].append((at_s, staring))
            cpu_s = self.stare_cores * 0.1 if staring else 0.01
            self.schedule.looked(camera, Glance(at_s, self.suspicion(camera, at_s), cpu_s=cpu_s))
            # A grant is heeded within a tenth of a second: the source asks at every packet.
            due[camera] = at_s + (0.1 if self.schedule.staring(camera) else 1.0)


class TestOneCamera:
    def test_suspicion_is_stared_at_at_once(self):
        made = schedule()
        assert not look(made, 0.0, CALM)
        assert not look(made, 1.0, SUSPICIOUS - 0.01)
        assert look(made, 2.0, SUSPICIOUS)

    def test_a_stare_ends_with_the_verdict(self):
        made = schedule()
        assert look(made, 0.0, HOT)
        assert look(made, 0.5, HOT)
        assert not look(made, 1.5, CALM, decided=True)
        figures = made.figures()
        assert (figures.stares, figures.verdict_last_s) == (1, 1.5)

    def test_a_stare_ends_after_its_time(self):
        made = schedule(stare_s=4.0)
        look(made, 10.0, HOT)
        times = [n / 10 for n in range(101, 160)]
        stared = [at_s for at_s in times if look(made, at_s, HOT)]
        assert stared[-1] == pytest.approx(14.0, abs=0.11)

    def test_a_stare_ends_when_nothing_is_suspicious_any_more(self):
        made = schedule(stare_s=30.0)
        look(made, 0.0, HOT)
        stared = [n / 10 for n in range(1, 100) if look(made, n / 10, HOT if n < 10 else CALM)]
        assert stared[-1] == pytest.approx(0.9 + GONE_S, abs=0.11)

    def test_a_lamp_that_looks_like_a_flame_is_not_stared_at_for_ever(self):
        site = Site(schedule(), lambda _, __: 0.6, [ONE])
        looks = site.run(600.0)[ONE]
        stared_s = 0.1 * sum(staring for _, staring in looks)
        assert stared_s > 30, "but it is looked at now and then"
        assert site.schedule.figures().stares <= 4 + 600 / (MOST_COOL_S + 4.0)
        assert stared_s < 0.16 * 600

    @pytest.mark.parametrize("every_s", [5.0, 10.0, 20.0])
    def test_a_lamp_that_blinks_is_no_new_lamp_each_time(self, every_s: float):
        site = Site(schedule(), lambda _, at_s: 0.6 if at_s % every_s < every_s / 2 else 0.0, [ONE])
        site.run(600.0)
        assert site.schedule.figures().stares <= 40

    def test_a_lamp_that_only_a_patrol_takes_for_a_flame_is_not_either(self):
        """Single frames look like it, ten a second do not: each stare ends by itself, and is a judgement."""
        made = schedule()
        site = Site(made, lambda camera, _: 0.0 if made.staring(camera) else 0.6, [ONE])
        site.run(600.0)
        assert made.figures().stares <= 4 + 600 / (MOST_COOL_S + GONE_S)

    def test_the_cool_down_doubles(self):
        made = schedule(stare_s=1.0)
        begun = list[float]()
        at_s, before = 0.0, False
        while at_s < 100.0:
            staring = look(made, at_s, 0.6)
            if staring and not before:
                begun.append(at_s)
            before = staring
            at_s += 0.1
        pauses = [round(b - a - 1.1) for a, b in pairwise(begun)]
        assert pauses[:6] == [2, 4, 8, 16, 30, 30]

    def test_what_is_clearly_worse_than_what_was_judged_is_looked_at_at_once(self):
        made = schedule(stare_s=1.0)
        for n in range(12):
            look(made, n / 10, 0.4)
        assert not made.staring(ONE)
        assert not look(made, 1.3, 0.5), "about as bad as before"
        assert look(made, 1.5, 0.6)

    def test_a_fire_beside_the_lamp_is_looked_at_again_and_again(self):
        """It may look no worse than the lamp did: then it waits for the end of a cool-down, never longer."""
        site = Site(schedule(), lambda _, __: 1.0, [ONE])
        looks = site.run(300.0)[ONE]
        stared = [at_s for at_s, staring in looks if staring]
        gaps = [b - a for a, b in pairwise(stared)]
        assert max(gaps) <= MOST_COOL_S + 1.5

    def test_after_a_long_calm_it_begins_anew(self):
        made = schedule(stare_s=1.0)
        for n in range(600):
            look(made, n / 10, 0.6)
        at_s = 60.0
        while at_s < 60.0 + MOST_COOL_S + 5.0:
            look(made, at_s, CALM)
            at_s += 1.0
        assert look(made, at_s, 0.6)

    def test_short_suspicion_while_it_waits_is_forgotten(self):
        made = schedule(ONE, TWO, cores=0.01)
        look(made, 0.0, HOT, TWO)
        look(made, 0.1, WARM)
        assert made.figures().queue == 1
        for n in range(1, 4):
            look(made, 0.1 + n, CALM)
        assert made.figures().queue == 0

    def test_a_confirmed_alarm_on_patrol_is_a_verdict_too(self):
        made = schedule(ONE, TWO, cores=0.01)
        look(made, 0.0, HOT, TWO)
        look(made, 0.5, WARM)
        look(made, 4.5, HOT, decided=True)
        figures = made.figures()
        assert (figures.queue, figures.verdict_last_s) == (0, 4.0)

    def test_a_camera_that_is_looked_at_closely_all_the_time_is_never_stared_at(self):
        stares = Stares()
        gaze = stares.add(ONE, Rates(10.0, 10.0))
        stares.looked(ONE, Glance(0.0, HOT))
        assert not gaze.staring
        assert stares.figures().queue == 0

    def test_an_interruption_ends_the_stare(self):
        made = schedule()
        look(made, 0.0, HOT)
        made.interrupted(ONE)
        assert not made.staring(ONE)
        assert not look(made, 5.0, CALM)

    def test_a_time_that_begins_anew_does_no_harm(self):
        """One schedule over several replays, or a clock that was set back."""
        made = schedule(stare_s=2.0)
        look(made, 1000.0, HOT)
        assert look(made, 0.0, HOT)
        assert look(made, 0.1, HOT)
        assert not look(made, 2.2, HOT)


class TestBudget:
    @pytest.mark.parametrize(("cores", "at_once"), [(0.01, 1), (0.59, 1), (0.61, 2), (1.3, 4), (100.0, 10)])
    def test_unmeasured_stares_are_assumed_to_cost_something(self, cores: float, at_once: int):
        cameras = [CameraId(f"c{n}") for n in range(10)]
        made = schedule(*cameras, cores=cores)
        for camera in cameras:
            look(made, 0.0, HOT, camera)
        figures = made.figures()
        assert (figures.staring, figures.queue) == (at_once, 10 - at_once)

    def test_measured_cost_decides_how_many(self):
        cameras = [CameraId(f"c{n}") for n in range(10)]
        site = Site(schedule(*cameras, cores=1.0), lambda _, __: 0.6, cameras, stare_cores=0.24)
        looks = site.run(40.0)
        at_once = dict.fromkeys(range(50, 400), 0)  # from when the first ones were measured
        for camera in cameras:
            for tenth in {int(at_s * 10) for at_s, staring in looks[camera] if staring and at_s >= 5.0}:
                at_once[tenth] += 1
        assert sorted(at_once.values())[len(at_once) // 2] == 4

    def test_a_camera_that_hangs_in_its_stare_does_not_block_the_others(self):
        made = schedule(ONE, TWO, cores=0.1)
        look(made, 0.0, HOT)
        for n in range(1, int(LOST_S) + 3):
            look(made, float(n), HOT, TWO)
        assert made.staring(TWO)
        assert not made.staring(ONE)

    def test_the_worst_goes_first_and_who_waits_gains(self):
        third = CameraId("cam-3")
        made = schedule(ONE, TWO, third, cores=0.01, stare_s=4.0)
        look(made, 0.0, HOT)
        look(made, 0.1, 0.4, TWO)
        look(made, 0.2, 0.8, third)
        at_s = 0.3
        while made.staring(ONE):
            look(made, at_s, HOT)
            if round(at_s * 10) % 10 == 0:
                look(made, at_s, 0.4, TWO)
                look(made, at_s, 0.8, third)
            at_s += 0.1
        assert made.staring(third), "as long suspicious, and worse"
        late = schedule(ONE, TWO, third, cores=0.01, stare_s=4.0)
        look(late, 0.0, HOT)
        look(late, 0.1, 0.4, TWO)
        at_s = 0.3
        while late.staring(ONE):
            look(late, at_s, HOT)
            look(late, at_s, 0.4, TWO)
            if at_s > 3.5:
                look(late, at_s, 0.8, third)
            at_s += 0.1
        assert late.staring(TWO), "less bad, but suspicious for four seconds"


class TestStarvation:
    def test_fifty_suspicious_cameras_all_get_their_stare_and_their_patrols_go_on(self):
        cameras = [CameraId(f"c{n}") for n in range(50)]
        worst = {camera: 0.35 + 0.013 * n for n, camera in enumerate(cameras)}
        made = schedule(*cameras, cores=0.1)  # one at a time
        looks = Site(made, lambda camera, _: worst[camera], cameras, stare_cores=0.2).run(400.0)
        for camera in cameras:
            first = next(at_s for at_s, staring in looks[camera] if staring)
            assert first <= 290
            gaps = [b - a for (a, _), (b, _) in pairwise(looks[camera])]
            assert max(gaps) <= 1.01, "a patrol waits for nobody's stare"

    @settings(max_examples=30, deadline=None)
    @given(
        suspicions=st.lists(st.floats(SUSPICIOUS, 1.0), min_size=2, max_size=12),
        stare_s=st.floats(1.0, 5.0),
        cores=st.sampled_from([0.05, 0.5, 1.0]),
        stare_cores=st.floats(0.05, 2.0),
    )
    def test_who_asks_is_stared_at_in_bounded_time(
        self, suspicions: list[float], stare_s: float, cores: float, stare_cores: float
    ):
        cameras = [CameraId(f"c{n}") for n in range(len(suspicions))]
        worst = dict(zip(cameras, suspicions, strict=True))
        made = schedule(*cameras, cores=cores, stare_s=stare_s)
        bound_s = len(cameras) * (stare_s + 0.3) / (min(suspicions) / 2) + 2.0
        looks = Site(made, lambda camera, _: worst[camera], cameras, stare_cores).run(bound_s)
        for camera in cameras:
            assert any(staring for _, staring in looks[camera])

    @settings(max_examples=15, deadline=None)
    @given(data=st.data())
    def test_whatever_happens_the_budget_holds_and_a_stare_ends(self, data: st.DataObject):
        cameras = [CameraId(f"c{n}") for n in range(5)]
        made = schedule(*cameras, cores=0.65, stare_s=3.0)
        at_s = dict.fromkeys(cameras, 0.0)
        began: dict[CameraId, float] = {}
        for _ in range(data.draw(st.integers(1, 80))):
            camera = data.draw(st.sampled_from(cameras))
            at_s[camera] += data.draw(st.sampled_from([0.1, 0.1, 1.0, 3.0]))
            if data.draw(st.integers(0, 15)) == 0:
                made.interrupted(camera)
                began.pop(camera, None)
            glance = Glance(
                at_s[camera],
                data.draw(st.sampled_from([0.0, 0.2, 0.4, 0.6, 1.0])),
                data.draw(st.integers(0, 9)) == 0,
            )
            before = made.staring(camera)
            made.looked(camera, glance)
            figures = made.figures()
            # Nothing is measured as costing anything here, or 0.3 cores are assumed: at least one.
            assert figures.queue == 0 or figures.staring >= 1
            assert not (glance.decided and before and made.staring(camera))
            if made.staring(camera):
                began.setdefault(camera, at_s[camera])
                assert at_s[camera] - began[camera] < 3.0 + 3.1
            else:
                began.pop(camera, None)


class TestFigures:
    def test_both_rates_are_measured(self):
        site = Site(schedule(), lambda _, at_s: HOT if 30.0 <= at_s < 34.0 else CALM, [ONE])
        site.run(50.0)
        figures = site.schedule.figures()
        assert figures.patrol_looks_per_s == pytest.approx(1.0, abs=0.05)
        assert figures.stare_looks_per_s == pytest.approx(10.0, abs=0.5)
        assert figures.stares >= 1

    def test_rates_are_those_of_the_last_minutes(self):
        made = schedule()
        for n in range(1000):
            look(made, n / 2, CALM)
        for n in range(200):
            look(made, 500.0 + n, CALM)
        assert made.figures().patrol_looks_per_s == pytest.approx(1.0, abs=0.01)

    def test_an_outage_is_no_slow_patrol(self):
        made = schedule()
        for n in range(20):
            look(made, float(n), CALM)
        for n in range(20):
            look(made, 3600.0 + n, CALM)
        assert made.figures().patrol_looks_per_s == pytest.approx(1.0, abs=0.01)

    def test_verdicts_have_a_last_a_median_and_a_worst(self):
        made = schedule()
        for began_s, took_s in ((0.0, 1.0), (100.0, 3.0), (200.0, 2.0)):
            look(made, began_s, HOT)
            look(made, began_s + took_s, HOT, decided=True)
        figures = made.figures()
        assert (figures.verdict_last_s, figures.verdict_median_s, figures.verdict_max_s) == (2.0, 2.0, 3.0)

    def test_looks_that_were_left_out_are_counted(self):
        made = schedule()
        look(made, 0.0, CALM, skipped=3)
        look(made, 1.0, CALM, skipped=2)
        assert made.figures().skipped == 5

    def test_before_anything_happened_there_is_nothing_to_tell(self):
        figures = schedule().figures()
        assert (figures.patrol_looks_per_s, figures.stare_looks_per_s) == (0.0, 0.0)
        assert figures.verdict_last_s is None


def test_all_threads_of_a_watcher_may_use_it_at_once() -> None:
    stares = Stares(Budget(0.5, 0.7))
    cameras = [CameraId(f"c{n}") for n in range(8)]
    gazes = {camera: stares.add(camera) for camera in cameras}
    failed = list[BaseException]()

    def watch(camera: CameraId) -> None:
        try:
            for n in range(400):
                stares.looked(camera, Glance(n * 0.1, HOT if n % 7 else CALM, n % 50 == 49, 0.01))
                _ = gazes[camera].staring
                if n % 100 == 99:
                    stares.interrupted(camera)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=watch, args=(camera,)) for camera in cameras]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failed
    assert stares.figures().stares > 0
