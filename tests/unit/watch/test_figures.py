"""What a camera's thread counts: rates over a minute, costs of the last looks, failures by code."""

from __future__ import annotations

import threading

import pytest

from tocsin.watch.figures import KEPT_LOOKS, MAX_CODES, OTHER, Figures, Minute


def test_a_minute_counts_whole_seconds_of_the_last_sixty() -> None:
    minute = Minute(100.0)
    for at_s in (100.1, 100.9, 130.5, 159.99):
        minute.add(at_s)
    assert minute.total(160.5) == 4
    assert minute.total(161.0) == 2, "the second 100 is over a minute old"
    assert minute.total(159.99) == 3, "the second that has not ended does not count"
    assert minute.total(1000.0) == 0


def test_a_slot_is_used_again_a_minute_later() -> None:
    minute = Minute(0.0)
    minute.add(5.0, 7)
    minute.add(65.0, 2)
    assert minute.total(66.0) == 2


def test_the_rate_is_over_the_time_that_there_was() -> None:
    minute = Minute(100.0)
    assert minute.per_s(100.5) == 0.0
    for at_s in range(100, 110):
        minute.add(at_s, 2)
    assert minute.per_s(110.0) == pytest.approx(2.0)
    for at_s in range(110, 400):
        minute.add(at_s, 5)
    assert minute.per_s(400.0) == pytest.approx(5.0)


def test_costs_are_median_and_95th_of_the_last_looks_and_the_sum_of_all() -> None:
    figures = Figures(0.0)
    assert figures.read(0.0).decode.median_s is None
    for number in range(KEPT_LOOKS):
        figures.looked(number, decode_cpu_s=99.0, detect_cpu_s=99.0)
    for number in range(KEPT_LOOKS):
        figures.looked(number, decode_cpu_s=0.001 * number, detect_cpu_s=0.002)
    read = figures.read(300.0)
    assert read.decode.median_s == pytest.approx(0.150)
    assert read.decode.p95_s == pytest.approx(0.285)
    assert (read.detect.median_s, read.detect.p95_s) == (0.002, 0.002)
    assert read.detect.total_s == pytest.approx(KEPT_LOOKS * 99.002)


def test_age_is_since_the_last_look_or_since_the_start() -> None:
    figures = Figures(100.0)
    assert figures.read(107.0).age_s == pytest.approx(7.0)
    figures.looked(108.0)
    assert figures.read(108.5).age_s == pytest.approx(0.5)
    assert figures.read(107.0).age_s == 0.0


def test_a_stare_is_counted_when_it_begins() -> None:
    figures = Figures(0.0)
    for staring in (False, True, True, False, True):
        figures.looked(1.0, staring=staring)
    figures.reconnected()
    figures.looked(2.0, staring=True)
    assert figures.read(3.0).stares == 3


def test_looks_left_out_are_told_in_all_and_of_the_last_minute() -> None:
    figures = Figures(0.0)
    figures.looked(1.0, skipped=4)
    figures.looked(70.0, skipped=2)
    read = figures.read(75.0)
    assert (read.skipped, read.skipped_last_minute) == (6, 2)


def test_a_failure_stands_until_the_next_look() -> None:
    figures = Figures(0.0)
    figures.failed("source-timeout")
    figures.reconnected()
    figures.failed("source-auth")
    figures.reconnected()
    read = figures.read(1.0)
    assert (read.failing, read.reconnects) == ("source-auth", 2)
    assert read.failures == (("source-auth", 1), ("source-timeout", 1))
    figures.looked(2.0)
    read = figures.read(3.0)
    assert (read.failing, len(read.failures)) == ("", 2)


def test_kinds_of_failures_are_bounded() -> None:
    figures = Figures(0.0)
    for number in range(1000):
        figures.failed(f"code-{number}")
    failures = dict(figures.read(1.0).failures)
    assert len(failures) == MAX_CODES + 1
    assert failures[OTHER] == 1000 - MAX_CODES


def test_whoever_reads_while_a_camera_counts_sees_whole_figures() -> None:
    figures, stop = Figures(0.0), threading.Event()

    def count() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            figures.looked(number * 0.01, decode_cpu_s=1.0, detect_cpu_s=1.0)

    counting = threading.Thread(target=count)
    counting.start()
    try:
        for _ in range(300):
            read = figures.read(1e6)
            assert read.decode.total_s == read.detect.total_s == read.looks
    finally:
        stop.set()
        counting.join()
