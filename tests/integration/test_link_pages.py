"""The link of a message over real HTTP: what it shows to a stranger, and that it leaks nowhere."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from tests.support.running import RunningCentre, an_edge, post_edge, put_picture, until
from tests.support.smtp import MailServer

from tocsin.core.alarm import AlarmId
from tocsin.core.dispatch import Page
from tocsin.core.links import Purpose
from tocsin.core.observation import Edge

RESPONDERS = [
    {"id": "ana", "name": "Ana <b>A.</b>", "contacts": [{"channel": "email", "address": "ana@mill.example"}]},
    {"id": "ben", "name": "Ben", "contacts": [{"channel": "email", "address": "ben@mill.example"}]},
]


def mail_by(port: int) -> dict[str, dict[str, object]]:
    return {"email": {"host": "127.0.0.1", "port": port, "sender": "t@mill.example", "tls": "none"}}


@pytest.fixture
def centre(tmp_path: Path) -> Iterator[RunningCentre]:
    place = [{"id": "hall", "name": "Hall <script>alert(1)</script>"}, {"id": "dock", "name": "Dock"}]
    # Nobody listens on that port: what is asked here is what the links do, and not whether they left.
    with RunningCentre(tmp_path, responder=RESPONDERS, place=place, channel=mail_by(9)) as running:
        yield running


def raised(centre: RunningCentre, edge: Edge | None = None, *, picture: bool = False) -> str:
    """The id of the alarm that a watcher's edge has raised."""
    edge = edge or an_edge("smoke")
    with centre.watcher() as watcher:
        alarm_id = post_edge(watcher, edge).json()["alarm_id"]
        if picture:
            assert put_picture(watcher, edge).status_code in (200, 201)
    return alarm_id


def page_of(centre: RunningCentre, alarm_id: str, who: str = "ana") -> Page:
    async def read(running: object) -> list[Page]:
        async with centre.centre.store.reading() as unit:
            return list(await unit.pages.of(AlarmId(alarm_id)))

    return next(one for one in centre.do(read) if one.responder == who)


def link(
    centre: RunningCentre, alarm_id: str, who: str = "ana", purpose: Purpose = Purpose.ACKNOWLEDGE
) -> str:
    links = centre.centre.house.policy.links
    assert links is not None
    return f"/a/{links.token(page_of(centre, alarm_id, who).id, purpose, centre.clock.now())}"


def state(centre: RunningCentre, alarm_id: str) -> tuple[str, str]:
    found = next((one for one in centre.alarms() if one["id"] == alarm_id), None)
    assert found is not None
    return found["state"], found["handled_by"]


def test_opening_a_link_shows_the_alarm_and_does_nothing_pressing_its_button_does(
    centre: RunningCentre,
) -> None:
    alarm_id = raised(centre)
    there = link(centre, alarm_id)
    with centre.guest() as stranger:
        shown, *again = [stranger.get(there) for _ in range(3)]
        assert [one.status_code for one in (shown, *again)] == [200] * 3
        assert "Smoke" in shown.text
        assert "Nobody has it yet." in shown.text
        assert "What to do" in shown.text
        assert "<script>alert" not in shown.text
        assert "Hall &lt;script&gt;" in shown.text
        assert "/pictures/" not in shown.text
        assert state(centre, alarm_id) == ("UNACK", "")
        assert page_of(centre, alarm_id).seen_at is None, "a scanner has not seen it"

        done = stranger.post(there)
        assert done.status_code == 303
        assert state(centre, alarm_id)[0] == "ACK"
        assert page_of(centre, alarm_id).seen_at is not None
        following = stranger.get(done.headers["location"])
        assert "You have it since" in following.text
        assert "Ana &lt;b&gt;A.&lt;/b&gt;" in following.text
        assert re.findall(r"<button[^>]*>([^<]*)</button>", following.text) == [
            "I am on the way", "I am on site",
        ]  # fmt: skip


def test_on_the_way_and_on_site_follow_by_links_of_their_own(centre: RunningCentre) -> None:
    alarm_id = raised(centre)
    with centre.guest() as stranger:
        way = stranger.post(link(centre, alarm_id)).headers["location"]
        site = stranger.post(way).headers["location"]
        assert "is on the way" in stranger.get(site).text
        there = stranger.post(site)
        assert there.status_code == 200
        assert "is on site" in there.text
        assert "<form" not in there.text
        for used in (way, site):
            assert stranger.post(used).status_code == 410
    with centre.staff("rui") as rui:
        board = rui.get("/").text
        assert "on the way" in board
        assert "on site" in board


