"""The page of a link in a real browser: with a script and without, on a telephone and on a desk."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect
from tests.browser.test_console import PHONE
from tests.browser.test_console import _screen as screen  # pyright: ignore[reportPrivateUsage]
from tests.browser.test_console import browser as browser
from tests.integration.test_link_pages import RESPONDERS, link, mail_by, page_of, raised, state
from tests.support.running import RunningCentre, until

pytestmark = pytest.mark.browser

SHOTS = os.environ.get("TOCSIN_TEST_SHOTS", "")
"""A folder for pictures of the pages, for a person to look at."""


@pytest.fixture
def centre(tmp_path: Path) -> Iterator[RunningCentre]:
    with RunningCentre(tmp_path, responder=RESPONDERS, channel=mail_by(9)) as running:
        running.user("rui")
        yield running


@pytest.mark.parametrize("script", [True, False], ids=["script", "no-script"])
def test_one_thumb_and_no_sign_in_from_message_to_on_site(
    browser: Browser, centre: RunningCentre, script: bool
) -> None:
    alarm_id = raised(centre)
    with screen(browser, centre, script=script, size=PHONE) as phone:
        page = phone.page
        page.goto(f"{centre.url}{link(centre, alarm_id)}")
        expect(page.get_by_role("heading", name="Smoke")).to_be_visible()
        expect(page.get_by_text("Nobody has it yet.")).to_be_visible()
        assert page_of(centre, alarm_id).seen_at is None, "opened is not seen: a scanner opens too"
        overflow = page.evaluate("document.documentElement.scrollWidth - innerWidth") if script else 0
        assert overflow <= 0
        if SHOTS:
            page.screenshot(path=f"{SHOTS}/link-open-{script}.png", full_page=True)
        if script:
            page.mouse.move(50, 60)
            page.mouse.move(60, 90)
            until(lambda: page_of(centre, alarm_id).seen_at is not None, "a touch tells that it was seen")
        assert state(centre, alarm_id) == ("UNACK", "")
        page.get_by_role("button", name="Acknowledge: I have it").click()
        expect(page.get_by_text("You have it since")).to_be_visible()
        assert state(centre, alarm_id)[0] == "ACK"
        if SHOTS:
            page.screenshot(path=f"{SHOTS}/link-mine-{script}.png", full_page=True)
        page.get_by_role("button", name="I am on the way").click()
        expect(page.get_by_text("is on the way.")).to_be_visible()
        page.get_by_role("button", name="I am on site").click()
        expect(page.get_by_text("is on site.")).to_be_visible()
        expect(page.get_by_role("button")).to_have_count(0)


def test_who_comes_second_reads_who_has_it(browser: Browser, centre: RunningCentre) -> None:
    alarm_id = raised(centre)
    theirs = link(centre, alarm_id, "ben")
    with screen(browser, centre, size=PHONE) as phone:
        page = phone.page
        phone.expect_errors = True  # the browser notes every answer that is a 409
        page.goto(f"{centre.url}{theirs}")
        with centre.guest() as ana:
            assert ana.post(link(centre, alarm_id)).status_code == 303
        page.get_by_role("button", name="Acknowledge: I have it").click()
        expect(page.get_by_text("Nothing more is needed of you.")).to_be_visible()
        expect(page.get_by_role("button")).to_have_count(0)
        if SHOTS:
            page.screenshot(path=f"{SHOTS}/link-taken.png", full_page=True)


def test_the_alarm_s_page_tells_its_story_and_how_far_each_message_got(
    browser: Browser, centre: RunningCentre
) -> None:
    alarm_id = raised(centre, picture=True)
    with centre.guest() as ana:
        assert ana.post(link(centre, alarm_id)).status_code == 303
    with screen(browser, centre) as desk:
        desk.sign_in("rui")
        page = desk.page
        page.goto(f"{centre.url}/alarms/{alarm_id}")
        expect(page.locator("#story")).to_contain_text("acknowledged by link, and calling stopped.")
        expect(page.locator("#pages")).to_contain_text("Acknowledged")
        page.locator(".card").get_by_role("button", name="On the way").click()
        expect(page.locator("#story")).to_contain_text("rui was on the way.")
        if SHOTS:
            page.screenshot(path=f"{SHOTS}/alarm-desk.png", full_page=True)
            page.set_viewport_size({"width": 390, "height": 844})
            page.screenshot(path=f"{SHOTS}/alarm-phone.png", full_page=True)
            page.set_viewport_size({"width": 1280, "height": 900})
            page.goto(f"{centre.url}/")
            page.screenshot(path=f"{SHOTS}/board.png", full_page=True)
            page.goto(f"{centre.url}/alarms/{alarm_id}")
        with page.expect_download() as saving:
            page.get_by_role("link", name="Save as PDF").click()
        assert saving.value.suggested_filename == "alarm-1.pdf"
