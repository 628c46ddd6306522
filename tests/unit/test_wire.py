"""The wire format between watchers and centres of different versions."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from tocsin.core.errors import InvalidEdgeError
from tocsin.core.sight import Heartbeat, Looking
from tocsin.wire import heartbeat_codec

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def test_a_heartbeat_with_its_looking_comes_back_whole() -> None:
    beat = Heartbeat(NOON, (), looking=Looking(0.98, 9.9, 1, 2, 30, 4, 1.5, 2.0, 31.5))
    assert heartbeat_codec.load(heartbeat_codec.dump(beat)) == beat


def test_a_watcher_of_an_earlier_version_is_heard() -> None:
    told = json.loads(heartbeat_codec.dump(Heartbeat(NOON, ())))
    del told["looking"]
    assert heartbeat_codec.load(json.dumps(told)).looking is None


def test_a_watcher_of_a_later_version_is_heard() -> None:
    told = json.loads(heartbeat_codec.dump(Heartbeat(NOON, (), looking=Looking(1.0))))
    told["looking"]["blinks"] = 3
    assert heartbeat_codec.load(json.dumps(told)).looking == Looking(1.0)


@pytest.mark.parametrize("looking", ["often", [1.0], {"queue": "many"}, {"patrol_looks_per_s": {}}])
def test_nonsense_is_refused(looking: object) -> None:
    told = json.loads(heartbeat_codec.dump(Heartbeat(NOON, ()))) | {"looking": looking}
    with pytest.raises(InvalidEdgeError, match="looking"):
        heartbeat_codec.load(json.dumps(told))
