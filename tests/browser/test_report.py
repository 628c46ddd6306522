"""Reporting in a real browser: by the code on the wall, with a picture, and while there is no network."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from tests.browser.test_console import DESK, PHONE
from tests.browser.test_console import Screen as Screen
from tests.browser.test_console import _screen as screen  # pyright: ignore[reportPrivateUsage]
from tests.browser.test_console import browser as browser
from tests.support.running import RunningCentre, distinct_columns, sharp_jpeg, until

from tocsin.core.observation import Region

pytestmark = pytest.mark.browser

PLACES = [
    {"id": "hall", "name": "Sorting hall", "lat": 48.1374, "lon": 11.5755},
    {"id": "dock", "name": "Loading dock", "lat": 48.1380, "lon": 11.5770},
    {"id": "heap", "name": "Coal heap", "lat": 48.1371, "lon": 11.5774},
]
SYNC_TAG = "tocsin-reports"
SHELL_KEPT = "caches.open('tocsin-report-1').then((c) => c.match('/report/shell')).then((r) => !!r)"


@pytest.fixture
def centre(tmp_path: Path) -> Iterator[RunningCentre]:
    with RunningCentre(tmp_path, place=PLACES) as running:
        running.user("ana")
        running.user("rui")
        yield running


def _choose(page: Page, hazard: str, place: str = "") -> None:
    page.locator("label.tile", has_text=hazard).click()
    if place:
        page.locator("label.tile", has_text=place).click()


def _send(page: Page) -> None:
    page.get_by_role("button", name="Send the report").click()


def _alarms(centre: RunningCentre) -> list[dict[str, Any]]:
    return centre.alarms()


def _decoded(png: bytes) -> str:
    picture = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    return cv2.QRCodeDetector().detectAndDecode(picture)[0]


def test_a_phone_reads_the_code_off_the_wall_and_reports_with_one_more_touch(
    browser: Browser, centre: RunningCentre
) -> None:
    with screen(browser, centre) as desk:
        desk.sign_in("rui")
        desk.page.goto(f"{centre.url}/places/dock/sheet")
        url = _decoded(desk.page.locator(".qr").screenshot())
    assert url == f"{centre.url}/report?place=dock"
    with screen(browser, centre, size=PHONE) as phone:
        phone.page.goto(url)
        phone.page.get_by_label("User name").fill("ana")
        phone.page.get_by_label("Password").fill("correct horse battery")
        phone.page.get_by_role("button", name="Sign in").click()
        phone.page.wait_for_url(url)
        expect(phone.page.locator("#chosen-place")).to_have_text("Loading dock")
        _choose(phone.page, "Gas or chemical smell")
        _send(phone.page)
        expect(phone.page.locator("#report-message")).to_contain_text("Reported")
    (alarm,) = _alarms(centre)
    assert (alarm["hazard"], alarm["place"]) == ("gas", "Loading dock")


def test_a_hazard_is_found_by_other_words_and_a_place_on_the_plan(
    browser: Browser, centre: RunningCentre
) -> None:
    with screen(browser, centre) as desk:
        desk.sign_in()
        page = desk.page
        page.goto(f"{centre.url}/report")
        find = page.get_by_label("Find a hazard by name or number")
        find.fill("smell of gas")
        expect(page.locator("[data-choices=hazard] .tile:visible")).to_have_count(1)
        find.press("Enter")
        # With the keyboard: the plan's places are links.
        page.locator(".spot[data-place=heap]").focus()
        page.keyboard.press("Enter")
        expect(page.locator("#chosen-place")).to_have_text("Coal heap")
        expect(page.locator(".spot[data-chosen]")).to_have_attribute("data-place", "heap")
        expect(page.locator("#send-what")).to_have_text("Gas or chemical smell, at Coal heap")
        assert page.url.endswith("/report"), "what was chosen before is still there"


def _bright_part(page: Page) -> None:
    """Gives the form a picture, and marks its middle with one drag."""
    page.get_by_label("Of the hazard, never of people").set_input_files(
        {"name": "p.jpg", "mimeType": "image/jpeg", "buffer": sharp_jpeg(1600, 900)}
    )
    canvas = page.locator("#picture-canvas")
    expect(canvas).to_be_visible()
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 0.4 * box["width"], box["y"] + 0.4 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.6 * box["width"], box["y"] + 0.6 * box["height"], steps=4)
    page.mouse.up()
    expect(page.locator("#picture-tell")).to_contain_text("This is what is sent")


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_invariant_4_a_picture_is_redacted_before_it_leaves_the_browser(
    browser: Browser, centre: RunningCentre, size: dict[str, int]
) -> None:
    with screen(browser, centre, size=size) as phone:
        phone.sign_in()
        page = phone.page
        page.goto(f"{centre.url}/report?place=hall")
        _choose(page, "Open flame")
        _bright_part(page)
        sent: list[bytes] = []
        page.on(
            "request",
            lambda request: sent.append(request.post_data_buffer or b"") if request.method == "PUT" else None,
        )
        _send(page)
        expect(page.locator("#report-message")).to_contain_text("Reported")
        until(lambda: sent, "the picture was sent")
        assert distinct_columns(sent[0]) <= 96 + 160
        assert distinct_columns(sent[0], Region(0.0, 0.0, 1.0, 0.3)) <= 96
        page.get_by_role("link", name="See the alarm").click()
        shown = page.locator("#evidence .picture[data-role=staff] img")
        expect(shown).to_have_count(1)
    (alarm,) = _alarms(centre)
    with centre.staff("ana") as client:
        jpeg = client.get(alarm["pictures"][0]["url"]).content
    assert distinct_columns(jpeg, Region(0.0, 0.0, 1.0, 0.3)) <= 96


def test_the_mark_is_set_with_the_keyboard_too(browser: Browser, centre: RunningCentre) -> None:
    with screen(browser, centre) as desk:
        desk.sign_in()
        page = desk.page
        page.goto(f"{centre.url}/report")
        page.get_by_label("Of the hazard, never of people").set_input_files(
            {"name": "p.jpg", "mimeType": "image/jpeg", "buffer": sharp_jpeg()}
        )
        expect(page.locator("#picture-tell")).to_contain_text("Drag over the hazard")
        page.locator("#picture-canvas").focus()
        for key in ("Enter", "ArrowLeft", "Shift+ArrowDown"):
            page.keyboard.press(key)
        expect(page.locator("#picture-tell")).to_contain_text("This is what is sent")
        page.get_by_label("Of the hazard, never of people").set_input_files(
            {"name": "p.svg", "mimeType": "image/svg+xml", "buffer": b"<svg/>"}
        )
        expect(page.locator("#picture-tell")).to_contain_text("no picture that this browser can read")


def _ready(screen: Screen, centre: RunningCentre) -> None:
    """Signed in, and the form kept for offline."""
    screen.sign_in()
    until(lambda: screen.page.evaluate(SHELL_KEPT), "the form is kept")
    screen.page.goto(f"{centre.url}/")  # now its pages are the service worker's


def test_a_report_made_without_a_network_is_sent_when_it_is_back(
    browser: Browser, centre: RunningCentre
) -> None:
    with screen(browser, centre, size=PHONE) as phone:
        _ready(phone, centre)
        phone.expect_errors = True  # the browser itself reports what it cannot load
        context: BrowserContext = phone.page.context
        context.set_offline(True)
        page = phone.page
        page.goto(f"{centre.url}/report?place=dock")
        expect(page.locator(".offline-note")).to_contain_text("The centre does not answer")
        expect(page.locator("#chosen-place")).to_have_text("Loading dock")
        _choose(page, "Gas or chemical smell")
        _bright_part(page)
        _send(page)
        expect(page.locator("#report-message")).to_contain_text("kept on this device")
        expect(page.locator("#waiting")).to_contain_text("1 report waits to be sent")
        # A second one of the same kept form is another report.
        page.goto(f"{centre.url}/report?place=hall")
        _choose(page, "Structural damage")
        _send(page)
        expect(page.locator("#waiting")).to_contain_text("2 reports wait to be sent")
        page.close()
        assert _alarms(centre) == []

        context.set_offline(False)
        phone.page = context.new_page()
        phone.page.goto(f"{centre.url}/")
        until(lambda: len(_alarms(centre)) == 2, "both reports came")
        expect(phone.page.locator("#waiting")).to_be_hidden()
        alarms = {alarm["hazard"]: alarm for alarm in _alarms(centre)}
        assert set(alarms) == {"gas", "structure"}
        until(
            lambda: [p["role"] for a in _alarms(centre) for p in a["pictures"]] == ["staff"],
            "the picture came",
        )
        assert len({alarm["number"] for alarm in alarms.values()}) == 2


def test_nothing_of_the_alarms_is_kept_and_signing_out_clears_the_rest(
    browser: Browser, centre: RunningCentre
) -> None:
    with centre.staff("rui", accept="application/json") as client:
        client.post(
            "/api/v1/reports",
            json={"id": "3f1d0d6e-0000-4000-8000-000000000001", "hazard": "gas", "place": "hall"},
        )
    with screen(browser, centre) as desk:
        _ready(desk, centre)
        page = desk.page
        expect(page.locator("article.card")).to_have_count(1)
        page.goto(f"{centre.url}/report")
        kept = page.evaluate(
            """async () => {
                const found = [];
                for (const name of await caches.keys())
                    for (const request of await (await caches.open(name)).keys())
                        found.push(new URL(request.url).pathname);
                return found;
            }"""
        )
        assert "/report/shell" in kept
        assert all(path == "/report/shell" or path.startswith("/static/dist/assets/") for path in kept)
        page.locator("details.who summary").click()
        page.get_by_role("button", name="Sign out").click()
        page.wait_for_url(re.compile("/sign-in"))
        until(lambda: page.evaluate("caches.keys().then((k) => k.length)") == 0, "the cache is gone")


def test_a_report_outlives_a_session_that_ends_and_goes_with_its_own_account_alone(
    browser: Browser, centre: RunningCentre
) -> None:
    with screen(browser, centre) as desk:
        _ready(desk, centre)
        page = desk.page
        page.goto(f"{centre.url}/report?place=hall")
        _choose(page, "Power or electrical hazard")
        desk.expect_errors = True
        page.context.clear_cookies()
        _send(page)
        expect(page.locator("#report-message")).to_contain_text("you are signed out")
        page.goto(f"{centre.url}/sign-in")
        expect(page.locator("#waiting")).to_contain_text("1 report waits to be sent. Sign in as ana to send.")
        desk.sign_in("rui")
        expect(page.locator("#waiting")).to_contain_text("Only ana can send it")
        assert _alarms(centre) == []
        page.context.clear_cookies()
        desk.sign_in("ana")
        until(lambda: _alarms(centre), "it came")
        expect(page.locator("#waiting")).to_be_hidden()
        assert _alarms(centre)[0]["source_text"] == "reported by ana"


def test_what_waits_can_be_discarded(browser: Browser, centre: RunningCentre) -> None:
    with screen(browser, centre) as desk:
        _ready(desk, centre)
        page = desk.page
        page.goto(f"{centre.url}/report?place=hall")
        _choose(page, "Power or electrical hazard")
        desk.expect_errors = True
        page.context.set_offline(True)
        _send(page)
        expect(page.locator("#waiting-items")).to_contain_text("Power or electrical hazard, at Sorting hall")
        page.get_by_role("button", name="Discard").click()
        expect(page.locator("#waiting-list")).to_be_hidden()
        page.context.set_offline(False)
        page.goto(f"{centre.url}/")
        page.wait_for_timeout(1000)
        assert _alarms(centre) == []


def test_the_form_opens_while_the_centre_is_down(browser: Browser, centre: RunningCentre) -> None:
    with screen(browser, centre) as desk:
        _ready(desk, centre)
        desk.expect_errors = True
        centre.stop()
        page = desk.page
        page.goto(f"{centre.url}/report?place=hall")
        expect(page.locator(".offline-note")).to_be_visible()
        _choose(page, "Open flame")
        _send(page)
        expect(page.locator("#waiting")).to_contain_text("1 report waits to be sent")
        with pytest.raises(httpx.HTTPError):
            httpx.get(f"{centre.url}/healthz", trust_env=False)
        centre.start()
        # No page is loaded again: it goes on trying by itself.
        until(lambda: _alarms(centre), "it came", within_s=60.0)
        expect(page.locator("#waiting")).to_be_hidden()


def test_the_browser_itself_sends_what_waits_when_no_page_is_open(
    browser: Browser, centre: RunningCentre
) -> None:
    with screen(browser, centre) as desk:
        _ready(desk, centre)
        page = desk.page
        desk.expect_errors = True
        page.goto(f"{centre.url}/report?place=hall")
        _choose(page, "Open flame")
        page.context.set_offline(True)
        _send(page)
        expect(page.locator("#waiting")).to_contain_text("1 report waits to be sent")
        # No page of the console is left that could try by itself when the network is back.
        page.goto("about:blank")
        page.context.set_offline(False)
        page.goto(f"{centre.url}/healthz")
        devtools: Any = page.context.new_cdp_session(page)
        found: list[str] = []

        def learn(told: dict[str, Any]) -> None:
            found.extend(one["registrationId"] for one in told["registrations"])

        devtools.on("ServiceWorker.workerRegistrationUpdated", learn)
        devtools.send("ServiceWorker.enable")
        until(lambda: page.wait_for_timeout(50) is None and found, "the registration is known")
        if not _alarms(centre):
            told = {"origin": centre.url, "registrationId": found[0], "tag": SYNC_TAG, "lastChance": False}
            devtools.send("ServiceWorker.dispatchSyncEvent", told)
        until(lambda: page.wait_for_timeout(50) is None and _alarms(centre), "it came")
