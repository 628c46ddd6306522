"""Calibrating in the console over loopback, by the form alone: worked out, refused, saved, shown again."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from tests.support.landmarks import CHIMNEY, LENS, MOUNT, SILO, SPIRE, Seen, horizon
from tests.support.running import RunningCentre

from tocsin.core.clicks import Unknown
from tocsin.core.journal import Entry, JournalEntry
from tocsin.core.observation import CameraId, PlaceId
from tocsin.core.sight import CameraHealth, Heartbeat, Sight
from tocsin.ports_store import SavedCalibration
from tocsin.wire import heartbeat_codec

FIELDS = {"lat": "48.1374", "lon": "11.5755", "height_m": "12", "lens": "pinhole"}
SIZE = {"width_px": "1920", "height_px": "1080"}


def _beat(watcher: httpx.Client, camera: str) -> None:
    now = datetime.now(UTC)
    health = CameraHealth(CameraId(camera), "Roof", PlaceId("hall"), Sight.SEEING, now, 9)
    answer = watcher.post("/api/v1/heartbeat", content=heartbeat_codec.dump(Heartbeat(now, (health,))))
    assert answer.status_code == 200


@pytest.fixture(scope="module")
def centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCentre]:
    camera = {
        "id": "roof", "source": "roof.mp4", "lat": 48.1374, "lon": 11.5755, "height_m": 12.0, "tilt_deg": 5.0,
        "lens": "fisheye-equisolid",
    }  # fmt: skip
    with RunningCentre(tmp_path_factory.mktemp("centre"), camera=[camera]) as running:
        with running.watcher("watcher") as client:  # the name of [watcher], if none is given
            _beat(client, "roof")
        yield running


@pytest.fixture
def staff(centre: RunningCentre) -> Iterator[httpx.Client]:
    with centre.staff() as client:
        yield client


@pytest.fixture
def page(centre: RunningCentre, request: pytest.FixtureRequest) -> str:
    """The page of a camera of this test alone."""
    camera = re.sub(r"\W+", "-", request.node.name).strip("-").lower()[:60]
    with centre.watcher("w1") as client:
        _beat(client, camera)
    return f"/cameras/w1/{camera}/calibrate"


def _form(*marks: Seen, heights: bool = False, level: bool = True, **other: str) -> dict[str, str]:
    form = FIELDS | SIZE | {"version": "0", "do": "fit"}
    if level:
        flat = (f"{value:.4f}" for end in horizon() for value in end)
        form |= dict(zip(("h1x", "h1y", "h2x", "h2y"), flat, strict=True))
    for number, one in enumerate(marks, start=1):
        place = {
            "name": one.name,
            "lat": f"{one.position.lat_deg}",
            "lon": f"{one.position.lon_deg}",
            "height": f"{one.height_m}" if heights else "",
            "x": f"{one.point[0]:.4f}",
            "y": f"{one.point[1]:.4f}",
        }
        form |= {f"{key}-{number}": value for key, value in place.items()}
    return form | other


def _saved(centre: RunningCentre, page: str) -> SavedCalibration:
    _, _, watcher, camera, _ = page.split("/")

    async def read(_running: object) -> SavedCalibration:
        async with centre.centre.store.reading() as unit:
            return await unit.calibrations.get(watcher, camera)

    return centre.do(read)


def _plain(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def _value(html: str, name: str) -> str:
    (found,) = re.findall(rf'<input id="{name}" [^>]*value="([^"]*)"', html)
    return found


def test_the_horizon_and_two_landmarks_say_where_a_camera_looks(
    centre: RunningCentre, staff: httpx.Client, page: str
) -> None:
    answer = staff.post(page, data=_form(CHIMNEY, SPIRE))
    assert answer.status_code == 200
    said = _plain(answer.text)
    for words in ("Heading 118.0° ± ", "Tilt 6.0° down ± ", "Roll 1.5° left ± ", "Field of view 64.0° ± "):
        assert words in said
    assert "One more landmark checks the others" in said
    assert "about 1% of the picture&#39;s width, here 0.7°" in said
    assert _saved(centre, page).version == 0, "worked out is not saved"

    more = _plain(staff.post(page, data=_form(CHIMNEY, SPIRE, SILO, heights=True)).text)
    assert "One more landmark" not in more
    assert re.search(r"Silo 0\.\d° \d px", more)


def test_what_is_saved_is_kept_whole_and_shown_again(
    centre: RunningCentre, staff: httpx.Client, page: str
) -> None:
    answer = staff.post(page, data=_form(CHIMNEY, SPIRE, SILO, heights=True, do="save"))
    assert (answer.status_code, answer.headers["location"]) == (303, page)
    saved = _saved(centre, page)
    kept = saved.calibration
    assert (saved.version, saved.by) == (1, "ana")
    assert kept is not None
    aim = kept.mount.aim
    assert (aim.heading_deg, aim.tilt_deg, aim.roll_deg) == pytest.approx(
        (MOUNT.aim.heading_deg, MOUNT.aim.tilt_deg, MOUNT.aim.roll_deg), abs=0.05
    )
    assert kept.lens.fov_deg == pytest.approx(LENS.fov_deg, abs=0.1)
    assert set(kept.errors_deg) == set(Unknown)
    assert [one.name for one in kept.clicks.landmarks] == ["Chimney", "Spire", "Silo"]

    shown = staff.get(page).text
    assert "Version 1, saved by ana" in shown
    assert float(_value(shown, "heading_deg")) == pytest.approx(118.0, abs=0.05)
    assert _value(shown, "name-2") == "Spire"
    assert "Heading 118.0° ± " in _plain(shown)

    async def read(_running: object) -> list[JournalEntry]:
        async with centre.centre.store.reading() as unit:
            return [one.entry for one in await unit.journal.after(0, 1000)]

    told = [one for one in centre.do(read) if one.entry is Entry.CALIBRATED]
    assert "heading 118.0° ± " in told[-1].reason
    assert told[-1].detail == "Chimney, Spire, Silo"


def test_what_is_only_entered_can_be_saved_too(centre: RunningCentre, staff: httpx.Client, page: str) -> None:
    form = _form(level=False, do="save", heading_deg="118", tilt_deg="6", fov_deg="64", roll_deg="−1,5")
    assert staff.post(page, data=form).status_code == 303
    kept = _saved(centre, page).calibration
    assert kept is not None
    assert kept.mount == MOUNT
    assert not kept.errors_deg
    assert "as entered" in staff.get(page).text


def test_what_nobody_knows_is_not_saved(centre: RunningCentre, staff: httpx.Client, page: str) -> None:
    for form, says in (
        (_form(do="save", fov_deg="64"), "the heading is not known"),
        (_form(CHIMNEY, SPIRE, level=False, do="save"), "the tilt is not known"),
        (_form(CHIMNEY, do="save"), "the field of view is not known"),
    ):
        answer = staff.post(page, data=form)
        assert answer.status_code == 422
        assert f"Not saved: {says}" in answer.text
        assert "not known: taken for this" in answer.text
    assert _saved(centre, page).version == 0


@pytest.mark.parametrize(
    ("other", "says"),
    [
        ({"lat": ""}, "The latitude is missing."),
        ({"lat": "north"}, "The latitude &#39;north&#39; is no number."),
        ({"lat": "148"}, "The latitude 148 is not between -90 and 90."),
        ({"lon": "nan"}, "The longitude nan is not between"),
        ({"height_m": "0"}, "The height 0 is not between"),
        ({"lens": "anamorphic"}, "This is no lens model."),
        ({"fov_deg": "175"}, "choose a fisheye."),
        ({"keep_fov": "yes"}, "The field of view is to be kept, and is missing."),
        ({"width_px": "1"}, "between 16 and"),
        ({"h2y": ""}, "Horizon: half of it is missing."),
        ({"h1x": "1.5"}, "first x 1.5 is not between 0 and 1."),
        ({"lon-2": ""}, "Landmark Spire: its latitude or longitude is missing."),
        ({"x-1": ""}, "Landmark Chimney: it is not clicked yet."),
        ({"lat-2": "48.1374", "lon-2": "11.5755"}, "Landmark Spire: it stands where the camera stands."),
        ({"lat-2": "-48.1374"}, "Landmark Spire: it is"),
        ({"version": "x"}, "The form&#39;s version is missing."),
        ({"version": ""}, "The form&#39;s version is missing."),
        ({"k1": "-0.9"}, "leave them out"),
    ],
)
def test_what_cannot_be_is_told_and_nothing_typed_is_lost(
    staff: httpx.Client, page: str, other: dict[str, str], says: str
) -> None:
    answer = staff.post(page, data=_form(CHIMNEY, SPIRE) | other)
    assert answer.status_code == 422
    assert says in answer.text
    assert _value(answer.text, "name-1") == "Chimney"
    assert _value(answer.text, "h1x") == other.get("h1x", f"{horizon()[0][0]:.4f}")


def test_landmarks_that_changed_places_are_refused(staff: httpx.Client, page: str) -> None:
    chimney, spire = (
        Seen(one.name, one.position, one.height_m, other.point)
        for one, other in ((CHIMNEY, SPIRE), (SPIRE, CHIMNEY))
    )
    answer = staff.post(page, data=_form(chimney, spire))
    assert answer.status_code == 422
    assert "Landmarks: no field of view fits them." in answer.text


def test_a_place_as_maps_copy_it_fills_both_fields(staff: httpx.Client, page: str) -> None:
    answer = staff.post(page, data=_form(CHIMNEY, SPIRE, lat="48.137400, 11.575500", lon=""))
    assert answer.status_code == 200
    assert (_value(answer.text, "lat"), _value(answer.text, "lon")) == ("48.137400", "11.575500")


def test_what_strangers_write_is_no_markup_and_no_fault(staff: httpx.Client, page: str) -> None:
    form: dict[str, Any] = _form(CHIMNEY, SPIRE) | {
        "name-1": '<script>"',
        "name-2": "x" * 5000,
        "lat-9": "\0",
    }
    answer = staff.post(page, data=form)
    assert answer.status_code == 200
    assert "<script>&#34;" not in answer.text
    assert "&lt;script&gt;" in answer.text
    many = {f"field-{number}": "1" for number in range(900)}
    assert staff.post(page, data=many).status_code == 400


def test_of_two_who_save_the_second_is_told(centre: RunningCentre, staff: httpx.Client, page: str) -> None:
    entered = {"heading_deg": "118", "tilt_deg": "6", "fov_deg": "64"}
    assert staff.post(page, data=_form(level=False, do="save") | entered).status_code == 303
    second = staff.post(page, data=_form(level=False, do="save") | entered | {"heading_deg": "20"})
    assert second.status_code == 409
    assert "somebody else has calibrated this camera meanwhile" in second.text
    assert _value(second.text, "heading_deg") == "20"
    assert _saved(centre, page).version == 1
    again = _form(level=False, do="save", version="1") | entered | {"heading_deg": "20"}
    assert 'name="version" value="1"' in second.text
    assert staff.post(page, data=again).status_code == 303
    assert _saved(centre, page).version == 2


def test_it_starts_with_what_the_configuration_says(staff: httpx.Client) -> None:
    html = staff.get("/cameras/watcher/roof/calibrate").text
    assert [_value(html, name) for name in ("lat", "lon", "height_m", "tilt_deg", "heading_deg")] == [
        "48.1374", "11.5755", "12", "5", "",
    ]  # fmt: skip
    assert '<option value="fisheye-equisolid" selected>' in html
    assert 'href="/cameras/watcher/roof/calibrate"' in staff.get("/cameras").text


def test_a_camera_that_nobody_has_told_of_is_not_there(staff: httpx.Client) -> None:
    assert staff.get("/cameras/w1/nowhere/calibrate").status_code == 404
    assert staff.post("/cameras/w1/nowhere/calibrate", data=_form(do="save")).status_code == 404
