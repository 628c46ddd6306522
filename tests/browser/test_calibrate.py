"""Calibrating a camera in a real browser: clicked with the pointer, and as numbers without a script."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect
from tests.browser.test_console import PHONE
from tests.browser.test_console import _screen as screen  # pyright: ignore[reportPrivateUsage]
from tests.browser.test_console import browser as browser
from tests.browser.test_console import centre as centre
from tests.support.landmarks import CHIMNEY, SILO, SPIRE, Seen, horizon, jpeg
from tests.support.running import RunningCentre, distinct_columns, until

from tocsin.core.observation import CameraId, PlaceId
from tocsin.core.sight import CameraHealth, Heartbeat, Sight
from tocsin.core.zones import Vertex
from tocsin.wire import heartbeat_codec

pytestmark = pytest.mark.browser


def _beat(watcher: httpx.Client, camera: str) -> list[str]:
    now = datetime.now(UTC)
    health = CameraHealth(CameraId(camera), "Roof", PlaceId("hall"), Sight.SEEING, now, 9)
    return watcher.post("/api/v1/heartbeat", content=heartbeat_codec.dump(Heartbeat(now, (health,)))).json()[
        "stills"
    ]


@pytest.fixture
def watching(centre: RunningCentre) -> Iterator[httpx.Client]:
    with centre.watcher("sees") as client:
        yield client


def _at(page: Page, point: Vertex) -> tuple[float, float]:
    box = page.locator("#board").bounding_box()
    assert box is not None
    return box["x"] + point[0] * box["width"], box["y"] + point[1] * box["height"]


def _click(page: Page, point: Vertex) -> None:
    page.locator("#board").scroll_into_view_if_needed()
    page.mouse.click(*_at(page, point))


def _landmark(page: Page, number: int, mark: Seen) -> None:
    page.get_by_role("button", name="Click a landmark").click()
    _click(page, mark.point)
    expect(page.locator(f"#name-{number}")).to_be_focused()
    row = page.locator(f"[data-mark='{number}']")
    row.get_by_label("Name").fill(mark.name)
    row.get_by_label("Latitude").fill(f"{mark.position.lat_deg}")
    row.get_by_label("Longitude").fill(f"{mark.position.lon_deg}")


def _heading(page: Page) -> float:
    said = page.locator(".cal-found div").filter(has_text="Heading").locator("b").inner_text()
    return float(said.removesuffix("°"))


def test_the_horizon_and_landmarks_are_clicked_and_the_heading_is_seen_and_saved(
    browser: Browser, centre: RunningCentre, watching: httpx.Client
) -> None:
    _beat(watching, "cam-1")
    with screen(browser, centre) as desk:
        desk.sign_in()
        page = desk.page
        page.goto(f"{centre.url}/cameras")
        page.get_by_role("listitem").filter(has_text="Roof").get_by_role("link", name="Calibrate").click()
        until(lambda: _beat(watching, "cam-1") == ["cam-1"], "the picture is asked for")
        assert watching.put("/api/v1/cameras/cam-1/still", content=jpeg()).status_code == 200
        expect(page.locator("#still")).to_be_visible()
        still = page.request.get(f"{centre.url}/cameras/sees/cam-1/still.jpg").body()
        assert distinct_columns(still) <= 96, "what is clicked on is the mosaic"

        page.get_by_label("Latitude").first.fill("48.1374, 11.5755")
        page.get_by_label("Height, m over").fill("12")
        page.get_by_role("button", name="Click the horizon").click()
        # The first point is a slip of the hand, and is dragged to where it belongs.
        _click(page, (0.3, 0.6))
        _click(page, horizon()[1])
        expect(page.locator("#clicked .cal-line")).to_have_count(1)
        page.mouse.move(*_at(page, (0.3, 0.6)))
        page.mouse.down()
        page.mouse.move(*_at(page, horizon()[0]), steps=4)
        page.mouse.up()
        assert float(page.locator("#h1x").input_value()) == pytest.approx(horizon()[0][0], abs=0.004)

        _landmark(page, 1, CHIMNEY)
        _landmark(page, 2, SPIRE)
        expect(page.locator("#clicked .cal-number")).to_have_text(["1", "2"])
        page.get_by_role("button", name="Work it out").click()
        expect(page.get_by_role("heading", name="Where it looks")).to_be_visible()
        assert _heading(page) == pytest.approx(118.0, abs=0.7)
        expect(page.locator(".cal-found")).to_contain_text("Field of view")
        expect(page.get_by_text("One more landmark checks the others")).to_be_visible()
        expect(page.locator("#worked-out .cal-curve")).to_have_count(1)

        _landmark(page, 3, SILO)
        expect(page.locator("#worked-out .cal-curve")).to_have_count(0)
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_text("Version 1, saved by ana")).to_be_visible()
        assert _heading(page) == pytest.approx(118.0, abs=0.7)
        expect(page.locator(".cal-misses tbody tr")).to_have_count(3)
        saved = centre.do(lambda running: _saved(running.store))
        assert saved == pytest.approx((118.0, 6.0, -1.5), abs=0.7)

        # Taken out, its line is empty; the others stay.
        page.get_by_role("button", name="Take out landmark 2").click()
        expect(page.locator("#clicked .cal-number")).to_have_text(["1", "3"])
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_text("Version 2, saved by ana")).to_be_visible()


async def _saved(store: object) -> tuple[float, float, float]:
    from tocsin.stores.sql import SqlStore

    assert isinstance(store, SqlStore)
    async with store.reading() as unit:
        found = (await unit.calibrations.get("sees", "cam-1")).calibration
    assert found is not None
    aim = found.mount.aim
    return aim.heading_deg, aim.tilt_deg, aim.roll_deg


def test_what_does_not_fit_is_told_and_stays_on_the_page(
    browser: Browser, centre: RunningCentre, watching: httpx.Client
) -> None:
    _beat(watching, "cam-2")
    with screen(browser, centre, size=PHONE) as phone:
        phone.sign_in()
        page = phone.page
        page.goto(f"{centre.url}/cameras/sees/cam-2/calibrate")
        page.locator("#lat").fill("48.1374")
        page.locator("#lon").fill("11.5755")
        page.locator("#height_m").fill("12")
        _landmark(page, 1, Seen(CHIMNEY.name, CHIMNEY.position, 0.0, SPIRE.point))
        _landmark(page, 2, Seen(SPIRE.name, SPIRE.position, 0.0, CHIMNEY.point))
        phone.expect_errors = True  # the browser says so of every answer 422
        page.get_by_role("button", name="Work it out").click()
        expect(page.get_by_role("alert").filter(has_text="Landmarks: ")).to_be_visible()
        expect(page.locator("#name-2")).to_have_value("Spire")
        expect(page.locator("#clicked .cal-number")).to_have_text(["1", "2"])
        wide = page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
        assert wide, "nothing is wider than the phone"


def test_without_a_script_the_numbers_are_typed(
    browser: Browser, centre: RunningCentre, watching: httpx.Client
) -> None:
    _beat(watching, "cam-3")
    with screen(browser, centre, script=False) as desk:
        desk.sign_in()
        page = desk.page
        page.goto(f"{centre.url}/cameras/sees/cam-3/calibrate")
        page.locator("#lat").fill("48.1374")
        page.locator("#lon").fill("11.5755")
        page.locator("#height_m").fill("12")
        for name, value in zip(("h1x", "h1y", "h2x", "h2y"), (*horizon()[0], *horizon()[1]), strict=True):
            page.locator(f"#{name}").fill(f"{value:.4f}")
        for number, mark in enumerate((CHIMNEY, SPIRE), start=1):
            place = (mark.name, mark.position.lat_deg, mark.position.lon_deg, *mark.point)
            for name, value in zip(("name", "lat", "lon", "x", "y"), place, strict=True):
                page.locator(f"#{name}-{number}").fill(f"{value}")
        page.get_by_role("button", name="Work it out").click()
        assert _heading(page) == pytest.approx(118.0, abs=0.05)
        expect(page.locator("#clicked .cal-number")).to_have_text(["1", "2"])
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_text(re.compile("Version 1, saved by ana"))).to_be_visible()
