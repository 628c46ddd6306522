"""The console in a real browser on a real centre: live on two screens, on a phone, and without a script."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, Request, expect, sync_playwright
from tests.support.running import PASSWORD, RunningCentre, an_edge, post_edge, put_picture, until

pytestmark = pytest.mark.browser

WAIT_MS = 30_000
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 900}
ARGUMENTS = [
    "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip


def _chromium() -> str:
    """Where the browser is. Without one the tests are skipped, but not where they must run."""
    for name in (os.environ.get("TOCSIN_TEST_CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome"):
        found = shutil.which(name) if name else None
        if found:
            return found
    if os.environ.get("CI") == "true":
        pytest.fail("there is no Chromium, and CI=true says that the browser tests must run")
    pytest.skip("there is no Chromium here")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = _chromium()
    expect.set_options(timeout=WAIT_MS)  # here, where every test of this file comes by
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCentre]:
    with RunningCentre(tmp_path_factory.mktemp("centre")) as running:
        running.user("ana")
        running.user("rui")
        yield running


@pytest.fixture
def watcher(centre: RunningCentre) -> Iterator[httpx.Client]:
    with centre.watcher() as client:
        yield client


class Screen:
    """One browser window, and everything that goes wrong in it: errors, refusals of the policy, strangers."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.page = context.new_page()
        self.wrong: list[str] = []
        self.expect_errors = False
        self._url = url
        self.page.on("console", lambda message: self._note(message.type, message.text))
        self.page.on("pageerror", lambda error: self._note("exception", str(error)))
        context.on("request", self._asked)

    def _note(self, kind: str, text: str) -> None:
        # A browser says so of every sound before the first touch; the page tells it in its own words.
        waits_for_a_touch = "AudioContext was not allowed to start" in text
        if kind in ("error", "warning", "exception") and not self.expect_errors and not waits_for_a_touch:
            self.wrong.append(f"{kind}: {text}")

    def _asked(self, request: Request) -> None:
        if not request.url.startswith((self._url, "data:")):
            self.wrong.append(f"asked a stranger: {request.url}")

    def sign_in(self, name: str = "ana") -> None:
        """By password, as a person does it."""
        self.page.goto(f"{self._url}/sign-in")
        self.page.get_by_label("User name").fill(name)
        self.page.get_by_label("Password").fill(PASSWORD)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.wait_for_url(f"{self._url}/", timeout=WAIT_MS)

    def live(self) -> None:
        expect(self.page.locator("#live-word")).to_have_text("Live")

    def card(self, alarm_id: str) -> Locator:
        return self.page.locator(f"#alarm-{alarm_id}")


@contextmanager
def _screen(
    browser: Browser, centre: RunningCentre, *, size: dict[str, int] | None = None, script: bool = True
) -> Generator[Screen]:
    viewport: Any = size or DESK
    context = browser.new_context(viewport=viewport, java_script_enabled=script, has_touch=size is PHONE)
    context.set_default_timeout(WAIT_MS)
    screen = Screen(context, centre.url)
    try:
        yield screen
        assert screen.wrong == []
    finally:
        context.close()


def _alarm(watcher: httpx.Client, hazard: str = "flame") -> str:
    edge = an_edge(hazard, source=f"cam-{uuid4()}", place=f"place-{uuid4()}")
    alarm_id: str = post_edge(watcher, edge).json()["alarm_id"]
    return alarm_id


def _settled(page: Page) -> None:
    """A press right after the list moved is held back on purpose: it may have been meant for another card."""
    page.wait_for_timeout(1500)


