"""Drawing masks and ignore zones in a real browser: with the pointer, and as text without a script."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect
from tests.browser.test_console import _screen as screen  # pyright: ignore[reportPrivateUsage]
from tests.browser.test_console import browser as browser
from tests.browser.test_console import centre as centre
from tests.support.running import RunningCentre, sharp_jpeg, until

from tocsin.core.observation import CameraId, PlaceId
from tocsin.core.sight import CameraHealth, Heartbeat, Sight
from tocsin.core.zone_text import zones_in
from tocsin.wire import heartbeat_codec

pytestmark = pytest.mark.browser

SQUARE = [(0.5, 0.1), (0.9, 0.1), (0.9, 0.6), (0.5, 0.6)]


def _beat(watcher: httpx.Client, camera: str) -> list[str]:
    now = datetime.now(UTC)
    seen = CameraHealth(CameraId(camera), "Sorting hall 1", PlaceId("hall"), Sight.SEEING, now, 9)
    return watcher.post("/api/v1/heartbeat", content=heartbeat_codec.dump(Heartbeat(now, (seen,)))).json()[
        "stills"
    ]


@pytest.fixture
def drawing(centre: RunningCentre) -> Iterator[httpx.Client]:
    with centre.watcher("draws") as client:
        _beat(client, "cam-1")
        _beat(client, "cam-1")
        yield client


def _saved(page: Page) -> str:
    return page.locator("#zones-text").input_value()


def _click(page: Page, x: float, y: float) -> None:
    board = page.locator("#board")
    box = board.bounding_box()
    assert box is not None
    board.click(position={"x": x * box["width"], "y": y * box["height"]})


def test_a_mask_and_an_ignore_zone_are_drawn_moved_and_saved(
    browser: Browser, centre: RunningCentre, drawing: httpx.Client
) -> None:
    with screen(browser, centre) as desk:
        desk.sign_in()
        page = desk.page
        page.goto(f"{centre.url}/cameras/draws/cam-1/zones")
        expect(page.locator("#no-still")).to_be_visible()
        until(lambda: _beat(drawing, "cam-1") == ["cam-1"], "the picture is asked for")
        assert drawing.put("/api/v1/cameras/cam-1/still", content=sharp_jpeg()).status_code == 200
        expect(page.locator("#still")).to_be_visible()

        page.get_by_role("button", name="Draw a mask").click()
        for x, y in [*SQUARE, SQUARE[0]]:  # the first corner again closes it
            _click(page, x, y)
        expect(page.locator("#own .mask")).to_have_count(1)
        expect(page.locator("#share")).to_have_text("20 %")

        page.get_by_role("button", name="Draw an ignore zone").click()
        for x, y in ((0.1, 0.5), (0.3, 0.5), (0.3, 0.9)):
            _click(page, x, y)
        page.keyboard.press("Enter")
        page.get_by_label("Open flame").check()

        # The corner at the lower right of the triangle is drawn over to the right.
        box = page.locator("#board").bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 0.9 * box["height"])
        page.mouse.down()
        page.mouse.move(box["x"] + 0.4 * box["width"], box["y"] + 0.9 * box["height"], steps=4)
        page.mouse.up()

        page.get_by_role("button", name="Save the masks and zones").click()
        expect(page.get_by_text("Version 1, saved by ana")).to_be_visible()
        zones = zones_in(_saved(page))
        assert zones.masks[0].area == pytest.approx(0.2, abs=0.01)
        (ignore,) = zones.ignores
        assert ignore.hazards == ("flame",)
        assert ignore.polygon.points[2] == pytest.approx((0.4, 0.9), abs=0.01)
        told = drawing.get("/api/v1/zones").json()["cameras"]["cam-1"]
        assert len(told["zones"]["masks"]) == 1

        page.get_by_role("button", name="Delete Mask 1").click()
        expect(page.locator("#own .mask")).to_have_count(0)
        page.get_by_role("button", name="Save the masks and zones").click()
        expect(page.get_by_text("Version 2, saved by ana")).to_be_visible()
        assert "mask" not in _saved(page)


def test_a_drawing_that_cannot_be_saved_stays_on_the_page(
    browser: Browser, centre: RunningCentre, drawing: httpx.Client
) -> None:
    _beat(drawing, "cam-2")
    with screen(browser, centre) as desk:
        desk.sign_in()
        page = desk.page
        page.goto(f"{centre.url}/cameras/draws/cam-2/zones")
        page.get_by_role("button", name="Draw a mask").click()
        for x, y in ((0.1, 0.1), (0.9, 0.9), (0.9, 0.1), (0.1, 0.9)):  # it crosses itself
            _click(page, x, y)
        desk.expect_errors = True  # the browser says so of every answer 422
        page.get_by_role("button", name="Save the masks and zones").click()
        expect(page.get_by_role("alert").filter(has_text="meets its side")).to_be_visible()
        expect(page.locator("#own .mask")).to_have_count(1)
        assert _saved(page).startswith("mask 0.1,0.1 0.9,0.9")


def test_without_a_script_zones_are_seen_and_written_as_text(
    browser: Browser, centre: RunningCentre, drawing: httpx.Client
) -> None:
    _beat(drawing, "cam-3")
    text = "mask 0.5,0.1 0.9,0.1 0.9,0.6 0.5,0.6\nignore flame,smoke 0.1,0.5 0.3,0.5 0.3,0.9"
    with screen(browser, centre, script=False) as desk:
        desk.sign_in()
        page = desk.page
        page.goto(f"{centre.url}/cameras/draws/cam-3/zones")
        page.get_by_label("One zone a line").fill(text)
        page.get_by_role("button", name="Save the masks and zones").click()
        expect(page.get_by_text("Version 1, saved by ana")).to_be_visible()
        expect(page.locator("#own .mask")).to_be_visible()
        expect(page.locator("#own .ignore")).to_be_visible()
        assert _saved(page) == text
