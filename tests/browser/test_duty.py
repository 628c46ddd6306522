"""Who is on duty, in a real browser: a trade made and taken back, a calendar taken in, on a phone too."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect
from tests.browser.test_console import PHONE
from tests.browser.test_console import _screen as screen  # pyright: ignore[reportPrivateUsage]
from tests.browser.test_console import browser as browser
from tests.integration.test_duty_pages import SECTIONS
from tests.support.running import RunningCentre

pytestmark = pytest.mark.browser


@pytest.fixture
def centre(tmp_path: Path) -> Iterator[RunningCentre]:
    with RunningCentre(tmp_path, **SECTIONS) as running:
        running.user()
        yield running


def _local(centre: RunningCentre, **ahead: float) -> str:
    return f"{(centre.clock.now() + timedelta(**ahead)).astimezone(centre.config.zone):%Y-%m-%dT%H:%M}"


@pytest.mark.parametrize("script", [True, False], ids=["script", "no-script"])
def test_a_trade_is_made_and_taken_back(browser: Browser, centre: RunningCentre, script: bool) -> None:
    with screen(browser, centre, script=script) as desk:
        desk.sign_in()
        page = desk.page
        page.get_by_role("link", name="Duty").click()
        page.get_by_label("Who", exact=True).select_option("Ana")
        page.get_by_label("What").select_option("gives the duty to another")
        page.get_by_label("To whom").select_option("Eva")
        page.get_by_label("From", exact=True).fill(_local(centre, days=1))
        page.get_by_label("Until").fill(_local(centre, days=3))
        page.get_by_label("Why").fill("training course")
        page.get_by_role("button", name="Change it").click()
        expect(page.get_by_role("status").filter(has_text="The change is made.")).to_be_visible()
        expect(page.get_by_text("Eva takes Ana's duty")).to_be_visible()
        expect(page.locator(".lane-text em").first).to_have_text("for Ana: training course")
        page.get_by_role("button", name="Take back").click()
        expect(page.get_by_text("None: everyone is on duty as planned.")).to_be_visible()


def test_a_calendar_is_shown_before_it_is_taken(browser: Browser, centre: RunningCentre) -> None:
    begins = centre.clock.now() + timedelta(days=1)
    event = f"SUMMARY:Eva\r\nDTSTART:{begins:%Y%m%dT%H%M%SZ}\r\nDURATION:PT8H\r\nRRULE:FREQ=DAILY;COUNT=3"
    content = f"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n{event}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n".encode()
    file = {"name": "eva.ics", "mimeType": "text/calendar", "buffer": content}
    with screen(browser, centre) as desk:
        desk.sign_in()
        page = desk.page
        for button, says in (
            ("Only show what is in it", "3 shifts would be imported."),
            ("Import it", "3 shifts are imported."),
        ):
            page.goto(f"{centre.url}/duty")
            page.get_by_label("An .ics file").set_input_files(file)  # pyright: ignore[reportArgumentType]
            page.get_by_role("button", name=button).click()
            expect(page.get_by_text(says)).to_be_visible()
            expect(page.get_by_text("Eva: 3 times")).to_be_visible()


def test_nothing_is_wider_than_a_phone(browser: Browser, centre: RunningCentre) -> None:
    with screen(browser, centre, size=PHONE) as phone:
        phone.sign_in()
        for path in ("/duty", "/duty/handover"):
            phone.page.goto(f"{centre.url}{path}")
            assert phone.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