def test_an_alarm_goes_its_whole_way_on_two_screens_without_a_reload(
    browser: Browser, centre: RunningCentre, watcher: httpx.Client
) -> None:
    with _screen(browser, centre) as hers, _screen(browser, centre) as his:
        hers.sign_in("ana")
        his.sign_in("rui")
        hers.live()
        his.live()
        loaded = hers.page.evaluate("performance.timeOrigin")

        alarm_id = _alarm(watcher)
        for screen in (hers, his):
            expect(screen.card(alarm_id)).to_be_visible()
            expect(screen.card(alarm_id).locator(".chip-state")).to_have_text("Not acknowledged")
        _settled(hers.page)

        hers.card(alarm_id).get_by_role("button", name=re.compile("^Acknowledge")).click()
        for screen in (hers, his):
            expect(screen.card(alarm_id).locator(".chip-state")).to_have_text("Acknowledged")
            expect(screen.card(alarm_id)).to_contain_text("ana, acknowledged after")
            expect(
                screen.card(alarm_id).get_by_role("button", name=re.compile("^Acknowledge"))
            ).to_have_count(0)

        his.card(alarm_id).locator("summary", has_text="Resolve").click()
        his.card(alarm_id).get_by_label("What was it?").select_option("false")
        his.card(alarm_id).get_by_label("What caused the false alarm?").select_option("steam")
        his.card(alarm_id).get_by_role("button", name=re.compile("^Resolve alarm")).click()
        for screen in (hers, his):
            expect(screen.card(alarm_id)).to_have_count(0)
        assert hers.page.evaluate("performance.timeOrigin") == loaded, "no page was loaded again"

        his.page.goto(f"{centre.url}/history")
        expect(his.page.locator("#past")).to_contain_text("False alarm: Steam")
        his.page.goto(f"{centre.url}/alarms/{alarm_id}")
        expect(his.page.locator("#story")).to_contain_text("rui")


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_the_cause_is_asked_for_when_it_was_false_and_only_then(
    browser: Browser, centre: RunningCentre, watcher: httpx.Client, size: dict[str, int]
) -> None:
    with _screen(browser, centre, size=size) as screen:
        screen.sign_in()
        screen.live()
        alarm_id = _alarm(watcher)
        card = screen.card(alarm_id)
        expect(card).to_be_visible()
        _settled(screen.page)
        card.get_by_role("button", name=re.compile("^Acknowledge")).click()
        expect(card.locator(".chip-state")).to_have_text("Acknowledged")
        _settled(screen.page)
        card.locator("summary", has_text="Resolve").click()
        outcome = card.get_by_label("What was it?")
        cause = card.get_by_label("What caused the false alarm?")
        expect(cause).to_be_hidden()
        outcome.select_option("false")
        expect(cause).to_be_visible()
        _settled(screen.page)
        card.get_by_role("button", name=re.compile("^Resolve alarm")).click()
        assert cause.evaluate("field => field.validity.valueMissing"), "the browser asks for it by itself"
        cause.select_option("lamp")
        outcome.select_option("dealt-with")
        expect(cause).to_be_hidden()
        assert not cause.is_enabled(), "what no longer belongs to it is not sent"
        outcome.select_option("false")
        expect(cause).to_have_value("lamp")
        card.get_by_role("button", name=re.compile("^Resolve alarm")).click()
        expect(card).to_have_count(0)
        screen.page.goto(f"{centre.url}/alarms/{alarm_id}")
        expect(screen.page.locator("#story")).to_contain_text("False alarm: Lamp, or a light that switches")


def test_without_a_script_a_missing_cause_is_told_beside_what_was_filled_in(
    browser: Browser, centre: RunningCentre, watcher: httpx.Client
) -> None:
    alarm_id = _alarm(watcher)
    with _screen(browser, centre, script=False) as screen:
        page = screen.page
        screen.sign_in()
        screen.card(alarm_id).get_by_role("button", name=re.compile("^Acknowledge")).click()
        page.wait_for_url(f"{centre.url}/alarms/{alarm_id}")
        card = screen.card(alarm_id)
        card.locator("summary", has_text="Resolve").click()
        expect(card.get_by_label("What caused the false alarm?")).to_be_visible()
        card.get_by_label("What was it?").select_option("false")
        card.locator('[data-part="resolve"] textarea').fill("the lamp at the gate")
        screen.expect_errors = True  # the browser itself reports the 422
        card.get_by_role("button", name=re.compile("^Resolve alarm")).click()
        expect(card.get_by_role("alert")).to_contain_text("a false alarm needs its cause")
        expect(card.locator('[data-part="resolve"] textarea')).to_have_value("the lamp at the gate")
        expect(card.get_by_label("What was it?")).to_have_value("false")
        card.get_by_label("What caused the false alarm?").select_option("lamp")
        card.get_by_role("button", name=re.compile("^Resolve alarm")).click()
        expect(page.locator(".chip-state").first).to_have_text("Closed")
        expect(page.locator("#story")).to_contain_text("the lamp at the gate")


