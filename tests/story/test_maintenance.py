"""A lens is cleaned while it burns: the phone stays quiet until the maintenance is over, and then it rings.

The centre and the phone are real; the centre's clock is moved ahead by hand.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.support.receiver import SECRET, Receiver
from tests.support.running import RunningCentre, an_edge, post_edge, until

from tocsin.core.observation import CameraId, PlaceId
from tocsin.core.sight import CameraHealth, Heartbeat, Sight
from tocsin.wire import heartbeat_codec

QUIET_S = 2.0
"""Pages are claimed at once, by a bell, and every half second without one."""


@pytest.fixture
def phone(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    monkeypatch.setenv("TOCSIN_WEBHOOK_SECRET", SECRET)
    with Receiver() as receiver:
        yield receiver


def test_invariant_1_what_burns_when_the_maintenance_ends_rings_the_phone(
    phone: Receiver, tmp_path: Path
) -> None:
    ana = {"id": "ana", "name": "Ana", "contacts": [{"channel": "webhook", "address": phone.url("/ana")}]}
    with RunningCentre(tmp_path, responder=[ana]) as centre:
        with centre.watcher() as watcher, centre.staff("rui") as rui:
            now = datetime.now(UTC)
            seen = CameraHealth(CameraId("cam-1"), "Sorting hall 1", PlaceId("hall"), Sight.SEEING, now, 9)
            watcher.post("/api/v1/heartbeat", content=heartbeat_codec.dump(Heartbeat(now, (seen,))))
            form = {"minutes": "30", "reason": "cleaning"}
            assert rui.post("/cameras/w1/cam-1/service", data=form).status_code == 303

            flame = an_edge("flame")
            assert post_edge(watcher, flame).status_code == 201
            (alarm,) = centre.alarms()
            assert "out of service" in alarm["silence_text"], "it is on the board"
            time.sleep(QUIET_S)
            assert phone.received == []

            # Another camera's fire rings as ever.
            assert post_edge(watcher, an_edge("water", source="cam-2", place="dock")).status_code == 201
            until(lambda: len(phone.received) == 1, "the other camera's page")
            assert phone.received[0].page["hazard"] == "water"

        # The centre is down when the time is over, and up again later: nobody has forgotten the fire.
        centre.stop()
        centre.clock.ahead_s = 31 * 60
        centre.start()
        until(lambda: [one for one in phone.received if one.page["hazard"] == "flame"], "the phone rings")
        (page,) = [one.page for one in phone.received if one.page["hazard"] == "flame"]
        assert page["alarm_number"] == alarm["number"]
        (still,) = [one for one in centre.alarms() if one["id"] == alarm["id"]]
        assert (still["state"], still["silence_text"]) == ("UNACK", "")
