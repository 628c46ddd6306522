"""A token speaks for one watcher, its own cameras, and in the centre's words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import cv2
import httpx
import pytest
from tests.support.running import RunningCentre, an_edge, post_edge, sharp_jpeg, sharp_picture

from tocsin.core.observation import EdgeId, EdgeKind, SourceKind
from tocsin.wire import edge_codec


@pytest.fixture(scope="module")
def centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCentre]:
    with RunningCentre(tmp_path_factory.mktemp("identity")) as running:
        yield running


def test_two_watchers_with_a_camera_of_one_name_do_not_clear_each_other(centre: RunningCentre) -> None:
    edge = an_edge("camera-covered", source="cam-x", place="hall")
    with centre.watcher("one") as one, centre.watcher("two") as two:
        assert post_edge(one, edge).json()["ruling"] == "new"
        clear = replace(edge, id=EdgeId("clear-x"), kind=EdgeKind.CLEARED, captured_at=datetime.now(UTC))
        assert post_edge(two, clear).json()["ruling"] == "ignored"
        own = replace(clear, id=EdgeId("clear-own"))
        assert post_edge(one, own).json()["ruling"] == "clears"


def test_a_watcher_speaks_of_no_part_but_itself(centre: RunningCentre) -> None:
    def low_disk(of: str) -> httpx.Response:
        with centre.watcher("one") as one:
            return post_edge(one, an_edge("disk-low", source=of, source_kind=SourceKind.SYSTEM, place=of))

    assert low_disk("watcher one").status_code == 201
    for foreign in ("watcher two", "channel email", "centre"):
        refused = low_disk(foreign)
        assert refused.status_code == 403
        assert "watcher one" in refused.json()["hint"]


def test_invariant_3_no_text_of_a_watcher_reaches_responders(centre: RunningCentre) -> None:
    with centre.watcher("one") as one:
        edge = an_edge("smoke", source="cam-y", place="dock", reason="tall man in red by the door")
        alarm_id = post_edge(one, edge).json()["alarm_id"]
    with centre.staff("ana", accept="application/json") as client:
        story = client.get(f"/api/v1/alarms/{alarm_id}")
    assert "tall man" not in story.text
    assert "seen in 5 of the last 6 looks" in story.text


def test_what_is_no_look_is_not_worded_as_one(centre: RunningCentre) -> None:
    """A silent camera was seen in no look: responders read what it is, in our own words."""
    with centre.watcher("one") as one:
        edge = an_edge("camera-silent", source="cam-z", place="gate", reason="tall man in red by the door")
        alarm_id = post_edge(one, edge).json()["alarm_id"]
    with centre.staff("ana", accept="application/json") as client:
        story = client.get(f"/api/v1/alarms/{alarm_id}").text
    assert "no picture of it could be analysed, for " in story
    assert "tall man" not in story
    assert "looks, over" not in story


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("captured_at", "0001-01-01T00:00:00+14:00"),
        ("since", "1970-01-01T00:00:00Z"),
        ("captured_at", "9999-12-31T23:59:59Z"),
        ("reason", "x" * 301),
        ("source", "cam\u0000"),
        ("place", "ha\u0000ll"),
    ],
)
def test_what_no_camera_can_mean_is_refused(centre: RunningCentre, field: str, value: str) -> None:
    import json

    body = json.loads(edge_codec.dump(an_edge("smoke"))) | {field: value}
    with centre.watcher("one") as one:
        answer = one.post("/api/v1/edges", json=body)
    assert answer.status_code == 422
    assert field in answer.json()["what"]


def test_invariant_8_a_picture_has_one_file_however_often_it_is_sent(centre: RunningCentre) -> None:
    edge = an_edge("smoke", source="cam-z", place="dock")
    folder = centre.config.centre.data_dir / "pictures"
    before = set(folder.glob("*/*.jpg"))
    path = f"/api/v1/edges/{edge.id}/pictures/0"
    params = {"role": "at", "at": edge.captured_at.isoformat()}
    with centre.watcher("one") as one:
        post_edge(one, edge)
        for number in range(3):
            picture = sharp_picture()
            picture[:, : 40 * (number + 1)] = 0
            data = bytes(cv2.imencode(".jpg", picture)[1])
            assert one.put(path, params=params, content=data).status_code == 200
        early = params | {"at": "0001-01-01T00:00:00+14:00"}
        bad = one.put(path, params=early, content=sharp_jpeg())
    assert bad.status_code == 422
    assert len(set(folder.glob("*/*.jpg")) - before) == 1


def test_invariant_8_a_file_that_no_record_names_is_swept(centre: RunningCentre) -> None:
    import os

    folder: Path = centre.config.centre.data_dir / "pictures" / "ab"
    folder.mkdir(parents=True, exist_ok=True)
    lost, new = folder / f"{'ab' * 32}.jpg", folder / f"{'ac' * 32}.jpg"
    for path in (lost, new):
        path.write_bytes(b"left by a kill")
    two_days_ago = datetime.now(UTC).timestamp() - 2 * 86_400
    os.utime(lost, (two_days_ago, two_days_ago))
    centre.do(lambda c: c.oversee.sweep(centre.clock.now()))
    assert not lost.exists()
    assert new.exists(), "its record may be on its way"


def test_a_watcher_that_was_removed_is_not_known(centre: RunningCentre) -> None:
    with centre.watcher("three") as three:
        assert post_edge(three, an_edge("smoke", source="cam-3")).status_code == 201
        centre.do(lambda c: c.house.tokens.remove("three"))
        assert post_edge(three, an_edge("smoke", source="cam-3")).status_code == 401
