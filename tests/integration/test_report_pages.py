"""Reports over HTTP: by the code on the wall, with a picture, through the API, and what refuses to be one."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from starlette.formparsers import MultiPartParser
from tests.support.running import (
    PASSWORD,
    RunningCentre,
    an_edge,
    distinct_columns,
    post_edge,
    put_picture,
    sharp_jpeg,
)

from tocsin.core.journal import Entry
from tocsin.core.observation import Region
from tocsin.web.app import MAX_BODY
from tocsin.web.in_memory import SPOOL_BYTES

PLACES = [
    {"id": "hall", "name": "Sorting hall", "lat": 48.1374, "lon": 11.5755},
    {"id": "dock", "name": "Loading dock", "lat": 48.1380, "lon": 11.5770},
    {"id": "roof", "name": "Roof & stairs"},
]


@pytest.fixture(scope="module")
def centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCentre]:
    with RunningCentre(tmp_path_factory.mktemp("centre"), place=PLACES) as running:
        running.user("ana")
        running.user("rui")
        yield running


@pytest.fixture
def page(centre: RunningCentre) -> Iterator[httpx.Client]:
    with centre.staff("ana") as client:
        yield client


@pytest.fixture
def script(centre: RunningCentre) -> Iterator[httpx.Client]:
    with centre.staff("ana", accept="application/json") as client:
        yield client


def _body(**other: Any) -> dict[str, Any]:
    return {"id": str(uuid4()), "hazard": "gas", "place": "hall"} | other


def _alarm(client: httpx.Client, alarm_id: str) -> dict[str, Any]:
    return client.get(f"/api/v1/alarms/{alarm_id}").json()


def _pictures_on_disk(centre: RunningCentre) -> set[Path]:
    return set((centre.config.centre.data_dir / "pictures").rglob("*.jpg"))


# The code on the wall


def test_the_code_on_the_wall_leads_to_the_form_for_that_place_by_way_of_signing_in(
    centre: RunningCentre,
) -> None:
    with centre.guest(origin=centre.url) as phone:
        to_sign_in = phone.get("/report", params={"place": "hall"})
        assert to_sign_in.status_code == 303
        assert to_sign_in.headers["location"] == "/sign-in?next=/report%3Fplace%3Dhall"
        form = phone.get(to_sign_in.headers["location"]).text
        (there,) = re.findall(r'name="next" value="([^"]+)"', form)
        fields = {"username": "ana", "password": PASSWORD, "next": there}
        signed_in = phone.post("/sign-in", data=fields)
        assert (signed_in.status_code, signed_in.headers["location"]) == (303, "/report?place=hall")
        html = phone.get(signed_in.headers["location"]).text
    assert re.search(r'value="hall" required checked', html)
    assert re.search(r'id="chosen-place">.*<b>Sorting hall</b>', html)


@pytest.mark.parametrize("elsewhere", ["//evil.example?place=hall", "https://evil.example/report?place=hall"])
def test_a_code_that_somebody_else_hung_up_leads_nowhere_else(centre: RunningCentre, elsewhere: str) -> None:
    with centre.guest(origin=centre.url) as phone:
        fields = {"username": "ana", "password": PASSWORD, "next": elsewhere}
        assert phone.post("/sign-in", data=fields).headers["location"] == "/"


def test_a_code_of_a_place_that_is_gone_says_so_and_shows_the_list(page: httpx.Client) -> None:
    html = page.get("/report", params={"place": '<script>"old"'}).text
    assert "There is no place “&lt;script&gt;&#34;old&#34;” at this site" in html
    assert "checked" not in html
    assert "Sorting hall" in html


def test_the_places_page_and_sheets_hold_one_code_each(centre: RunningCentre, page: httpx.Client) -> None:
    html = page.get("/places").text
    assert html.count('class="qr"') == len(PLACES)
    # This centre is on a loopback address: whoever would print now is warned.
    assert "lead to this machine alone" in html
    sheet = page.get("/places/roof/sheet").text
    assert f"{centre.url}/report?place=roof" in sheet
    assert "Roof &amp; stairs" in sheet
    assert page.get("/places/cellar/sheet").status_code == 404


def test_the_sheet_of_numbers_holds_what_staff_report_with_a_first_step(page: httpx.Client) -> None:
    html = page.get("/report/codes").text
    assert [int(n) for n in re.findall(r'class="code-number">(\d+)', html)] == [
        11, 12, 13, 21, 31, 41, 51, 61, 71, 81,
    ]  # fmt: skip
    assert "say “three one”" in html
    assert "First: Leave the area crosswind" in html


def test_the_plan_shows_the_places_that_say_where_they_are(page: httpx.Client) -> None:
    html = page.get("/report").text
    assert re.findall(r'data-place="(\w+)"', html) == ["hall", "dock"]
    assert re.search(r"<text [^>]*>20 m</text>", html)


# The form, with a picture and without a script


def _fields(**other: str) -> dict[str, str]:
    return {"hazard": "gas", "place": "dock", "report_id": str(uuid4())} | other


def test_invariant_4_a_picture_of_the_plain_form_is_redacted_and_shown(
    centre: RunningCentre, page: httpx.Client, script: httpx.Client
) -> None:
    files = {"picture": ("photo.jpg", sharp_jpeg(), "image/jpeg")}
    sent = page.post("/report", data=_fields(), files=files)
    assert sent.status_code == 303
    alarm_id = sent.headers["location"].removeprefix("/report?sent=")
    shown = [p for p in _alarm(script, alarm_id)["pictures"] if p["role"] == "staff"]
    assert len(shown) == 1
    assert distinct_columns(page.get(shown[0]["url"]).content) <= 96
    html = page.get(f"/alarms/{alarm_id}").text
    assert "From staff" in html
    assert shown[0]["url"] in html


def test_invariant_4_an_upload_of_the_largest_size_never_touches_the_disk(
    page: httpx.Client, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def rolled(*_: object) -> None:
        raise AssertionError("an upload went to the disk")

    monkeypatch.setattr(tempfile.SpooledTemporaryFile, "rollover", rolled)
    noise = sharp_jpeg(1500, 1000)
    assert 1024 * 1024 < len(noise) < 2 * 1024 * 1024, "larger than the parser keeps in memory by itself"
    sent = page.post("/report", data=_fields(), files={"picture": ("p.jpg", noise, "image/jpeg")})
    assert sent.status_code == 303
    assert "picture=" not in sent.headers["location"]
    # The test can fail: with the parser's own limit it does.
    usual = tempfile.SpooledTemporaryFile(max_size=MultiPartParser.spool_max_size)  # noqa: SIM115
    with usual, pytest.raises(AssertionError, match="went to the disk"):
        usual.write(noise)
    assert SPOOL_BYTES > MAX_BODY


def test_a_refused_picture_never_costs_the_report_and_is_journalled(
    centre: RunningCentre, page: httpx.Client, script: httpx.Client
) -> None:
    before = _pictures_on_disk(centre)
    files = {"picture": ("p.svg", b"<svg onload='alert(1)'/>", "image/svg+xml")}
    sent = page.post("/report", data=_fields(place="hall"), files=files)
    assert sent.headers["location"].endswith("&picture=refused")
    assert "The picture was not taken" in page.get(sent.headers["location"]).text
    alarm_id = re.findall(r"sent=([\w-]+)", sent.headers["location"])[0]
    lines = _alarm(script, alarm_id)["lines"]
    assert [line["reason"] for line in lines if line["what"] == "Picture refused"] == [
        "neither JPEG, PNG nor WebP"
    ]
    assert _pictures_on_disk(centre) == before


@pytest.mark.parametrize("kind", ["multipart/form-data", "multipart/form-data; boundary=x"])
def test_a_body_that_is_no_form_is_refused(page: httpx.Client, kind: str) -> None:
    assert page.post("/report", content=b"--y\r\n\r\n", headers={"content-type": kind}).status_code in (
        400,
        422,
    )


def test_two_files_and_a_hundred_fields_are_refused(page: httpx.Client) -> None:
    two = [("picture", ("a", b"x")), ("picture", ("b", b"x"))]
    assert page.post("/report", data=_fields(), files=two).status_code == 400
    assert page.post("/report", data={f"f{i}": "1" for i in range(100)}).status_code == 400
    assert page.post("/report", data=_fields(hazard="x" * 100_000)).status_code in (400, 413)


# The API


def test_a_report_is_taken_once_and_says_so(script: httpx.Client) -> None:
    body = _body()
    first, again = script.post("/api/v1/reports", json=body), script.post("/api/v1/reports", json=body)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["alarm_id"] == again.json()["alarm_id"]


def test_a_report_that_waited_carries_its_own_time(script: httpx.Client, centre: RunningCentre) -> None:
    made = datetime.now(UTC) + timedelta(hours=5)  # the phone's clock is wrong
    sent = made + timedelta(minutes=7)
    body = _body(hazard="structure", made_at=made.isoformat(), sent_at=sent.isoformat())
    alarm = _alarm(script, script.post("/api/v1/reports", json=body).json()["alarm_id"])
    assert alarm["late_text"] == "seen 7 min before it reached the centre"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (_body(id="1"), 422),
        (_body(place="cellar"), 422),
        (_body(hazard="fight"), 422),
        (_body(hazard="camera-silent"), 403),
        (_body(by="rui"), 403),
        (_body(made_at="2026-03-02T12:00:00"), 422),
        (_body(made_at="0001-01-01T00:00:00Z"), 422),
        (_body(colour="red"), 422),
        ([], 422),
    ],
)
def test_what_is_no_report_is_refused(script: httpx.Client, body: Any, status: int) -> None:
    before = len(script.get("/api/v1/alarms").json())
    assert script.post("/api/v1/reports", json=body).status_code == status
    assert len(script.get("/api/v1/alarms").json()) == before


def test_the_api_takes_no_report_from_another_site_or_from_nobody(centre: RunningCentre) -> None:
    with centre.guest(accept="application/json") as guest:
        assert guest.post("/api/v1/reports", json=_body()).status_code == 401
    with centre.staff("ana", accept="application/json") as client:
        client.headers["origin"] = "https://evil.example"
        assert client.post("/api/v1/reports", json=_body()).status_code == 403


def test_invariant_4_a_picture_keeps_detail_where_it_is_marked_alone(script: httpx.Client) -> None:
    body = _body(hazard="medical")
    alarm_id = script.post("/api/v1/reports", json=body).json()["alarm_id"]
    url = f"/api/v1/reports/{body['id']}/picture"
    first = script.put(url, params={"region": "0.4,0.4,0.6,0.6"}, content=sharp_jpeg())
    assert first.status_code == 200
    again = script.put(url, content=sharp_jpeg(seed=2))
    assert again.json()["picture_id"] == first.json()["picture_id"]
    (shown,) = _alarm(script, alarm_id)["pictures"]
    jpeg = script.get(shown["url"]).content
    assert distinct_columns(jpeg, Region(0.0, 0.0, 1.0, 0.35)) <= 96


def test_a_picture_belongs_to_a_report_of_ones_own(centre: RunningCentre, script: httpx.Client) -> None:
    body = _body(hazard="power")
    url = f"/api/v1/reports/{body['id']}/picture"
    early = script.put(url, content=sharp_jpeg())
    assert (early.status_code, early.json()["permanent"]) == (409, False)
    script.post("/api/v1/reports", json=body)
    with centre.staff("rui", accept="application/json") as other:
        assert other.put(url, content=sharp_jpeg()).status_code == 403
    assert script.put(url, params={"region": "1,2,3"}, content=sharp_jpeg()).status_code == 422
    refused = script.put(url, content=b"GIF89a")
    assert (refused.status_code, refused.json()["code"]) == (415, "picture")
    assert script.put(url, content=bytes(3_500_000)).status_code == 413
    assert script.put(url, content=sharp_jpeg()).status_code == 200


def test_a_cameras_alarm_takes_no_picture_of_staff(centre: RunningCentre, script: httpx.Client) -> None:
    edge = an_edge("water")
    with centre.watcher() as watcher:
        assert post_edge(watcher, edge).status_code == 201
    assert script.put(f"/api/v1/reports/{edge.id}/picture", content=sharp_jpeg()).status_code == 403


def test_what_the_camera_saw_and_what_staff_sent_stand_side_by_side(
    centre: RunningCentre, script: httpx.Client
) -> None:
    edge = an_edge("smoke", place="dock")
    with centre.watcher() as watcher:
        alarm_id = post_edge(watcher, edge).json()["alarm_id"]
        assert put_picture(watcher, edge).status_code == 200
    body = _body(hazard="smoke", place="dock")
    told = script.post("/api/v1/reports", json=body).json()
    assert (told["ruling"], told["alarm_id"]) == ("corroborates", alarm_id)
    script.put(f"/api/v1/reports/{body['id']}/picture", content=sharp_jpeg())
    assert [p["role"] for p in _alarm(script, alarm_id)["pictures"]] == ["at", "staff"]


# What the browser keeps


def test_the_service_worker_may_serve_all_pages_and_is_never_old(centre: RunningCentre) -> None:
    with centre.guest() as guest:
        answer = guest.get("/sw.js")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.headers["cache-control"] == "no-cache"
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    assert not re.search(r"^\s*import\b", answer.text, re.MULTILINE), "one classic script"


def test_the_kept_form_holds_no_alarm_and_all_that_it_loads(
    centre: RunningCentre, page: httpx.Client
) -> None:
    page.post("/report", data=_fields())
    html = page.get("/report/shell").text
    assert "/alarms/" not in html
    assert "/pictures/" not in html
    assert "data-now" not in html, "an old page's time is not the centre's"
    for url in set(re.findall(r"/static/dist/assets/[\w.-]+", html)):
        answer = page.get(url)
        assert answer.status_code == 200
        for imported in re.findall(r'from"\./([\w.-]+)"', answer.text):
            assert f"/static/dist/assets/{imported}" in html


def test_the_journal_names_who_sent_a_picture(centre: RunningCentre, script: httpx.Client) -> None:
    body = _body(hazard="weather")
    alarm_id = script.post("/api/v1/reports", json=body).json()["alarm_id"]
    script.put(f"/api/v1/reports/{body['id']}/picture", content=sharp_jpeg())

    async def written(running: Any) -> list[str]:
        async with running.store.reading() as unit:
            lines = await unit.journal.of(alarm_id)
        return [line.entry.actor for line in lines if line.entry.entry is Entry.PICTURE_ADDED]

    assert centre.do(written) == ["ana"]