def test_used_forged_and_expired_links_say_so_and_lead_to_sign_in(centre: RunningCentre) -> None:
    alarm_id = raised(centre)
    there = link(centre, alarm_id)
    with centre.guest() as stranger:
        assert stranger.post(there).status_code == 303
        for again in (stranger.post(there), stranger.get(there)):
            assert again.status_code == 410
            assert "used already" in again.text
            assert f'href="/alarms/{alarm_id}"' in again.text
        forged = stranger.get(there[:-1] + ("A" if there[-1] != "A" else "B"))
        assert forged.status_code == 403
        assert 'href="/sign-in"' in forged.text
        assert stranger.post("/a/" + "x" * 51).status_code == 403
        late = stranger.get(link_before(centre, alarm_id))
        assert "24 hours" in late.text
        assert late.status_code == 410


def link_before(centre: RunningCentre, alarm_id: str) -> str:
    links = centre.centre.house.policy.links
    assert links is not None
    made = centre.clock.now() - timedelta(days=1, seconds=1)
    return f"/a/{links.token(page_of(centre, alarm_id, 'ben').id, Purpose.ACKNOWLEDGE, made)}"


def test_a_flood_of_wrong_links_is_slowed_down_and_keeps_no_real_one_out(centre: RunningCentre) -> None:
    alarm_id = raised(centre)
    with centre.guest() as stranger:
        statuses = [stranger.post("/a/" + "x" * 51).status_code for _ in range(12)]
        assert statuses[0] == 403
        assert 429 in statuses
        assert stranger.post(link(centre, alarm_id)).status_code == 303
        assert stranger.get("/sign-in").status_code == 200


@pytest.mark.parametrize("kind", ["good", "used", "forged", "wrong-method", "unknown"])
def test_a_link_s_answer_is_never_kept_and_its_address_goes_nowhere(centre: RunningCentre, kind: str) -> None:
    alarm_id = raised(centre)
    there = link(centre, alarm_id)
    with centre.guest() as stranger:
        if kind == "used":
            stranger.post(there)
        answer = {
            "good": lambda: stranger.get(there),
            "used": lambda: stranger.get(there),
            "forged": lambda: stranger.get("/a/" + "x" * 51),
            "wrong-method": lambda: stranger.put(there),
            "unknown": lambda: stranger.get(there + "/else"),
        }[kind]()
    assert answer.headers.get_list("referrer-policy") == ["no-referrer"]
    assert answer.headers.get_list("cache-control") == ["no-store"]
    assert len(answer.headers.get_list("content-security-policy")) == 1


