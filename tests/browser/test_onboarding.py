"""Adding a camera in a real browser: searched, measured and written down; with a script, and without."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from tests.browser.test_console import PHONE
from tests.browser.test_console import _screen as screen  # pyright: ignore[reportPrivateUsage]
from tests.browser.test_console import browser as browser
from tests.browser.test_console import centre as centre
from tests.support.onboarding import AddingWatcher
from tests.support.onvif import OnvifDevice, Responder, SimulatedProfile, probe_match
from tests.support.rtsp import RtspServer, draw_clip
from tests.support.running import RunningCentre

from tocsin.watch import sender as sender_module

pytestmark = pytest.mark.browser

SECRET = "hunter2 & more"
SHOTS = os.environ.get("TOCSIN_TEST_SHOTS", "")
"""A folder for pictures of the pages, for whoever wants to look at them."""


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_clip(tmp_path_factory.mktemp("clips") / "yard.mp4", seconds=8.0, fps=25, gop=50)


@pytest.fixture
def device(clip: Path) -> Iterator[OnvifDevice]:
    with RtspServer(clip, username="ana", password=SECRET) as server:
        profile = SimulatedProfile("main", server.url)
        with OnvifDevice([profile], username="ana", password=SECRET) as simulated:
            yield simulated


@pytest.fixture
def watcher(
    tmp_path: Path, centre: RunningCentre, monkeypatch: pytest.MonkeyPatch
) -> Iterator[AddingWatcher]:
    monkeypatch.setattr(sender_module, "HEARTBEAT_S", 0.2)
    name = tmp_path.name[:40]
    adding = AddingWatcher(tmp_path / "watcher", centre.url, centre.token(name), name=name)
    with adding.beating():
        yield adding


def _shot(page: Page, name: str) -> None:
    if not SHOTS:
        return
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.screenshot(path=f"{SHOTS}/{name}-{scheme}.png", full_page=True)


def _choose(page: Page, watcher: AddingWatcher, form: str) -> None:
    """Other tests' watchers may still be heard: then there is a choice."""
    box = page.locator(f"#{form}-watcher")
    if box.count():
        box.select_option(watcher.name)


@pytest.mark.parametrize("size", [None, PHONE], ids=["desk", "phone"])
def test_a_camera_is_searched_measured_and_added(
    browser: Browser,
    centre: RunningCentre,
    watcher: AddingWatcher,
    device: OnvifDevice,
    size: dict[str, int] | None,
) -> None:
    def replies(message: str) -> list[bytes]:
        scopes = "onvif://www.onvif.org/name/Yard%20north onvif://www.onvif.org/hardware/Eye9"
        return [probe_match(message, f"http://{device.address}/onvif/device_service", scopes)]

    kind = "phone" if size else "desk"
    with screen(browser, centre, size=size) as desk, Responder(replies) as responder:
        desk.sign_in()
        page = desk.page
        page.goto(f"{centre.url}/cameras")
        _shot(page, f"{kind}-0-cameras")
        page.get_by_role("link", name="Add a camera").click()
        expect(page.get_by_role("heading", name="Add a camera")).to_be_visible()
        _choose(page, watcher, "search")
        _shot(page, f"{kind}-1-start")
        page.get_by_text("Behind a router").click()
        page.get_by_label("Ask only this host").fill(f"127.0.0.1:{responder.address[1]}")
        page.get_by_role("button", name="Search the network").click()
        expect(page.locator(".doing, .devices").first).to_be_visible()

        expect(page.get_by_role("heading", name="Cameras on the network")).to_be_focused()
        _shot(page, f"{kind}-2-found")
        page.get_by_role("radio", name="Yard north").check()
        form = page.locator("form", has=page.get_by_text("Which one?"))
        form.get_by_label("User name").fill("ana")
        form.get_by_label("Password").fill("wrong")
        form.get_by_role("button", name="Measure it").click()
        expect(page.get_by_text("Check user name and password")).to_be_visible()
        _shot(page, f"{kind}-3-refused")

        page.get_by_label("User name").fill("ana")
        page.get_by_label("Password").fill(SECRET)
        page.get_by_role("button", name="Measure it").click()
        expect(page.get_by_text("watches its streams for 20 seconds")).to_be_visible()
        _shot(page, f"{kind}-4-measuring")
        expect(page.get_by_role("heading", name="What it sends")).to_be_visible()
        expect(page.get_by_role("cell", name="320 × 240")).to_be_visible()
        expect(page.get_by_text("Set the I-frame interval (GOP) to 1 s").first).to_be_visible()
        _shot(page, f"{kind}-5-measured")
        if size:
            assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]

        page.get_by_label("Id").fill("hall-1")
        page.get_by_label("Name", exact=True).fill("Sorting hall 1")
        page.get_by_label("Place that it looks at").select_option("hall")
        page.get_by_label("Heading").fill("270")
        page.get_by_role("button", name="Add the camera").click()
        expect(page.get_by_role("heading", name="Camera hall-1 is added")).to_be_visible()
        _shot(page, f"{kind}-6-added")
        assert SECRET not in page.content()
        assert SECRET not in page.url
    assert watcher.file is not None
    added = tomllib.loads(watcher.file.read_text())["camera"][1]
    assert (added["name"], added["place"], added["heading_deg"]) == ("Sorting hall 1", "hall", 270.0)


def test_without_a_script_the_page_loads_itself_again(
    browser: Browser, centre: RunningCentre, watcher: AddingWatcher, device: OnvifDevice
) -> None:
    with screen(browser, centre, script=False) as desk:
        desk.sign_in()
        page = desk.page
        page.goto(f"{centre.url}/cameras/add")
        _choose(page, watcher, "measure")
        page.get_by_label("Address", exact=True).fill(device.address)
        page.get_by_label("User name").fill("ana")
        page.get_by_label("Password").fill(SECRET)
        page.get_by_role("button", name="Measure it").click()
        expect(page.locator("#adding noscript a")).to_be_visible()
        expect(page.get_by_role("heading", name="What it sends")).to_be_visible()
        page.get_by_label("Id").fill("hall-2")
        page.get_by_role("button", name="Add the camera").click()
        expect(page.get_by_role("heading", name="Camera hall-2 is added")).to_be_visible()
