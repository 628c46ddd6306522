"""How many more cameras fit: from what the present ones cost, and from what others leave of the cores."""

from __future__ import annotations

import pytest

from tocsin.watch.load import Load, LoadMeter, Sample, headroom, sample


def test_the_load_is_that_of_the_last_minute() -> None:
    meter = LoadMeter(2)
    assert meter.load == Load(2)
    for at_s in range(200):  # half a core for 100 s, then 1.5; the cores idle for the rest
        cpu_s = 0.5 * at_s if at_s < 100 else 50.0 + 1.5 * (at_s - 100)
        meter.take(Sample(at_s, cpu_s, 2.0 * at_s - cpu_s))
        if at_s == 99:
            assert meter.load.used == pytest.approx(0.5)
            assert meter.load.idle == pytest.approx(1.5)
    assert meter.load.used == pytest.approx(1.5)
    assert meter.load.idle == pytest.approx(0.5)


def test_many_samples_keep_no_more_memory_and_no_less_time() -> None:
    meter = LoadMeter(1)
    for number in range(100_000):
        meter.take(Sample(number * 0.001, number * 0.001 * 0.25))
    assert meter.load.used == pytest.approx(0.25)
    assert meter.load.idle is None


@pytest.mark.parametrize(
    ("load", "cameras", "behind", "room"),
    [
        (Load(2, 0.4, 1.6), 20, False, 60),  # 0.02 a camera; 80 % of two cores are 1.6, 0.4 are used
        (Load(2, 0.4), 20, False, 60),  # where the system does not say what is idle
        (Load(2, 0.4, 0.6), 20, False, 10),  # another program has a core: 0.6 idle, less the fifth kept free
        (Load(2, 0.4, 0.1), 20, False, 0),
        (Load(2, 1.7, 0.3), 20, False, 0),
        (Load(2, 0.4, 1.6), 20, True, 0),  # looks are left out already
        (Load(2), 20, False, None),
        (Load(2, 0.4, 1.6), 0, False, None),  # none sees: what one costs is not known
        (Load(2, 0.0, 2.0), 5, False, None),
    ],
)
def test_headroom(load: Load, cameras: int, behind: bool, room: int | None) -> None:
    assert headroom(load, cameras, behind=behind) == room


def test_the_machine_says_what_it_spends() -> None:
    one = sample()
    while (other := sample()).cpu_s - one.cpu_s < 0.02:
        pass
    assert other.at_s - one.at_s >= 0.02 * 0.5
    assert one.idle_s is None or other.idle_s is None or other.idle_s >= one.idle_s >= 0.0