def test_no_log_holds_a_link_not_even_when_the_centre_fails(
    centre: RunningCentre, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    alarm_id = raised(centre)
    there = link(centre, alarm_id)
    with centre.guest() as stranger:
        stranger.get(there)

        async def broken(*_: object) -> None:
            raise RuntimeError("a bug")

        monkeypatch.setattr(type(centre.centre.house.linking), "look", broken)
        failed = stranger.get(there)
    assert failed.status_code == 500
    assert failed.headers.get_list("referrer-policy") == ["no-referrer"]
    printed = capsys.readouterr()
    logged = printed.out + printed.err
    assert "request-failed" in logged
    assert "/a/***" in logged
    assert there.removeprefix("/a/") not in logged


def test_consoles_are_told_within_a_second_of_an_answer_by_link(centre: RunningCentre) -> None:
    alarm_id = raised(centre)
    there = link(centre, alarm_id)
    with centre.staff("rui") as rui, rui.stream("GET", "/live") as live:
        lines = live.iter_lines()
        for line in lines:
            if line == "event: cameras":
                break
        with centre.guest() as stranger:
            assert stranger.post(there).status_code == 303
        began_s = time.monotonic()
        for line in lines:
            if line.startswith("data:") and alarm_id in line and "ACK" in line and "UNACK" not in line:
                break
        assert time.monotonic() - began_s < 1.0


def test_the_api_of_staff_answers_and_may_be_asked_twice(centre: RunningCentre) -> None:
    alarm_id = raised(centre)
    with centre.staff("rui", accept="application/json") as rui, centre.staff("eva") as eva:
        for _ in range(2):
            answer = rui.post(f"/api/v1/alarms/{alarm_id}/acknowledge")
            assert answer.status_code == 200
            assert answer.json() == {"ok": True, "state": "ACK", "acknowledged_by": "rui"}
        second = eva.post(f"/api/v1/alarms/{alarm_id}/acknowledge")
        assert second.status_code == 409
        assert re.fullmatch(r"rui has it since \d\d:\d\d", second.json()["what"])
        for stage in ("on-the-way", "on-site"):
            for _ in range(2):
                assert rui.post(f"/api/v1/alarms/{alarm_id}/{stage}").status_code == 200
        assert rui.post(f"/api/v1/alarms/{alarm_id}/at-home").status_code == 422
        assert rui.post("/api/v1/alarms/nobody/on-site").status_code == 404
        told = rui.get(f"/api/v1/alarms/{alarm_id}").json()
        assert [one["stage"] for one in told["handled"]] == ["on the way", "on site"]
    with centre.guest(origin=centre.url) as stranger:
        assert stranger.post(f"/api/v1/alarms/{alarm_id}/on-site").status_code == 401
    with centre.staff("rui") as rui:
        rui.headers["origin"] = "https://elsewhere.example"
        assert rui.post(f"/api/v1/alarms/{alarm_id}/on-site").status_code == 403


def test_the_forms_of_the_alarm_s_page_do_the_same(centre: RunningCentre) -> None:
    alarm_id = raised(centre)
    with centre.staff("rui") as rui:
        assert "/on-the-way" not in rui.get(f"/alarms/{alarm_id}").text, "first somebody has to have it"
        rui.post(f"/alarms/{alarm_id}/acknowledge")
        for stage in ("on-the-way", "on-site"):
            assert f'action="/alarms/{alarm_id}/{stage}"' in rui.get(f"/alarms/{alarm_id}").text
            assert rui.post(f"/alarms/{alarm_id}/{stage}").status_code == 303
        assert "rui was on site." in rui.get(f"/alarms/{alarm_id}").text


def test_the_story_is_a_file_that_stands_by_itself_and_runs_nothing(centre: RunningCentre) -> None:
    alarm_id = raised(centre, picture=True)
    with centre.staff("rui") as rui:
        rui.post(f"/alarms/{alarm_id}/acknowledge")
        rui.post(
            f"/alarms/{alarm_id}/resolve",
            data={"outcome": "drill", "note": "<img src=x onerror=alert(1)>"},
        )
        html = rui.get(f"/alarms/{alarm_id}/story.html")
        paper = rui.get(f"/alarms/{alarm_id}/story.pdf")
    assert html.status_code == 200
    (policy,) = html.headers.get_list("content-security-policy")
    assert policy.startswith("default-src 'none'")
    assert "sandbox" in policy
    assert html.headers["content-disposition"] == 'attachment; filename="alarm-1.html"'
    assert 'src="data:image/jpeg;base64,' in html.text
    assert not re.search(r"<script|<img src=x|https?://|src=\"/", html.text)
    assert "Hall &lt;script&gt;" in html.text
    assert "rui acknowledged in the console, and calling stopped." in html.text
    assert paper.headers["content-type"] == "application/pdf"
    assert paper.content.startswith(b"%PDF-")
    assert paper.content.rstrip().endswith(b"%%EOF")
    assert b"/JavaScript" not in paper.content
    assert b"DCTDecode" in paper.content, "the picture lies in it as it is"
    with centre.guest() as stranger:
        assert stranger.get(f"/alarms/{alarm_id}/story.html").status_code == 303
    with centre.staff("rui") as rui:
        assert rui.get("/alarms/nobody/story.pdf").status_code == 404


def test_a_message_that_left_holds_a_link_that_works(tmp_path: Path) -> None:
    with (
        MailServer() as mail,
        RunningCentre(tmp_path, responder=RESPONDERS[:1], channel=mail_by(mail.port)) as centre,
    ):
        alarm_id = raised(centre)
        until(lambda: mail.mails, "a message has come")
        text = str(mail.mails[0].message.get_content())
        found = re.search(r"Acknowledge: (\S+)", text)
        assert found is not None
        with centre.guest() as stranger:
            assert stranger.post(found[1]).status_code == 303
        assert state(centre, alarm_id)[0] == "ACK"


def test_of_all_ways_over_http_one_has_it(centre: RunningCentre) -> None:
    alarm_id = raised(centre)
    links = [link(centre, alarm_id), link(centre, alarm_id, "ben")]

    async def race(cookies: httpx.Cookies) -> list[int]:
        headers = {"origin": centre.url, "accept": "application/json"}
        async with httpx.AsyncClient(
            base_url=centre.url, trust_env=False, timeout=20, headers=headers, cookies=cookies
        ) as client:
            asked = [client.post(one) for one in links]
            asked += [client.post(f"/alarms/{alarm_id}/acknowledge")]
            asked += [client.post(f"/api/v1/alarms/{alarm_id}/acknowledge")]
            return [answer.status_code for answer in await asyncio.gather(*asked)]

    with centre.staff("rui") as rui:
        statuses = asyncio.run(race(rui.cookies))
        story = rui.get(f"/alarms/{alarm_id}/story.html").text
    assert len(re.findall(r" acknowledged (by link|in the console|over the API)", story)) == 1
    assert set(statuses) <= {200, 303, 409}
    assert 409 in statuses
