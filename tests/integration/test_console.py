"""The console's pages and forms against a real centre: what staff do, and what two of them do at once."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from tests.support.running import RunningCentre, an_edge, post_edge

from tocsin.core.observation import EdgeKind
from tocsin.web import pages as pages_module


@pytest.fixture(scope="module")
def centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCentre]:
    with RunningCentre(tmp_path_factory.mktemp("centre")) as running:
        yield running


@pytest.fixture(scope="module")
def watcher(centre: RunningCentre) -> Iterator[httpx.Client]:
    with centre.watcher() as client:
        yield client


@pytest.fixture(scope="module")
def page(centre: RunningCentre) -> Iterator[httpx.Client]:
    """As a browser without a script."""
    with centre.staff("ana") as client:
        yield client


@pytest.fixture(scope="module")
def script(centre: RunningCentre) -> Iterator[httpx.Client]:
    """As the console's script does it."""
    with centre.staff("rui", accept="application/json") as client:
        yield client


def _alarm(watcher: httpx.Client, hazard: str = "flame", **other: Any) -> str:
    """A new alarm, at a place of its own so that it merges with no other."""
    edge = an_edge(hazard, source=f"cam-{uuid4()}", place=f"place-{uuid4()}", **other)
    return post_edge(watcher, edge).json()["alarm_id"]


def test_an_alarm_is_on_the_board_and_has_a_page(watcher: httpx.Client, page: httpx.Client) -> None:
    alarm_id = _alarm(watcher)
    assert f'id="alarm-{alarm_id}"' in page.get("/").text
    one = page.get(f"/alarms/{alarm_id}")
    assert one.status_code == 200
    assert "seen in 5 of the last 6 looks" in one.text
    assert "Alarm raised" in one.text


def test_a_form_leads_back_to_the_alarm_and_the_script_gets_json(
    watcher: httpx.Client, page: httpx.Client, script: httpx.Client
) -> None:
    alarm_id = _alarm(watcher)
    answer = page.post(f"/alarms/{alarm_id}/acknowledge")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/alarms/{alarm_id}")
    resolved = script.post(f"/alarms/{alarm_id}/resolve", data={"outcome": "drill", "note": "a test"})
    assert resolved.json() == {"ok": True, "message": "Resolved.", "state": "NORMAL"}
    story = script.get(f"/api/v1/alarms/{alarm_id}").json()
    assert [(line["who"], line["what"].partition(":")[0]) for line in story["lines"]][-2:] == [
        ("ana", "Acknowledged"),
        ("rui", "Resolved"),
    ]
    assert story["outcome_text"] == "Drill or test"


def test_a_false_alarm_without_its_cause_comes_back_as_it_was_filled_in(
    watcher: httpx.Client, page: httpx.Client
) -> None:
    alarm_id = _alarm(watcher)
    page.post(f"/alarms/{alarm_id}/acknowledge")
    filled = {"outcome": "false", "cause": "", "note": "<b>the kettle & the lamp</b>"}
    refused = page.post(f"/alarms/{alarm_id}/resolve", data=filled)
    assert refused.status_code == 422
    assert 'role="alert"' in refused.text
    assert "a false alarm needs its cause" in refused.text
    assert re.search(r'<details data-part="resolve"[^>]* open>', refused.text)
    assert '<option value="false" selected>' in refused.text
    assert "&lt;b&gt;the kettle &amp; the lamp&lt;/b&gt;</textarea>" in refused.text
    contradictory = page.post(f"/alarms/{alarm_id}/resolve", data={"outcome": "drill", "cause": "lamp"})
    assert contradictory.status_code == 422
    assert '<option value="lamp" selected>' in contradictory.text
    done = page.post(f"/alarms/{alarm_id}/resolve", data=filled | {"cause": "lamp"})
    assert (done.status_code, done.headers["location"]) == (303, f"/alarms/{alarm_id}")
    assert "False alarm: Lamp, or a light that switches" in page.get(f"/alarms/{alarm_id}").text
    assert "False alarm: Lamp, or a light that switches" in page.get("/history").text


