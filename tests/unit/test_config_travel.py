"""[travel] and stations: what a file says becomes ways, or an error that names the key."""

from __future__ import annotations

from typing import Any

import pytest

from tocsin.config import from_values
from tocsin.core.errors import ConfigError
from tocsin.core.travel import Trip
from tocsin.wiring import policy_of

PLACE = [{"id": "gate", "name": "Gate"}, {"id": "hall", "name": "Hall"}]
ANA = {"id": "ana", "name": "Ana", "contacts": [{"channel": "webhook", "address": "http://127.0.0.1/a"}]}


def site(**more: Any) -> dict[str, Any]:
    return {"place": PLACE, "responder": [ANA | {"station": "gate"}], **more}


def test_a_time_between_a_station_and_a_place() -> None:
    travel = {"time": [{"between": ["gate", "hall"], "seconds": 90}]}
    policy = policy_of(from_values(site(travel=travel), "file"))
    assert policy.travel.trip("gate", "hall") == Trip(90.0)


def test_a_camera_without_a_place_is_where_it_hangs() -> None:
    where = {"lat": 48.1, "lon": 11.5}
    camera = {"id": "yard", "name": "Yard", "source": "rtsp://camera.example/1", "lat": 48.101, "lon": 11.5}
    values = site(place=[{**PLACE[0], **where}], camera=[camera])
    trip = from_values(values, "file").travel_times().trip("gate", "yard")
    assert trip.reckoned
    assert trip.seconds == pytest.approx(101.0, abs=2.0)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (site(responder=[ANA | {"station": "gaet"}]), "station 'gaet' is not a place"),
        (site(travel={"time": [{"between": ["gate", "moon"], "seconds": 1}]}), "'moon' is not a place"),
        (site(travel={"time": [{"between": ["gate", "hall"], "seconds": -1}]}), "seconds"),
        (site(travel={"time": [{"between": ["gate"], "seconds": 1}]}), "between"),
        (site(travel={"speed_m_per_s": 0}), "speed_m_per_s"),
        (site(travel={"speed": 2}), "speed_m_per_s"),
    ],
)
def test_what_is_refused(values: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        from_values(values, "file")
    assert said in str(caught.value)


def test_the_solver_is_loaded_only_where_some_of_the_people_are_assigned() -> None:
    three = [ANA | {"id": f"r{n}", "name": f"R{n}", "station": "gate"} for n in range(3)]
    everyone = {"alarm": [{"who": "everyone", "wait_s": 60}]}
    for given, module in (
        (site(responder=three), "tocsin.assigning"),
        (site(responder=three[:2]), "tocsin.core.allocation"),  # both are called anyway
        (site(responder=three, escalation=everyone), "tocsin.core.allocation"),
    ):
        solve = policy_of(from_values(given, "file")).solve
        assert solve([[-1.0]]) == [(0, 0)]
        assert solve.__module__ == module
