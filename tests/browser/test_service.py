"""Taking a camera out of service in a real browser: shown live on the board, and without a script."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import pytest
from playwright.sync_api import Browser, expect
from tests.browser.test_console import PHONE
from tests.browser.test_console import _screen as screen  # pyright: ignore[reportPrivateUsage]
from tests.browser.test_console import browser as browser
from tests.browser.test_console import centre as centre
from tests.support.running import RunningCentre

from tocsin.core.observation import CameraId, PlaceId
from tocsin.core.sight import CameraHealth, Heartbeat, Sight
from tocsin.wire import heartbeat_codec

pytestmark = pytest.mark.browser

OUT_UNTIL = re.compile(r"Out of service until \d\d:\d\d")


@pytest.fixture
def watcher(centre: RunningCentre) -> Iterator[httpx.Client]:
    with centre.watcher("keeps") as client:
        now = datetime.now(UTC)
        cameras = tuple(
            CameraHealth(CameraId(f"cam-{n}"), f"Sorting hall {n}", PlaceId("hall"), Sight.SEEING, now, 9)
            for n in (1, 2)
        )
        client.post("/api/v1/heartbeat", content=heartbeat_codec.dump(Heartbeat(now, cameras)))
        yield client


@pytest.mark.parametrize("script", [True, False], ids=["script", "no-script"])
def test_a_camera_is_taken_out_extended_and_put_back(
    browser: Browser, centre: RunningCentre, watcher: httpx.Client, script: bool
) -> None:
    with screen(browser, centre, script=script) as desk:
        desk.sign_in()
        page = desk.page
        page.get_by_role("link", name="Cameras").first.click()
        row = page.locator(".camera").filter(has_text="Sorting hall 1")
        row.get_by_role("link", name="Take out of service").click()
        expect(page.get_by_role("heading", name="In service")).to_be_visible()
        page.get_by_label("From now, for").select_option("4 hours")
        page.get_by_label("Because").select_option("Works before it: hot tools, dust, steam")
        page.get_by_label("Note").fill("welding at the gantry")
        page.get_by_role("button", name="Take out of service").click()
        expect(page.get_by_role("heading", name=OUT_UNTIL)).to_be_visible()
        expect(
            page.get_by_text("ana: Works before it: hot tools, dust, steam: welding at the gantry")
        ).to_be_visible()

        page.get_by_label("From now, for").select_option("24 hours")
        page.get_by_label("Because").select_option("Camera is moved or turned")
        page.get_by_role("button", name="Out of service for that long").click()
        expect(page.get_by_role("heading", name=re.compile(r"until \d\d:\d\d on \d\d \w+"))).to_be_visible()

        page.goto(f"{centre.url}/cameras")
        row = page.locator(".camera").filter(has_text="Sorting hall 1")
        expect(row).to_have_attribute("data-state", "out-of-service")
        expect(row.get_by_text("Its own sight: seeing")).to_be_visible()
        row.get_by_role("link", name="Change or end this").click()
        page.get_by_role("button", name="Put it back into service now").click()
        expect(page.get_by_role("heading", name="In service")).to_be_visible()


def test_everybody_s_board_shows_it_at_once_and_is_not_calm(
    browser: Browser, centre: RunningCentre, watcher: httpx.Client
) -> None:
    with screen(browser, centre, size=PHONE) as phone, centre.staff("rui") as rui:
        phone.sign_in("ana")
        phone.live()
        summary = phone.page.locator("#cameras-summary")
        expect(summary).to_contain_text("2 of 2 cameras see.")
        form = {"minutes": "60", "reason": "cleaning"}
        assert rui.post("/cameras/keeps/cam-2/service", data=form).status_code == 303
        expect(summary).to_contain_text(re.compile(r"1 camera out of service until \d\d:\d\d"))
        expect(phone.page.locator("#calm")).to_have_attribute("data-calm", "no")
        expect(phone.page.locator(".camera").first).to_contain_text(OUT_UNTIL)
        assert rui.post("/cameras/keeps/cam-2/service/end").status_code == 303
        expect(summary).to_contain_text("2 of 2 cameras see.")