def test_a_script_is_told_the_causes_that_fit_and_reads_the_chosen_one(
    watcher: httpx.Client, script: httpx.Client
) -> None:
    alarm_id = _alarm(watcher, "water")
    script.post(f"/alarms/{alarm_id}/acknowledge")
    refused = script.post(f"/alarms/{alarm_id}/resolve", data={"outcome": "false"})
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid-input")
    assert "wet-floor" in refused.json()["hint"]
    assert "planned-burn" not in refused.json()["hint"]
    sent = {"outcome": "false", "cause": "wet-floor"}
    assert script.post(f"/alarms/{alarm_id}/resolve", data=sent).json()["ok"]
    story = script.get(f"/api/v1/alarms/{alarm_id}").json()
    assert (story["outcome"], story["cause"]) == ("false", "wet-floor")
    assert story["outcome_text"] == "False alarm: Wet ground or cleaning"
    assert story["lines"][-1]["reason"] == "False alarm: Wet ground or cleaning"


def test_only_causes_that_fit_are_offered_and_staff_need_none(
    watcher: httpx.Client, page: httpx.Client, script: httpx.Client
) -> None:
    water = _alarm(watcher, "water")
    page.post(f"/alarms/{water}/acknowledge")
    text = page.get(f"/alarms/{water}").text
    assert 'value="wet-floor"' in text
    assert 'value="planned-burn"' not in text
    assert "data-needed" in text
    sent = {"hazard": "gas", "place": "dock", "report_id": str(uuid4())}
    reported = script.post("/report", data=sent).json()["alarm_id"]
    page.post(f"/alarms/{reported}/acknowledge")
    assert "data-needed" not in page.get(f"/alarms/{reported}").text
    assert script.post(f"/alarms/{reported}/resolve", data={"outcome": "false"}).json()["ok"]


def test_the_second_to_acknowledge_is_told_who_has_it(
    watcher: httpx.Client, page: httpx.Client, script: httpx.Client
) -> None:
    alarm_id = _alarm(watcher)
    page.post(f"/alarms/{alarm_id}/acknowledge")
    second = script.post(f"/alarms/{alarm_id}/acknowledge")
    assert second.status_code == 409
    assert second.json()["hint"] == "ana has acknowledged it already"
    as_page = script.post(f"/alarms/{alarm_id}/acknowledge", headers={"accept": "text/html"})
    assert as_page.status_code == 409
    assert page.post(f"/alarms/{alarm_id}/acknowledge").status_code == 303, "who has it may press twice"
    assert "ana has acknowledged it already" in as_page.text
    assert script.get(f"/api/v1/alarms/{alarm_id}").json()["handled_by"].startswith("ana,")


