"""The duty pages over loopback: the week, changes, calendars out and in, hand-over; plain forms and JSON."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.support.running import RunningCentre

from tocsin import wiring
from tocsin.core.journal import Entry
from tocsin.exchange.calendars import MAX_BYTES

EMAIL = {"host": "127.0.0.1", "port": 9, "sender": "tocsin@example.org", "tls": "none"}


def _responder(name: str, **more: Any) -> dict[str, Any]:
    contacts = [{"channel": "email", "address": f"{name}@example.org"}]
    return {"id": name, "name": name.title(), "contacts": contacts, "qualifications": ["fire"]} | more


SECTIONS: dict[str, Any] = {
    "site": {"name": "Test yard", "time_zone": "Europe/Lisbon"},
    "channel": {"email": EMAIL},
    "responder": [
        _responder("ana", shifts=[{"start": "00:00", "end": "12:00"}]),
        _responder("rui", shifts=[{"start": "12:00", "end": "24:00"}]),
        _responder("eva", calendar=True),
        _responder("zed", shifts=[{"start": "09:00", "end": "10:00"}]) | {"name": '<b>"Zed"</b>'},
    ],
}
JSON = {"accept": "application/json"}


@pytest.fixture(scope="module")
def centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCentre]:
    with RunningCentre(tmp_path_factory.mktemp("duty"), **SECTIONS) as running:
        yield running


@pytest.fixture
def ana(centre: RunningCentre) -> Iterator[httpx.Client]:
    with centre.staff() as client:
        yield client


def _local(centre: RunningCentre, **ahead: float) -> str:
    """A time of the site's clock as a browser's field writes it."""
    moment = (centre.clock.now() + timedelta(**ahead)).astimezone(centre.config.zone)
    return f"{moment:%Y-%m-%dT%H:%M}"


def _change(centre: RunningCentre, **fields: str) -> dict[str, str]:
    given = {"kind": "added", "responder": "eva", "reason": "<i>covers</i> for Rui"}
    return given | {"since": _local(centre), "until": _local(centre, hours=3)} | fields


def _ics(*events: str) -> bytes:
    body = "".join(f"BEGIN:VEVENT\r\n{event}\r\nEND:VEVENT\r\n" for event in events)
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:t\r\n{body}END:VCALENDAR\r\n".encode()


def _event(centre: RunningCentre, who: str) -> str:
    begins, ends = (centre.clock.now() + timedelta(days=days) for days in (1, 1.25))
    return f"UID:{who}\r\nSUMMARY:{who}\r\nDTSTART:{begins:%Y%m%dT%H%M%SZ}\r\nDTEND:{ends:%Y%m%dT%H%M%SZ}"


def test_nobody_sees_the_roster_who_is_not_signed_in(centre: RunningCentre) -> None:
    with centre.guest() as stranger:
        for path in ("/duty", "/duty.ics", "/duty/handover"):
            answer = stranger.get(path)
            assert (answer.status_code, answer.headers["location"]) == (303, f"/sign-in?next={path}")
        assert stranger.post("/duty/changes", data=_change(centre)).status_code in (303, 401)


def test_another_site_cannot_change_duty(centre: RunningCentre, ana: httpx.Client) -> None:
    foreign = {"origin": "https://elsewhere.example"}
    assert ana.post("/duty/changes", data=_change(centre), headers=foreign).status_code == 403


def test_the_week_shows_who_is_on_duty_and_escapes_what_staff_typed(ana: httpx.Client) -> None:
    text = ana.get("/duty").text
    assert "Europe/Lisbon" in text
    assert "00:00–12:00" in text
    assert "12:00–24:00" in text
    assert "&lt;b&gt;" in text
    assert "<b>&#34;Zed" not in text
    assert '<b>"Zed"</b>' not in text
    assert "Uncovered" not in text
    assert 'aria-current="page"' in text


def test_a_change_is_made_shown_journalled_and_ended(centre: RunningCentre, ana: httpx.Client) -> None:
    done = ana.post("/duty/changes", data=_change(centre))
    assert (done.status_code, done.headers["location"]) == (303, "/duty?done=changed#changes")
    text = ana.get("/duty").text
    assert "Eva is on duty" in text
    assert "&lt;i&gt;covers&lt;/i&gt; for Rui (ana)" in text

    async def journal(c: wiring.Centre) -> list[tuple[Entry, str]]:
        async with c.store.reading() as unit:
            return [(one.entry.entry, one.entry.actor) for one in await unit.journal.after(0, 999)]

    assert (Entry.DUTY_CHANGED, "ana") in centre.do(journal)
    (path,) = re.findall(r'action="(/duty/changes/[^"]+/end)"', text)
    ended = ana.post(path)
    assert (ended.status_code, ended.headers["location"]) == (303, "/duty?done=ended#changes")
    assert "Eva is on duty" not in ana.get("/duty").text
    assert ana.post(path, headers=JSON).status_code == 409


def test_a_gap_is_shown_in_red_words(centre: RunningCentre, ana: httpx.Client) -> None:
    off = _change(centre, kind="off", responder="rui", since=_local(centre), until=_local(centre, days=2))
    made = ana.post("/duty/changes", data=off, headers=JSON).json()
    assert made["ok"]
    text = ana.get("/duty").text
    assert "<b>Uncovered:</b> nobody is on duty" in text
    assert 'class="lane-gap"' in text
    ana.post(f"/duty/changes/{made['id']}/end")


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"until": "tomorrow"}, "not a time of the site&#39;s clock"),
        ({"until": "2026-03-02T14:00Z"}, "not a time of the site&#39;s clock"),
        ({"until": "9999-12-31T23:59"}, "not a time of the site&#39;s clock"),
        ({"until": "2001-01-01T00:00"}, "over already"),
        ({"responder": "nobody"}, "is not on the roster"),
        ({"reason": ""}, "needs a reason"),
        ({"kind": "trade", "responder": "rui", "taken_by": "rui"}, "with themselves"),
        ({"kind": "imported"}, "not written by hand"),
    ],
)
def test_a_form_that_cannot_be_is_shown_again_with_what_was_typed(
    centre: RunningCentre, ana: httpx.Client, fields: dict[str, str], says: str
) -> None:
    answer = ana.post("/duty/changes", data=_change(centre, **fields))
    assert answer.status_code == 422
    assert says in answer.text
    assert ana.post("/duty/changes", data=_change(centre, **fields), headers=JSON).status_code == 422


def test_the_roster_goes_out_as_a_calendar_and_comes_back(centre: RunningCentre, ana: httpx.Client) -> None:
    whole, mine = ana.get("/duty.ics?days=3"), ana.get("/duty.ics?responder=ana&days=3")
    assert whole.headers["content-type"] == "text/calendar; charset=utf-8"
    assert 'filename="duty-ana.ics"' in mine.headers["content-disposition"]
    assert "SUMMARY:Rui" in whole.text
    assert "SUMMARY:Rui" not in mine.text
    assert "example.org" not in whole.text
    assert ana.get("/duty.ics?responder=ivo").status_code == 404
    file = {"file": ("duty.ics", whole.content)}
    checked = ana.post("/duty/import", files=file, data={"act": "check"}, headers=JSON).json()
    assert (checked["ok"], checked["taken"]) == (True, 0)
    assert checked["shifts"] >= 6
    taken = ana.post("/duty/import", files=file, data={"act": "import"})
    assert 'role="alert"' not in taken.text.split("<main")[1].split("</main")[0], taken.text.split("<main")[
        1
    ][:900]
    assert f"{checked['shifts']} shifts are imported" in taken.text
    assert "came from a calendar" in ana.get("/duty").text


def test_a_calendar_that_lies_is_told_by_event_and_nothing_of_it_is_taken(
    centre: RunningCentre, ana: httpx.Client
) -> None:
    content = _ics(_event(centre, "Eva"), _event(centre, "<script>x</script>"))
    file = {"file": ("a.ics", content)}
    answer = ana.post("/duty/import", files=file, data={"act": "import"})
    assert answer.status_code == 422
    assert "Nothing was imported" in answer.text
    assert "1 of 2 events cannot be taken" in answer.text
    assert "<script>x" not in answer.text
    body = ana.post("/duty/import", files=file, data={"act": "import"}, headers=JSON).json()
    assert [one["refused"] for one in body["events"]] == [False, True]

    async def imported(c: wiring.Centre) -> set[str]:
        async with c.store.reading() as unit:
            now = centre.clock.now()
            return {one.responder for one in await unit.duty.between(now, now + timedelta(days=9))}

    assert "eva" not in centre.do(imported)


@pytest.mark.parametrize(
    ("content", "status", "says"),
    [
        (b"hello", 422, "this is no calendar"),
        (b"x" * (MAX_BYTES + 1), 422, "larger than 256 KiB"),
    ],
)
def test_a_file_that_is_no_calendar_or_too_large_is_refused(
    ana: httpx.Client, content: bytes, status: int, says: str
) -> None:
    answer = ana.post("/duty/import", files={"file": ("a.ics", content)}, data={"act": "import"})
    assert answer.status_code == status
    assert says in answer.text


def test_the_hand_over_says_what_stands(centre: RunningCentre, ana: httpx.Client) -> None:
    text = ana.get("/duty/handover").text
    assert "What stands now" in text
    assert re.search(r"<b>[^<]*(Ana|Rui|Zed)[^<]*</b> came", text)
    assert "Next change:" in text


def test_a_site_without_a_roster_has_the_page_too(tmp_path: Path) -> None:
    with RunningCentre(tmp_path) as empty, empty.staff() as ana:
        assert "Nobody is on the roster" in ana.get("/duty").text
        assert ana.get("/duty/handover").status_code == 200
        assert ana.get("/duty.ics").status_code == 200


def test_no_address_is_in_any_page(ana: httpx.Client) -> None:
    for path in ("/duty", "/duty/handover", "/duty.ics"):
        assert "@example.org" not in ana.get(path).text
