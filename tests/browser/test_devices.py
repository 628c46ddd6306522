"""Alarms on a device in a real browser: the page, and what the service worker makes of a push."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from tests.browser.test_console import DESK, PHONE
from tests.browser.test_console import _screen as screen  # pyright: ignore[reportPrivateUsage]
from tests.browser.test_console import browser as browser
from tests.support.running import RunningCentre

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCentre]:
    """Ana is a responder."""
    responder = {"id": "ana", "name": "Ana", "contacts": [{"channel": "mqtt", "address": "siren"}]}
    channel = {"webpush": {"contact": "ops@mill.example"}, "mqtt": {"host": "127.0.0.1", "tls": False}}
    with RunningCentre(tmp_path_factory.mktemp("centre"), responder=[responder], channel=channel) as running:
        running.user("ana")
        running.user("rui")
        yield running


def push(page: Page, data: str) -> list[dict[str, Any]]:
    """Hands it to the service worker as a push; the notifications that stand then."""
    (worker,) = page.context.service_workers
    # The browser lets only pushes of its own keep the worker awake, and says so; what is shown is the same.
    worker.evaluate("data => { self.dispatchEvent(new PushEvent('push', {data})); }", data)
    page.wait_for_timeout(1500)
    return page.evaluate(
        "async () => (await (await navigator.serviceWorker.ready).getNotifications())"
        ".map(n => ({title: n.title, body: n.body, tag: n.tag, data: n.data, actions: n.actions.length}))"
    )


def test_a_push_becomes_a_notification_with_the_pages_words(browser: Browser, centre: RunningCentre) -> None:
    with screen(browser, centre) as desk:
        desk.page.context.grant_permissions(["notifications"], origin=centre.url)
        desk.sign_in("ana")
        desk.page.get_by_label("Signed in as ana").click()
        desk.page.get_by_role("link", name="Alarms on your devices").click()
        expect(desk.page.get_by_role("button", name="Turn alarms on for this device")).to_be_visible()
        page = {
            "page_id": "p1", "title": "Smoke at Rolling hall (alarm 214)", "body": "Look at the place",
            "url": "https://other-name.example/alarms/7?x=1", "priority": 2,
        }  # fmt: skip
        (shown,) = push(desk.page, json.dumps(page))
        assert shown == {
            "title": page["title"], "body": page["body"], "tag": "p1",
            "data": f"{centre.url}/alarms/7?x=1", "actions": 2,
        }  # fmt: skip
        again = push(desk.page, json.dumps(page))
        assert len(again) == 1, "a repeat takes its place"
        both = push(desk.page, "this is no page")
        (plain,) = [one for one in both if one["tag"] != "p1"]
        assert plain["title"] == "Tocsin: an alarm", "what cannot be read is shown all the same"
        assert plain["data"] == "/"


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_reads_well_and_without_a_script(
    browser: Browser, centre: RunningCentre, size: dict[str, int], scheme: Any
) -> None:
    with centre.staff("ana") as ana:
        form = {"endpoint": "https://fcm.googleapis.com/x", "p256dh": "B" + "A" * 86, "auth": "A" * 22}
        agent = "Mozilla/5.0 (Linux; Android 16) Chrome/140.0 Mobile Safari/537.36"
        ana.post("/me/devices", data=form, headers={"user-agent": agent})
    with screen(browser, centre, size=size, script=False) as window:
        window.page.emulate_media(color_scheme=scheme)
        window.sign_in("ana")
        window.page.goto(f"{centre.url}/me")
        expect(window.page.get_by_text("Chrome on Android", exact=True)).to_be_visible()
        if folder := os.environ.get("TOCSIN_TEST_SCREENSHOTS"):
            window.page.screenshot(path=f"{folder}/me-{scheme}-{size['width']}.png", full_page=True)
        window.page.get_by_role("button", name="Turn off for Chrome on Android").click()
        expect(window.page.get_by_text("None.", exact=True)).to_be_visible()


def test_who_is_no_responder_has_nothing_to_turn_on(browser: Browser, centre: RunningCentre) -> None:
    with screen(browser, centre) as desk:
        desk.sign_in("rui")
        desk.page.goto(f"{centre.url}/me")
        expect(desk.page.get_by_text("Your account is no responder's")).to_be_visible()
        expect(desk.page.get_by_role("button", name="Turn alarms on")).to_have_count(0)