def test_what_somebody_else_has_taken_is_told_and_not_taken_again(
    browser: Browser, centre: RunningCentre, watcher: httpx.Client
) -> None:
    with _screen(browser, centre) as screen, centre.staff("rui", accept="application/json") as rui:
        screen.sign_in()
        screen.live()
        alarm_id = _alarm(watcher)
        expect(screen.card(alarm_id)).to_be_visible()
        _settled(screen.page)
        screen.expect_errors = True  # the browser reports the refusal (409) as an error of its own
        # The other one's press arrives first, and this page has not heard of it yet.
        screen.page.route(
            "**/acknowledge", lambda route: (rui.post(f"/alarms/{alarm_id}/acknowledge"), route.continue_())
        )
        screen.card(alarm_id).get_by_role("button", name=re.compile("^Acknowledge")).click()
        expect(screen.card(alarm_id)).to_contain_text("rui has acknowledged it already")
        expect(screen.card(alarm_id)).to_contain_text("rui, acknowledged after")


def test_an_alarm_is_shelved_and_its_silence_ended(
    browser: Browser, centre: RunningCentre, watcher: httpx.Client
) -> None:
    with _screen(browser, centre) as screen:
        screen.sign_in()
        screen.live()
        alarm_id = _alarm(watcher)
        card = screen.card(alarm_id)
        expect(card).to_be_visible()
        _settled(screen.page)
        card.locator("summary", has_text="Shelve").click()
        card.get_by_label("For", exact=True).select_option("60")
        card.get_by_label("Because").select_option("works")
        card.get_by_role("button", name=re.compile("^Shelve alarm")).click()
        expect(card.locator(".chip-silence")).to_be_visible()
        expect(card).to_contain_text("Permitted works in view")
        _settled(screen.page)
        card.get_by_role("button", name="End the silence").click()
        expect(card.locator(".chip-silence")).to_have_count(0)


def test_a_hazard_is_reported_by_its_number_on_a_phone(browser: Browser, centre: RunningCentre) -> None:
    with _screen(browser, centre, size=PHONE) as phone, _screen(browser, centre) as desk:
        phone.sign_in("ana")
        desk.sign_in("rui")
        desk.live()
        phone.page.goto(f"{centre.url}/report")
        phone.page.get_by_label("Find a hazard by name or number").fill("31")
        phone.page.keyboard.press("Enter")
        expect(phone.page.get_by_role("radio", name=re.compile("Gas or chemical smell"))).to_be_checked()
        phone.page.locator("label.tile", has_text="Loading dock").click()
        expect(phone.page.locator("#send-what")).to_have_text("Gas or chemical smell, at Loading dock")
        phone.page.get_by_role("button", name="Send the report").click()
        expect(phone.page.locator("#report-message")).to_contain_text("Reported")
        card = desk.page.locator("article.card", has_text="Gas or chemical smell")
        expect(card).to_contain_text("Loading dock")
        expect(card).to_contain_text("reported by ana")
        phone.page.get_by_role("link", name="See the alarm").click()
        expect(phone.page.locator("main.one-alarm")).to_contain_text("Gas or chemical smell")


PICTURES_SHOWN = """[...document.images].every((image) => {
    image.loading = "eager";
    return image.complete && image.naturalWidth > 0;
})"""
PAGES = (
    "/sign-in",
    "/",
    "/cameras",
    "/history",
    "/report",
    "/report/codes",
    "/places",
    "/places/hall/sheet",
    "/alarms/ALARM",
    "/nowhere",
)


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_no_page_breaks_the_policy_asks_a_stranger_or_scrolls_sideways(
    browser: Browser, centre: RunningCentre, watcher: httpx.Client, size: dict[str, int]
) -> None:
    edge = an_edge(
        "smoke", source="cam-pictures", place="a-place-with-quite-a-long-name-that-nobody-has-declared"
    )
    alarm_id = post_edge(watcher, edge).json()["alarm_id"]
    for index, role in enumerate(("before", "at", "after")):
        assert put_picture(watcher, edge, index, role=role).status_code == 200
    with _screen(browser, centre, size=size) as screen:
        for path in PAGES:
            screen.expect_errors = path == "/nowhere"  # the browser itself reports the 404
            screen.page.goto(centre.url + path.replace("ALARM", alarm_id))
            screen.page.wait_for_load_state("load")
            wide = screen.page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
            assert wide[0] <= wide[1], path
            until(lambda: screen.page.evaluate(PICTURES_SHOWN), f"the pictures of {path} are shown")
            assert (screen.page.evaluate("document.images.length") > 0) is (path in ("/", "/alarms/ALARM"))
            if path == "/sign-in":
                screen.sign_in()
        screen.expect_errors = False