def test_of_many_who_acknowledge_at_once_one_has_it(centre: RunningCentre, watcher: httpx.Client) -> None:
    alarm_id = _alarm(watcher)
    answers: list[tuple[str, httpx.Response]] = []

    def press(name: str, client: httpx.Client, gate: threading.Barrier) -> None:
        gate.wait(30)
        answers.append((name, client.post(f"/alarms/{alarm_id}/acknowledge")))

    with (
        centre.staff("one", accept="application/json") as one,
        centre.staff("two", accept="application/json") as two,
        centre.staff("three", accept="application/json") as three,
    ):
        gate = threading.Barrier(3)
        threads = [
            threading.Thread(target=press, args=(name, client, gate))
            for name, client in (("one", one), ("two", two), ("three", three))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        story = one.get(f"/api/v1/alarms/{alarm_id}").json()
    assert sorted(answer.status_code for _, answer in answers) == [200, 409, 409]
    (first,) = [name for name, answer in answers if answer.status_code == 200]
    for _, answer in answers:
        if answer.status_code == 409:
            assert answer.json()["hint"] == f"{first} has acknowledged it already"
    assert [line["who"] for line in story["lines"] if line["what"].startswith("Acknowledged")] == [first]


@pytest.mark.parametrize(
    ("path", "fields", "status"),
    [
        ("acknowledge", {}, 200),
        ("resolve", {"outcome": "drill"}, 409),
        ("resolve", {"outcome": "shrug"}, 422),
        ("resolve", {"outcome": "drill", "note": "n" * 400}, 422),
        ("unshelve", {}, 409),
        ("shelve", {"minutes": "15", "reason": "works"}, 200),
        ("shelve", {"minutes": "15", "reason": "boredom"}, 422),
        ("shelve", {"minutes": "15"}, 422),
        ("shelve", {"reason": "works"}, 422),
        ("shelve", {"minutes": "soon", "reason": "works"}, 422),
        ("shelve", {"minutes": "0", "reason": "works"}, 422),
        ("shelve", {"minutes": "-5", "reason": "works"}, 422),
        ("shelve", {"minutes": "1441", "reason": "works"}, 422),
        ("shelve", {"minutes": "99999999999999", "reason": "works"}, 422),
        ("shelve", {"minutes": "9" * 400, "reason": "works"}, 422),
    ],
)
def test_a_move_is_made_or_refused_in_plain_words(
    watcher: httpx.Client,
    page: httpx.Client,
    script: httpx.Client,
    path: str,
    fields: dict[str, str],
    status: int,
) -> None:
    alarm_id = _alarm(watcher)
    answer = script.post(f"/alarms/{alarm_id}/{path}", data=fields)
    assert answer.status_code == status, answer.text
    if status != 200:
        assert answer.json()["what"]
        assert script.get(f"/api/v1/alarms/{alarm_id}").json()["state"] == "UNACK"
        as_page = page.post(f"/alarms/{alarm_id}/{path}", data=fields)
        assert as_page.status_code == status
        assert as_page.headers["content-type"].startswith("text/html")
        assert "To the open alarms" in as_page.text


def test_a_shelved_alarm_stays_in_sight_until_its_time_is_over(
    watcher: httpx.Client, script: httpx.Client
) -> None:
    alarm_id = _alarm(watcher)
    script.post(
        f"/alarms/{alarm_id}/shelve", data={"minutes": "15", "reason": "works", "note": "hot  work\n"}
    )
    (alarm,) = [a for a in script.get("/api/v1/alarms").json() if a["id"] == alarm_id]
    assert alarm["silence_text"].startswith("rui, until ")
    assert alarm["silence_text"].endswith("Permitted works in view: hot work")
    assert alarm["can_unshelve"]
    assert script.post(f"/alarms/{alarm_id}/unshelve").json()["ok"]
    assert script.get(f"/api/v1/alarms/{alarm_id}").json()["silence_text"] == ""


@pytest.mark.parametrize("alarm_id", ["nothing", "a" * 300, "%00", "..%2f..%2fetc"])
def test_what_is_not_there_is_told_in_both_forms(
    page: httpx.Client, script: httpx.Client, alarm_id: str
) -> None:
    for method, path in (("GET", f"/alarms/{alarm_id}"), ("POST", f"/alarms/{alarm_id}/acknowledge")):
        as_page = page.request(method, path)
        assert as_page.status_code == 404
        assert "<h1>" in as_page.text
    assert script.get(f"/api/v1/alarms/{alarm_id}").status_code == 404
    assert page.get(f"/pictures/{alarm_id}.jpg").status_code == 404


def test_a_report_is_taken_once_however_often_it_is_sent(page: httpx.Client, script: httpx.Client) -> None:
    form = page.get("/report").text
    (report_id,) = re.findall(r'name="report_id" value="([^"]+)"', form)
    fields = {"hazard": "gas", "place": "dock", "report_id": report_id}
    first = script.post("/report", data=fields).json()
    assert (first["ok"], first["ruling"]) == (True, "new")
    # The same, written otherwise; then as a plain form.
    again = script.post("/report", data=fields | {"report_id": report_id.upper()}).json()
    assert again["alarm_id"] == first["alarm_id"]
    plain = page.post("/report", data=fields)
    assert (plain.status_code, plain.headers["location"]) == (303, f"/report?sent={first['alarm_id']}")
    assert "Gas or chemical smell at Loading dock is alarm" in page.get(plain.headers["location"]).text
    story = script.get(f"/api/v1/alarms/{first['alarm_id']}").json()
    raised = [line for line in story["lines"] if line["what"].startswith(("Alarm raised", "Seen again"))]
    assert len(raised) == 1


@pytest.mark.parametrize(
    "fields",
    [
        {"hazard": "person"},
        {"hazard": ""},
        {"hazard": "camera-silent"},
        {"place": "the moon"},
        {"place": ""},
        {"report_id": "1"},
        {"report_id": ""},
    ],
)
def test_a_wrong_report_is_told_and_nothing_is_raised(
    page: httpx.Client, script: httpx.Client, fields: dict[str, str]
) -> None:
    before = len(script.get("/api/v1/alarms").json())
    sent = {"hazard": "smoke", "place": "hall", "report_id": str(uuid4())} | fields
    answer = script.post("/report", data=sent)
    assert answer.status_code in (403, 422)
    assert answer.json()["what"]
    as_page = page.post("/report", data=sent)
    assert as_page.status_code == 422
    assert 'role="alert"' in as_page.text
    assert len(script.get("/api/v1/alarms").json()) == before


def test_history_goes_back_page_by_page_without_a_gap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages_module, "HISTORY_PAGE", 4)
    with (
        RunningCentre(tmp_path) as centre,
        centre.watcher() as watcher,
        centre.staff("ana") as page,
    ):
        count = 9
        for number in range(count):
            edge = an_edge("camera-blurred", source=f"cam-{number}", place=f"place-{number}")
            alarm_id = post_edge(watcher, edge).json()["alarm_id"]
            page.post(f"/alarms/{alarm_id}/acknowledge")
            page.post(f"/alarms/{alarm_id}/resolve", data={"outcome": "repaired"})
        seen: list[int] = []
        path: str | None = "/history"
        pages = 0
        while path:
            text = page.get(path).text
            pages += 1
            seen.extend(int(number) for number in re.findall(r"· alarm (\d+)", text))
            link = re.search(r'href="(/history\?before=\d+)"', text)
            path = link.group(1) if link else None
    assert pages == 3
    assert seen == list(range(count, 0, -1))


