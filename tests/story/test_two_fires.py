"""Two fires and four responders at their stations: the right phones ring, and nobody is called to both.

A real centre, its own loops, real receivers on this machine; only the watcher is the test itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.receiver import SECRET, Receiver
from tests.support.running import RunningCentre, an_edge, post_edge, until

STATIONS = {"ana": "mill", "ben": "gate", "cleo": "dock", "dov": "tower"}
NAMES = {"hall": "Rolling hall", "mill": "Mill", "gate": "Gate", "dock": "Dock 2", "tower": "Tower"}
TIMES = (("mill", "hall", 30), ("hall", "gate", 120), ("gate", "dock", 60), ("dock", "tower", 120))


@pytest.fixture
def phones() -> Iterator[Receiver]:
    with Receiver() as made:
        yield made


@pytest.fixture
def centre(tmp_path: Path, phones: Receiver, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningCentre]:
    monkeypatch.setenv("TOCSIN_WEBHOOK_SECRET", SECRET)
    sections: dict[str, Any] = {
        "place": [{"id": place, "name": name} for place, name in NAMES.items()],
        "travel": {"time": [{"between": [a, b], "seconds": seconds} for a, b, seconds in TIMES]},
        "responder": [
            {
                "id": who,
                "name": who.title(),
                "station": station,
                "qualifications": ["fire"],
                "contacts": [{"channel": "webhook", "address": phones.url(f"/{who}")}],
            }
            for who, station in STATIONS.items()
        ],
        "escalation": {"alarm": [{"who": "assigned", "wait_s": 3600}, {"who": "everyone", "wait_s": 3600}]},
    }
    with RunningCentre(tmp_path, **sections) as running:
        yield running


def rung(phones: Receiver, number: int) -> dict[str, str]:
    """Whose phone rang for that alarm, and why."""
    return {
        one.path.strip("/"): next(
            line for line in one.page["text"].splitlines() if line.startswith("You are called because")
        )
        for one in phones.received
        if one.page["alarm_number"] == number
    }


def test_two_fires_ring_the_right_phones(centre: RunningCentre, phones: Receiver) -> None:
    with centre.watcher() as watcher, centre.staff("ana") as ana, centre.staff("cleo") as cleo:
        # It burns in the hall: the two who are nearest are called.
        hall = post_edge(watcher, an_edge(source="cam-hall", place="hall")).json()["alarm_id"]
        until(lambda: len(rung(phones, 1)) == 2, "two phones rang for the hall")
        assert rung(phones, 1) == {
            "ana": "You are called because: nearest qualified for fire, 30 s away.",
            "ben": "You are called because: nearest qualified for fire, 2 min away.",
        }

        # It burns on the dock too: those who are under way to the hall are left to it.
        dock = post_edge(watcher, an_edge(source="cam-dock", place="dock")).json()["alarm_id"]
        until(lambda: len(rung(phones, 2)) == 2, "two phones rang for the dock")
        second = rung(phones, 2)
        assert set(second) == {"cleo", "dov"}
        assert second["dov"].endswith("2 min away (nearer Ben is under way to alarm 1).")

        # Ana has the hall and Cleo the dock: Ben and Dov are free again. It burns in the mill, where Ana is
        # stationed: she is not called away from what she has.
        assert ana.post(f"/alarms/{hall}/acknowledge").status_code == 303
        assert cleo.post(f"/alarms/{dock}/acknowledge").status_code == 303
        mill = post_edge(watcher, an_edge(source="cam-mill", place="mill")).json()["alarm_id"]
        until(lambda: len(rung(phones, 3)) == 2, "two phones rang for the mill")
        assert set(rung(phones, 3)) == {"ben", "dov"}
        why = "nearest qualified for fire with no open alarm, 2 min away (nearer Ana has alarm 1)"
        assert rung(phones, 3)["ben"] == f"You are called because: {why}."

        # The console tells the same.
        page = ana.get(f"/alarms/{mill}").text
        assert f"Called because: {why}" in page
        assert f"Ben: {why}" in page
    assert all(one.verified for one in phones.received)
