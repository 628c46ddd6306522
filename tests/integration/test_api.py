"""The watchers' API against a real centre: what is taken, what is refused, and how it says so."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.support.running import (
    RunningCentre,
    an_edge,
    distinct_columns,
    post_edge,
    put_picture,
    sharp_jpeg,
    sharp_picture,
)

from tocsin.core.observation import Edge, EdgeKind, Region, SourceKind
from tocsin.core.sight import CameraHealth, Heartbeat, Sight
from tocsin.redact import MOSAIC_COLUMNS, redact
from tocsin.web.api import MAX_EDGES
from tocsin.web.app import MAX_BODY
from tocsin.wire import edge_codec, heartbeat_codec


@pytest.fixture(scope="module")
def centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCentre]:
    with RunningCentre(tmp_path_factory.mktemp("centre")) as running:
        yield running


@pytest.fixture(scope="module")
def watcher(centre: RunningCentre) -> Iterator[httpx.Client]:
    with centre.watcher() as client:
        yield client


@pytest.fixture(scope="module")
def staff(centre: RunningCentre) -> Iterator[httpx.Client]:
    with centre.staff("reader", accept="application/json") as client:
        yield client


def _told(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """An error of the API: always JSON, always with what, where and the next step."""
    assert response.status_code == status, response.text
    error = response.json()
    assert set(error) == {"code", "what", "where", "hint", "permanent"}
    assert error["code"] == code
    assert error["what"]
    return error


WATCHER_ROUTES = [
    ("POST", "/api/v1/edges"),
    ("POST", "/api/v1/edges/batch"),
    ("PUT", "/api/v1/edges/e1/pictures/0?role=at&at=2026-03-02T12:00:00Z"),
    ("POST", "/api/v1/heartbeat"),
]


@pytest.mark.parametrize(("method", "path"), WATCHER_ROUTES)
@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer wrong", "Basic dXNlcjpwYXNz"])
def test_without_its_token_nobody_is_a_watcher(
    centre: RunningCentre, method: str, path: str, authorization: str
) -> None:
    headers = {"authorization": authorization} if authorization else {}
    with centre.guest() as guest:
        response = guest.request(method, path, content=b"{}", headers=headers)
    error = _told(response, 401, "unauthorized")
    assert response.headers["www-authenticate"] == "Bearer"
    assert "tocsin watcher add" in error["hint"]


def test_a_new_token_ends_the_old_one(centre: RunningCentre) -> None:
    old, new = centre.token("w2"), centre.token("w2")
    with centre.guest(authorization=f"Bearer {old}") as client:
        assert post_edge(client, an_edge()).status_code == 401
    with centre.guest(authorization=f"bearer {new}") as client:
        assert post_edge(client, an_edge(source="cam-new")).status_code == 201


def test_an_edge_becomes_an_alarm_and_a_replay_the_same_one(
    watcher: httpx.Client, staff: httpx.Client
) -> None:
    edge = an_edge("water", source="cam-water")
    first = post_edge(watcher, edge)
    assert first.status_code == 201
    receipt = first.json()
    assert receipt["edge_id"] == edge.id
    assert receipt["ruling"] == "new"
    assert receipt["reason"]
    again = post_edge(watcher, edge)
    assert again.status_code == 200
    assert again.json() == receipt | {"repeated": True}
    alarms = [a for a in staff.get("/api/v1/alarms").json() if a["hazard"] == "water"]
    assert [a["id"] for a in alarms] == [receipt["alarm_id"]]
    assert (
        staff.get(f"/api/v1/alarms/{receipt['alarm_id']}").json()["hazard_name"] == "Rising or standing water"
    )


def _edge_json(**changes: Any) -> bytes:
    value = json.loads(edge_codec.dump(an_edge()))
    for key, change in changes.items():
        if change is None:
            value.pop(key)
        else:
            value[key] = change
    return json.dumps(value).encode()


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "body"),
        (b"fire!", "body"),
        (b"[]", "body"),
        (b"\xff\xfe{}", "body"),
        (b"{" * 5000, "body"),
        (b"{}", "id"),
        (_edge_json(id=None), "id"),
        (_edge_json(id=""), "id is empty"),
        (_edge_json(id="e" * 300), "id is empty, longer"),
        (_edge_json(kind="maybe"), "kind"),
        (_edge_json(captured_at="yesterday"), "captured_at"),
        (_edge_json(captured_at="2026-03-02T12:00:00"), "time zone"),
        (_edge_json(confidence=1.5), "confidence"),
        (_edge_json(confidence="NaN"), "confidence"),
        (_edge_json(hits="many"), "hits"),
        (_edge_json(region={"x0": 0.5, "y0": 0, "x1": 0.5, "y1": 1}), "region"),
        (_edge_json(source_kind="neighbour"), "source_kind"),
        (_edge_json(status="Real"), "status"),
    ],
)
def test_what_cannot_be_read_as_an_edge_is_told_and_nothing_is_kept(
    watcher: httpx.Client, staff: httpx.Client, body: bytes, says: str
) -> None:
    before = staff.get("/api/v1/alarms").json()
    error = _told(watcher.post("/api/v1/edges", content=body), 422, "invalid-edge")
    assert says in error["what"]
    assert error["where"] or error["hint"]
    assert error["permanent"] is True
    assert [a["id"] for a in staff.get("/api/v1/alarms").json()] == [a["id"] for a in before]


def test_an_unreadable_body_names_the_page_that_helps(watcher: httpx.Client) -> None:
    error = _told(watcher.post("/api/v1/edges", content=b"{}"), 422, "invalid-edge")
    assert "docs/reference/watcher-api.md" in error["hint"]


@pytest.mark.parametrize("hazard", ["person", "crowd", "", "Flame", "fire", "smok"])
def test_invariant_5_what_is_not_in_the_catalogue_is_refused(watcher: httpx.Client, hazard: str) -> None:
    error = _told(post_edge(watcher, an_edge(hazard)), 422, "unknown-hazard")
    assert hazard != "smok" or "smoke" in error["hint"]


def test_a_watcher_cannot_speak_for_staff(watcher: httpx.Client) -> None:
    edge = an_edge("flame", source_kind=SourceKind.STAFF, source="ana")
    _told(post_edge(watcher, edge), 403, "not-allowed")


def test_a_watcher_cannot_see_what_only_staff_can(watcher: httpx.Client) -> None:
    _told(post_edge(watcher, an_edge("medical")), 403, "not-allowed")


def _array(*edges: Edge) -> str:
    return f"[{','.join(edge_codec.dump(edge) for edge in edges)}]"


def test_a_batch_takes_each_edge_by_itself(watcher: httpx.Client, staff: httpx.Client) -> None:
    first, second = (an_edge(source=f"cam-b{n}", place=f"batch-{n}") for n in range(2))
    foreign = an_edge("crowd")
    by_staff = an_edge("medical")
    answer = watcher.post("/api/v1/edges/batch", content=_array(first, foreign, by_staff, second, first))
    assert answer.status_code == 200
    taken = answer.json()["taken"]
    assert [one["edge_id"] for one in taken] == [first.id, foreign.id, by_staff.id, second.id, first.id]
    assert [one.get("ruling") for one in taken] == ["new", None, None, "new", "new"]
    assert taken[4]["repeated"]
    assert [taken[n]["error"]["code"] for n in (1, 2)] == ["unknown-hazard", "not-allowed"]
    assert taken[1]["error"]["permanent"]
    for one in (taken[0], taken[3]):
        assert staff.get(f"/alarms/{one['alarm_id']}").status_code == 200


def test_a_batch_that_is_none_or_too_large_is_refused_whole(watcher: httpx.Client) -> None:
    for body in ("{}", "[", "[{}]", _array(an_edge(source="cam-c"))[:-1]):
        _told(watcher.post("/api/v1/edges/batch", content=body), 422, "invalid-edge")
    many = _array(*(an_edge(source=f"cam-{n}") for n in range(MAX_EDGES + 1)))
    assert "at most" in _told(watcher.post("/api/v1/edges/batch", content=many), 422, "invalid-edge")["hint"]
    assert watcher.post("/api/v1/edges/batch", content="[]").json() == {"taken": []}


def test_the_idempotency_key_is_the_edges_own(watcher: httpx.Client) -> None:
    edge = an_edge("smoke", source="cam-key")
    content = edge_codec.dump(edge)
    other = watcher.post("/api/v1/edges", content=content, headers={"idempotency-key": "other"})
    _told(other, 422, "invalid-edge")
    right = watcher.post("/api/v1/edges", content=content, headers={"idempotency-key": edge.id})
    assert right.status_code == 201


@pytest.mark.parametrize("chunked", [False, True], ids=["with its length", "without"])
@pytest.mark.parametrize("path", ["/api/v1/edges", "/api/v1/heartbeat", "/sign-in"])
def test_a_body_that_is_too_large_is_not_read(
    centre: RunningCentre, watcher: httpx.Client, path: str, chunked: bool
) -> None:
    def pieces() -> Iterator[bytes]:
        for _ in range(MAX_BODY // 65536 + 2):
            yield b"field=" + b"x" * 65529 + b"&"  # one field of a form may not be large at all

    content: Any = pieces() if chunked else b"".join(pieces())
    headers = {"origin": centre.url, "content-type": "application/x-www-form-urlencoded"}
    response = watcher.post(path, content=content, headers=headers | {"accept": "application/json"})
    assert response.status_code == 413
    assert "3 MB" in response.json()["what"]
    assert post_edge(watcher, an_edge(source="cam-after")).status_code in (200, 201)


def test_a_picture_before_its_edge_is_to_come_again(watcher: httpx.Client, staff: httpx.Client) -> None:
    edge = an_edge("flame", source="cam-picture", place="dock")
    error = _told(put_picture(watcher, edge), 409, "edge-unknown")
    assert error["permanent"] is False
    alarm_id = post_edge(watcher, edge).json()["alarm_id"]
    assert put_picture(watcher, edge).status_code == 200
    (picture,) = staff.get(f"/api/v1/alarms/{alarm_id}").json()["pictures"]
    shown = staff.get(picture["url"])
    assert shown.headers["content-type"] == "image/jpeg"
    assert shown.content.startswith(b"\xff\xd8\xff")


@pytest.mark.parametrize("region", [None, Region(0.1, 0.1, 0.3, 0.3), Region(0.0, 0.0, 1.0, 1.0)])
def test_invariant_4_a_sharp_picture_is_mosaiced_before_it_is_stored(
    centre: RunningCentre, watcher: httpx.Client, staff: httpx.Client, region: Region | None
) -> None:
    """A wrong or hostile watcher sends every pixel; what can be got out again has 96 columns."""
    sharp = sharp_jpeg(seed=7)
    assert distinct_columns(sharp) > 900  # the measure sees what is to be seen
    edge = an_edge("smoke", source=f"cam-sharp-{region}")
    post_edge(watcher, edge)
    text = "" if region is None else f"{region.x0},{region.y0},{region.x1},{region.y1}"
    picture_id = put_picture(watcher, edge, data=sharp, region=text).json()["picture_id"]
    shown = staff.get(f"/pictures/{picture_id}.jpg").content
    if region is None or region.x0 > 0:
        outside = Region(0.0, 0.5, 1.0, 1.0)
        assert distinct_columns(shown, outside) <= MOSAIC_COLUMNS + 1
    assert distinct_columns(shown) <= 161  # the whole of it as the region: 160 cells at most
    on_disk = [path.read_bytes() for path in _pictures_of(centre)]
    assert shown in on_disk
    assert sharp not in on_disk


def _pictures_of(centre: RunningCentre) -> list[Path]:
    return [path for path in (centre.config.centre.data_dir / "pictures").rglob("*") if path.is_file()]


def test_invariant_4_nothing_sharp_lies_anywhere_under_the_data(
    centre: RunningCentre, watcher: httpx.Client
) -> None:
    sharp = sharp_jpeg(seed=11)
    edge = an_edge("smoke", source="cam-disk")
    post_edge(watcher, edge)
    put_picture(watcher, edge, data=sharp)
    middle = sharp[len(sharp) // 2 :][:64]
    files = [path for path in centre.config.centre.data_dir.rglob("*") if path.is_file()]
    assert files
    assert [path for path in files if middle in path.read_bytes()] == []


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"GIF89a" + b"0" * 100,
        b"<svg/>",
        sharp_jpeg()[:-3000],
        b"\xff\xd8\xff" + b"\x00" * 500,
        b"%PDF-1.7",
    ],
    ids=["empty", "gif", "svg", "cut off", "rubbish", "pdf"],
)
def test_what_is_no_picture_is_refused(watcher: httpx.Client, data: bytes) -> None:
    edge = an_edge("smoke", source="cam-no-picture")
    post_edge(watcher, edge)
    error = _told(put_picture(watcher, edge, data=data), 415, "picture")
    assert error["hint"]


def test_a_picture_with_too_many_pixels_is_refused_before_it_is_decoded(watcher: httpx.Client) -> None:
    edge = an_edge("smoke", source="cam-bomb")
    post_edge(watcher, edge)
    jpeg = bytearray(redact(sharp_picture(), None).jpeg)
    at = jpeg.index(b"\xff\xc0") + 5
    jpeg[at : at + 4] = b"\xff\xff\xff\xff"
    _told(put_picture(watcher, edge, data=bytes(jpeg)), 415, "picture")


def test_an_edge_has_eight_pictures_and_no_more(watcher: httpx.Client, staff: httpx.Client) -> None:
    seen_at = datetime.now(UTC) - timedelta(seconds=10)
    edge = an_edge("overheating", source="cam-eight", place="roof", captured_at=seen_at, since=seen_at)
    alarm_id = post_edge(watcher, edge).json()["alarm_id"]
    data = redact(sharp_picture(), None).jpeg
    for index in range(8):
        role = "before" if index < 3 else "at" if index == 3 else "after"
        at = (edge.captured_at + timedelta(seconds=index - 3)).isoformat()
        response = put_picture(watcher, edge, index, data, role=role, at=at)
        assert response.status_code == 200
        assert put_picture(watcher, edge, index, data, role=role, at=at).json() == response.json()
    for index in (8, 9, 10**6, -1):
        _told(put_picture(watcher, edge, index, data), 422, "invalid-edge")
    pictures = staff.get(f"/api/v1/alarms/{alarm_id}").json()["pictures"]
    assert [p["role"] for p in pictures] == ["before"] * 3 + ["at"] + ["after"] * 4
    assert [p["offset_s"] for p in pictures] == [float(n - 3) for n in range(8)]


@pytest.mark.parametrize(
    "params",
    [
        {"role": "during"},
        {"at": "2026-03-02T12:00:00"},
        {"region": "0,0,1"},
        {"region": "a,b,c,d"},
        {"region": "0,0,nan,1"},
        {"region": "0.5,0,0.5,1"},
        {"region": "-1,0,1,1"},
    ],
)
def test_a_picture_that_does_not_fit_its_strip_is_refused(
    watcher: httpx.Client, params: dict[str, Any]
) -> None:
    edge = an_edge("smoke", source="cam-strip")
    post_edge(watcher, edge)
    _told(put_picture(watcher, edge, **params), 422, "invalid-edge")


@pytest.mark.parametrize(
    "query", ["", "role=at", "role=at&at=noon", "role=at&at=2026-03-02T12:00:00Z&region=" + "1" * 200]
)
def test_a_picture_without_what_it_needs_is_refused(watcher: httpx.Client, query: str) -> None:
    response = watcher.put(f"/api/v1/edges/e/pictures/0?{query}", content=sharp_jpeg())
    assert _told(response, 422, "invalid-request")["where"].startswith("query.")


def _beat(*cameras: CameraHealth, at: datetime | None = None) -> str:
    return heartbeat_codec.dump(Heartbeat(at or datetime.now(UTC), cameras))


def _health(name: str, **other: Any) -> CameraHealth:
    edge = an_edge(source=name)
    values: dict[str, Any] = {
        "camera": name, "name": name.upper(), "place": edge.place, "sight": Sight.SEEING,
        "last_look_at": datetime.now(UTC), "looks": 100,
    }  # fmt: skip
    return CameraHealth(**(values | other))


def test_a_heartbeat_is_what_the_cameras_page_shows(watcher: httpx.Client, staff: httpx.Client) -> None:
    content = _beat(_health("beat-1"), _health("beat-2", sight=Sight.SILENT, error="nobody answers"))
    assert watcher.post("/api/v1/heartbeat", content=content).json()["ok"] is True
    cameras = {camera["id"]: camera for camera in staff.get("/api/v1/cameras").json()}
    assert (cameras["beat-1"]["name"], cameras["beat-1"]["state"]) == ("BEAT-1", "seeing")
    assert cameras["beat-1"]["watcher"] == "w1"
    assert (cameras["beat-2"]["state"], cameras["beat-2"]["troubles"]) == ("silent", ["nobody answers"])


def test_a_standing_edge_that_never_arrived_is_taken_from_the_heartbeat(
    watcher: httpx.Client, staff: httpx.Client
) -> None:
    edge = an_edge("overheating", source="beat-lost")
    for _ in range(2):
        assert watcher.post(
            "/api/v1/heartbeat", content=_beat(_health("beat-lost", standing=(edge,)))
        ).is_success
    alarms = [a for a in staff.get("/api/v1/alarms").json() if "beat-lost" in a["source_text"].lower()]
    assert len(alarms) == 1


def test_a_hazard_of_another_version_takes_neither_board_nor_the_other_cameras_down(
    watcher: httpx.Client, staff: httpx.Client
) -> None:
    """A watcher of a later version names what this centre does not know yet."""
    known = an_edge("water", source="beat-good", place="dock")
    content = _beat(
        _health("beat-new", standing=(an_edge("lightning", source="beat-new"),)),
        _health("beat-good", standing=(known,)),
    )
    assert watcher.post("/api/v1/heartbeat", content=content).status_code == 200
    for path in ("/", "/cameras", "/api/v1/cameras"):
        assert staff.get(path, headers={"accept": "text/html"}).status_code == 200
    receipt = post_edge(watcher, known).json()
    assert receipt["repeated"], "the other camera's standing alarm was taken"


@pytest.mark.parametrize("where", ["at", "last_look_at"])
def test_a_time_without_a_zone_is_refused_and_the_board_stays_up(
    watcher: httpx.Client, staff: httpx.Client, where: str
) -> None:
    value = json.loads(_beat(_health("beat-naive")))
    holder = value if where == "at" else value["cameras"][0]
    holder[where] = "2026-03-02T12:00:00"
    response = watcher.post("/api/v1/heartbeat", content=json.dumps(value))
    assert "no zone" in _told(response, 422, "invalid-edge")["what"]
    assert staff.get("/cameras").status_code == 200


@pytest.mark.parametrize("body", [b"", b"{}", b'{"at": "2026-03-02T12:00:00Z", "cameras": 3}'])
def test_a_heartbeat_that_cannot_be_read_is_told(watcher: httpx.Client, body: bytes) -> None:
    _told(watcher.post("/api/v1/heartbeat", content=body), 422, "invalid-edge")


def test_a_cleared_edge_ends_an_acknowledged_alarm(watcher: httpx.Client, staff: httpx.Client) -> None:
    edge = an_edge("water", source="cam-clears", place="dock-2")
    alarm_id = post_edge(watcher, edge).json()["alarm_id"]
    assert staff.post(f"/alarms/{alarm_id}/acknowledge").json()["state"] == "ACK"
    now = datetime.now(UTC)
    gone = an_edge(
        "water", source="cam-clears", place="dock-2", kind=EdgeKind.CLEARED, captured_at=now, since=now
    )
    assert post_edge(watcher, gone).json()["ruling"] == "clears"
    assert staff.get(f"/api/v1/alarms/{alarm_id}").json()["state"] == "NORMAL"