@pytest.mark.parametrize(
    ("before", "status"),
    [("0", 200), ("1", 200), ("-1", 422), ("x", 422), ("9" * 15, 200), ("9" * 19, 422), ("9" * 400, 422)],
)
def test_history_from_anywhere_is_answered(page: httpx.Client, before: str, status: int) -> None:
    assert page.get("/history", params={"before": before}).status_code == status


def test_an_open_alarm_is_not_history_and_a_cleared_trouble_is(
    watcher: httpx.Client, page: httpx.Client
) -> None:
    edge = an_edge("camera-moved", source="cam-h", place="place-h")
    alarm_id = post_edge(watcher, edge).json()["alarm_id"]
    assert alarm_id not in page.get("/history").text
    page.post(f"/alarms/{alarm_id}/acknowledge")
    gone = an_edge("camera-moved", source="cam-h", place="place-h", kind=EdgeKind.CLEARED)
    post_edge(watcher, gone)
    assert alarm_id in page.get("/history").text
    assert f'id="alarm-{alarm_id}"' not in page.get("/").text


def test_what_came_late_says_so(watcher: httpx.Client, page: httpx.Client) -> None:
    early = an_edge().captured_at - timedelta(minutes=7)
    alarm_id = _alarm(watcher, captured_at=early, since=early)
    text = page.get(f"/alarms/{alarm_id}").text
    assert "before it reached the centre" in text
    assert "late: seen 7 min" in text