def test_everything_works_without_a_script(
    browser: Browser, centre: RunningCentre, watcher: httpx.Client
) -> None:
    alarm_id = _alarm(watcher, "water")
    with _screen(browser, centre, script=False) as screen:
        page = screen.page
        screen.sign_in()
        expect(page.locator("noscript").first).to_be_attached()
        screen.card(alarm_id).get_by_role("button", name=re.compile("^Acknowledge")).click()
        page.wait_for_url(f"{centre.url}/alarms/{alarm_id}")
        expect(page.locator(".chip-state").first).to_have_text("Acknowledged")
        card = screen.card(alarm_id)
        card.locator("summary", has_text="Resolve").click()
        card.get_by_label("What was it?").select_option("dealt-with")
        card.get_by_role("button", name=re.compile("^Resolve alarm")).click()
        expect(page.locator(".chip-state").first).to_have_text("Closed")

        page.goto(f"{centre.url}/report")
        page.locator("label.tile", has_text="Medical help needed").click()
        page.locator("label.tile", has_text="Sorting hall").click()
        page.get_by_role("button", name="Send the report").click()
        page.wait_for_url(re.compile(r"/report\?sent="))
        expect(page.locator("section.sent")).to_contain_text("Medical help needed at a place at Sorting hall")

        page.locator("details.who summary").click()
        page.get_by_role("button", name="Sign out").click()
        page.wait_for_url(f"{centre.url}/sign-in")


def test_a_one_time_link_signs_in_on_a_press(browser: Browser, centre: RunningCentre) -> None:
    token = centre.link("ana")
    with _screen(browser, centre) as screen:
        screen.page.goto(f"{centre.url}/sign-in/once?token={token}")
        screen.page.reload()  # looking does not use it up
        screen.page.get_by_role("button", name="Sign in as ana").click()
        screen.page.wait_for_url(f"{centre.url}/")
        screen.live()
        screen.expect_errors = True  # the browser itself reports the 404
        screen.page.goto(f"{centre.url}/sign-in/once?token={token}")
        expect(screen.page.locator("main")).to_contain_text("was used already")


def test_a_page_that_lost_its_centre_says_so_and_comes_back_with_what_it_missed(
    browser: Browser, tmp_path: Path
) -> None:
    with RunningCentre(tmp_path) as centre, _screen(browser, centre) as screen:
        centre.user("ana")
        screen.sign_in()
        screen.live()
        expect(screen.page.locator("#stale")).to_be_hidden()
        screen.expect_errors = True  # refused connections are reported by the browser itself
        centre.stop()
        expect(screen.page.locator("#stale")).to_contain_text("Not live since")
        expect(screen.page.locator("#live-word")).to_have_text("Not live")
        centre.start()
        with centre.watcher() as watcher:
            alarm_id = _alarm(watcher)
            # Its waits between tries grow to 15 s; then everything comes at once.
            expect(screen.card(alarm_id)).to_be_visible(timeout=60_000)
            screen.live()
            expect(screen.page.locator("#stale")).to_be_hidden()


def test_somebody_who_was_signed_out_is_told_and_led_back(browser: Browser, tmp_path: Path) -> None:
    with RunningCentre(tmp_path) as centre, _screen(browser, centre) as screen:
        centre.user("ana")
        screen.sign_in()
        screen.live()
        screen.expect_errors = True
        centre.do(lambda c: c.house.accounts.disable("ana"))
        centre.stop()
        centre.start()
        expect(screen.page.locator("#stale")).to_contain_text("you are signed out", timeout=60_000)
        screen.page.locator("#stale").get_by_role("link", name="Sign in").click()
        screen.page.wait_for_url(re.compile("/sign-in"))
