"""Triage in an evaluation is the real one: one alarm for one thing, and a new one when it is over."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from tests.support.watching import NOON

from tocsin.core.hazards import Catalogue, HazardCode, Signal
from tocsin.core.observation import CapStatus, Edge, EdgeId, EdgeKind, PlaceId, SourceKind
from tocsin.core.triage import Ruling
from tocsin.evaluate.duty import Duty


@pytest.fixture
def duty() -> Iterator[Duty]:
    with Duty(Catalogue()) as opened:
        yield opened


def _edge(
    at_s: float, hazard: str = "flame", *, camera: str = "one", kind: EdgeKind = EdgeKind.CONFIRMED
) -> Edge:
    at = NOON + timedelta(seconds=at_s)
    return Edge(
        EdgeId(f"{camera}-{hazard}-{at_s}-{kind}"), kind, HazardCode(hazard), SourceKind.CAMERA, camera,
        PlaceId(camera), at, at, 0.9, 4, 5, status=CapStatus.TEST,
    )  # fmt: skip


def test_what_stands_is_raised_once(duty: Duty) -> None:
    first, again, smoke = duty.take(_edge(1)), duty.take(_edge(2)), duty.take(_edge(3, "smoke"))
    assert (first.ruling, first.signal, first.new) == (Ruling.NEW, Signal.ALARM, True)
    assert (again.ruling, again.new) == (Ruling.SAME, False)
    assert (smoke.ruling, smoke.new) == (Ruling.CORROBORATES, False)
    assert first.reason


def test_what_is_back_after_it_was_over_is_new(duty: Duty) -> None:
    duty.take(_edge(1))
    gone = duty.take(_edge(60, kind=EdgeKind.CLEARED))
    assert (gone.ruling, gone.new) == (Ruling.CLEARS, False)
    back = duty.take(_edge(90))
    assert (back.ruling, back.new) == (Ruling.NEW, True)


def test_a_trouble_is_no_alarm_and_each_camera_is_a_place_of_its_own(duty: Duty) -> None:
    assert duty.take(_edge(1, "camera-covered")).signal is Signal.TROUBLE
    assert duty.take(_edge(1)).new
    assert duty.take(_edge(1, camera="two")).new


def test_nothing_is_left_behind() -> None:
    with Duty(Catalogue()) as opened:
        folder = opened.folder
        assert folder.is_dir()
    assert not folder.exists()
