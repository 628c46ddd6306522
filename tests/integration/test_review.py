"""Review on a real store and real pictures: what is listed, handed out and advised, and what never is."""

from __future__ import annotations

import asyncio
import csv
import json
import re
import sys
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tomli_w
from tests.support.running import sharp_jpeg
from tests.support.site import Site, after, an_edge

from tocsin import cli, terminal
from tocsin.config import from_values
from tocsin.core.alarm import Alarm
from tocsin.core.causes import Causes
from tocsin.core.observation import Edge, Region, SourceKind
from tocsin.flows.review import Labelled, Review, Reviewed, Skipped, Wanted
from tocsin.redact import redact_jpeg
from tocsin.stores.sql import SqlStore

pytestmark = pytest.mark.anyio

REGION = Region(0.25, 0.25, 0.5, 0.75)
LEVEL = 0.6


@pytest.fixture
def site(store: SqlStore, tmp_path: Path) -> Site:
    return Site(store, tmp_path)


def seen(
    hazard: str = "flame", camera: str = "yard/gate", *, at_s: float = 0.0, steady: float = LEVEL
) -> Edge:
    """What a camera sees at a place of its own, so that alarms of two cameras never merge."""
    edge = an_edge(hazard, source=camera, place=camera, at_s=at_s, confidence=0.9)
    return replace(edge, region=REGION, steady=steady)


async def judged(site: Site, edge: Edge, outcome: str = "false", cause: str = "lamp") -> Alarm:
    """An alarm from that edge, with three pictures, answered and closed."""
    alarm = await site.raised(edge)
    await pictured(site, edge)
    at_s = (edge.captured_at - after(0)).total_seconds()
    if (await site.alarm(alarm.id)).state.owes_acknowledgement:
        await site.operate.acknowledge(alarm.id, "ana-schmidt", site.now(at_s + 5))
    cause = cause if outcome == "false" else ""
    note = "seen by Ana Schmidt"
    await site.operate.resolve(alarm.id, "ana-schmidt", outcome, note, site.now(at_s + 9), cause=cause)
    return await site.alarm(alarm.id)


async def pictured(site: Site, edge: Edge) -> None:
    for index, role in enumerate(("before", "at", "after")):
        at = edge.captured_at
        await site.evidence.add(edge.id, index, role, at, edge.region, sharp_jpeg(seed=index), at)


def reviewer(site: Site) -> Review:
    return Review(site.store, site.pictures, Causes())


async def listed(site: Site, **wanted: Any) -> list[Reviewed]:
    return await reviewer(site).resolved(Wanted(**wanted))


async def handed_out(site: Site, **wanted: Any) -> list[Labelled | Skipped]:
    reading = reviewer(site)
    return [one async for one in reading.pictures(await reading.resolved(Wanted(**wanted)))]


async def test_it_lists_what_cameras_saw_and_people_judged(site: Site) -> None:
    await judged(site, seen(at_s=100))
    await judged(site, seen("smoke", "yard/hall", at_s=200, steady=0.8), "dealt-with")
    await judged(site, seen("smoke", "yard/roof", at_s=300), "drill")
    by_hand = an_edge("flame", by=SourceKind.STAFF, source="rui", place="dock", at_s=400)
    await judged(site, by_hand, "dealt-with")
    await site.raised(seen(at_s=900))  # still open
    one, other = await listed(site)
    assert (one.judged.camera, one.judged.hazard, one.judged.cause) == ("yard/gate", "flame", "lamp")
    assert (one.judged.false, one.judged.right, one.judged.at) == (True, False, after(100))
    assert (one.judged.weakest, one.judged.surest, one.confidence) == (LEVEL, LEVEL, 0.9)
    assert (other.judged.camera, other.judged.false, other.judged.right) == ("yard/hall", False, True)


@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [
        ({}, [1, 2, 3]),
        ({"false": True}, [1, 3]),
        ({"false": False}, [2]),
        ({"cause": "fog"}, [3]),
        ({"hazard": "smoke"}, [2, 3]),
        ({"camera": "hall"}, [2]),
        ({"camera": "yard/hall"}, [2]),
        ({"camera": "yard"}, []),
        ({"since": after(209)}, [2, 3]),
        ({"since": after(1000)}, []),
        ({"hazard": "smoke", "false": True, "camera": "gate"}, [3]),
    ],
)
async def test_the_list_is_narrowed(site: Site, wanted: dict[str, Any], numbers: list[int]) -> None:
    await judged(site, seen(at_s=100))
    await judged(site, seen("smoke", "yard/hall", at_s=200), "dealt-with")
    await judged(site, seen("smoke", at_s=300), cause="fog")
    assert [one.judged.number for one in await listed(site, **wanted)] == numbers


async def test_two_cameras_of_one_alarm_are_judged_each_by_what_it_saw(site: Site) -> None:
    first = seen(at_s=1, steady=0.7)
    await site.raised(first)
    second = replace(first, id=seen().id, source="yard/mast", captured_at=after(2), steady=0.55)
    third = replace(first, id=seen().id, captured_at=after(3), steady=None, confidence=0.65)
    await site.take(second)
    await judged(site, third)
    found = {one.judged.camera: one for one in await listed(site)}
    assert set(found) == {"yard/gate", "yard/mast"}
    gate = found["yard/gate"].judged
    # A watcher that does not say how steady it was: it may have been anything.
    assert (gate.weakest, gate.surest, gate.at) == (0.0, 0.7, after(1))
    assert found["yard/mast"].judged.weakest == 0.55


async def test_pictures_of_false_alarms_are_none_and_of_real_ones_have_a_box(site: Site) -> None:
    await judged(site, seen(at_s=100))
    await judged(site, seen("smoke", "yard/hall", at_s=200), "handed-over")
    found = await handed_out(site)
    assert all(isinstance(one, Labelled) for one in found)
    labelled = [one for one in found if isinstance(one, Labelled)]
    assert [(one.label, one.scene) for one in labelled] == [("none", "yard_gate")] * 3 + [
        ("smoke", "yard_hall")
    ]
    assert all(one.boxes == () for one in labelled[:3])
    boxes = labelled[3].boxes
    assert boxes is not None
    (box,) = boxes
    assert (box.label, box.x_px, box.y_px, box.width_px, box.height_px) == ("smoke", 240, 135, 240, 270)
    assert "false: lamp" in labelled[0].notes
    assert "at the moment" in labelled[3].notes


async def test_invariant_4_what_is_handed_out_is_what_is_stored_and_crops_are_redacted_too(
    site: Site,
) -> None:
    edge = seen()
    await judged(site, edge)
    stored = {redact_jpeg(sharp_jpeg(seed=index), REGION).jpeg for index in range(3)}
    for one in await handed_out(site):
        assert isinstance(one, Labelled)
        assert one.jpeg in stored
        assert one.crop is not None
        crop = cv2.imdecode(np.frombuffer(one.crop, np.uint8), cv2.IMREAD_COLOR)
        assert crop is not None
        assert crop.shape[:2] == (270, 240)
        cells = np.abs(np.diff(crop.astype(np.int16), axis=1)).mean(axis=(0, 2)) > 24
        assert int(cells.sum()) + 1 <= 160


async def test_invariant_3_nothing_that_leaves_names_who_answered(site: Site) -> None:
    await judged(site, seen())
    await judged(site, seen("smoke", "yard/hall", at_s=99), "dealt-with")
    for one in await handed_out(site):
        assert isinstance(one, Labelled)
        text = " ".join((one.name, one.scene, one.notes)).lower()
        assert "ana" not in text
        assert "schmidt" not in text


async def test_a_wanted_fire_is_labelled_fire_and_a_test_is_left_out(site: Site) -> None:
    """Trained as none, they would teach that a flame is no flame."""
    await judged(site, seen(at_s=100), cause="planned-burn")
    await judged(site, seen(at_s=200), cause="test")
    burn, left_out = await handed_out(site)
    assert isinstance(burn, Labelled)
    assert (burn.label, len(burn.boxes or ())) == ("fire", 1)
    assert isinstance(left_out, Skipped)
    assert "'test'" in left_out.why


async def test_flame_and_smoke_at_once_are_both(site: Site) -> None:
    smoke, flame = seen("smoke", at_s=1), seen("flame", at_s=3)
    await site.raised(smoke)
    await judged(site, flame, "dealt-with")
    found = [one for one in await handed_out(site, hazard="flame") if isinstance(one, Labelled)]
    assert [(one.label, [box.label for box in one.boxes or ()]) for one in found] == [
        ("both", ["fire", "smoke"])
    ]


async def test_what_is_missing_is_told_and_the_rest_goes_on(site: Site) -> None:
    gone = seen("water", at_s=1)
    await judged(site, gone, "dealt-with")
    bare = seen(at_s=100)
    alarm = await site.raised(bare)
    await site.operate.acknowledge(alarm.id, "ana", site.now(101))
    await site.operate.resolve(alarm.id, "ana", "false", "", site.now(102), cause="lamp")
    await judged(site, seen("smoke", at_s=300), "dealt-with")
    await judged(site, seen("smoke", "yard/hall", at_s=500), "dealt-with")
    async with site.store.reading() as unit:
        (lost, *_) = [p for p in await unit.pictures.of([(await listed(site))[2].alarm.id]) if p.role == "at"]
        (broken, *_) = [
            p for p in await unit.pictures.of([(await listed(site))[3].alarm.id]) if p.role == "at"
        ]
    assert lost.digest == broken.digest, "the same picture, stored once"
    await site.pictures.drop([lost.digest])
    found = await handed_out(site)
    assert [
        (one.number, re.sub(r"[0-9a-f-]{36}", "ID", one.why)) for one in found if isinstance(one, Skipped)
    ] == [
        (1, "'water' has no label in this format"),
        (2, "no picture of 'yard/gate' is kept"),
        (3, "the file of picture ID is missing"),
        (4, "the file of picture ID is missing"),
    ]


async def test_a_camera_whose_name_is_hostile_makes_harmless_names(site: Site) -> None:
    await judged(site, seen(camera='yard/=cmd|"/../../x"<b>'))
    for one in await handed_out(site):
        assert isinstance(one, Labelled)
        assert re.fullmatch(r"[\w.-]+", one.name)
        assert re.fullmatch(r"[\w.-]+", one.scene)
        assert not one.scene.startswith(("=", ".", "-"))
        assert "cmd|" not in one.notes


# The commands


class Terminal:
    """The command line in this process, on a configuration in its folder."""

    def __init__(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], database: str
    ) -> None:
        self.folder = folder
        self._monkeypatch = monkeypatch
        self._capsys = capsys
        self.configure(database)

    def configure(self, database: str, **camera: Any) -> None:
        values = {
            "centre": {"database": database, "data_dir": str(self.folder)},
            "camera": [{"id": "gate", "source": "gate.mp4", **camera}],
        }
        (self.folder / "tocsin.toml").write_text(tomli_w.dumps(values))

    def __call__(self, *arguments: str, status: int = 0) -> str:
        self._monkeypatch.setattr(sys, "argv", ["tocsin", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        printed = self._capsys.readouterr()
        assert (ended.value.code or 0) == status, printed
        return printed.out + printed.err


@pytest.fixture
def tocsin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], database_url: str
) -> Terminal:
    monkeypatch.setattr(terminal.out, "width", 200)
    monkeypatch.chdir(tmp_path)
    return Terminal(tmp_path, monkeypatch, capsys, database_url)


def filled(database: str, folder: Path, *levels: float, real: tuple[float, ...] = ()) -> None:
    """Alarms in that database: one false for each level, within an hour, and real ones far later."""

    async def fill() -> None:
        store = SqlStore(database)
        site = Site(store, folder)
        for number, level in enumerate(levels):
            await judged(site, seen(at_s=100.0 * number, steady=level), cause="vehicle-lights")
        for number, level in enumerate(real):
            await judged(site, seen(at_s=50_000 + 100.0 * number, steady=level), "dealt-with")
        await store.close()

    asyncio.run(fill())


def test_the_list_in_the_terminal_and_as_json(tocsin: Terminal, database_url: str) -> None:
    assert "0 false, 0 real." in tocsin("review")
    filled(database_url, tocsin.folder, 0.6, 0.62, real=(0.9,))
    text = tocsin("review")
    assert "2 false, 1 real." in text
    assert re.search(r"1 .*2026-03-02 12:00.*yard/gate.*Open flame.*false.*Vehicle lights.*0\.90", text)
    assert "1 false" not in tocsin("review", "--real")
    rows = json.loads(tocsin("review", "--json", "--false", "--cause", "vehicle-lights", "--camera", "gate"))
    assert [(row["alarm"], row["false"], row["cause"]) for row in rows] == [
        (1, True, "vehicle-lights"),
        (2, True, "vehicle-lights"),
    ]
    assert "ana" not in json.dumps(rows)
    assert json.loads(tocsin("review", "--json", "--since", "2026-03-04")) == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("review", "--cause", "steem"), "did you mean 'steam'"),
        (("review", "--hazard", "flam"), "did you mean 'flame'"),
        (("review", "--since", "yesterday"), "2026-11-23"),
        (("review", "--false", "--real"), "exclude each other"),
        (("review", "--false", "export", "out"), "write it after 'export'"),
        (("review", "export", "."), "nothing is overwritten"),
    ],
)
def test_what_cannot_be_meant_is_refused(tocsin: Terminal, arguments: tuple[str, ...], says: str) -> None:
    assert says in tocsin(*arguments, status=2)


def test_the_configuration_may_be_named_by_the_environment(
    tocsin: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOCSIN_CONFIG", str(tocsin.folder / "tocsin.toml"))
    assert "no picture" in tocsin("review", "export", "out")
    assert not (tocsin.folder / "out").exists()


def test_an_export_reads_as_the_labelled_footage_does(tocsin: Terminal, database_url: str) -> None:
    filled(database_url, tocsin.folder, 0.6, real=(0.9,))
    assert "4 pictures (1 fire, 3 none) are in out." in tocsin("review", "export", "out")
    made = tocsin.folder / "out"
    with (made / "MANIFEST.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    boxes = json.loads((made / "boxes" / "images.json").read_text())
    assert sorted(row["label"] for row in rows) == ["fire", "none", "none", "none"]
    for row in rows:
        picture = cv2.imread(str(made / row["file"]))
        assert picture is not None
        assert (str(picture.shape[1]), str(picture.shape[0])) == (row["width"], row["height"])
        assert bool(boxes[row["file"]]) is (row["label"] == "fire")
    everything = "".join(path.read_text() for path in made.rglob("*.*") if path.suffix != ".jpg")
    assert "schmidt" not in everything.lower()
    assert "nothing is overwritten" in tocsin("review", "export", "out", status=2)
    assert "1 picture (1 fire) is in real." in tocsin("review", "export", "real", "--real")


def test_advice_is_printed_with_the_lines_that_apply_it_and_they_load(
    tocsin: Terminal, database_url: str
) -> None:
    filled(database_url, tocsin.folder, 0.6, 0.6, 0.6, 0.62, real=(0.9,))
    assert "No threshold advised: too few" in tocsin("review", "advice")
    filled(database_url, tocsin.folder, 0.64, 0.64)
    tocsin.configure(database_url, threshold={"smoke": 0.6})
    text = tocsin("review", "advice")
    assert "yard/gate, Open flame: 6 false, 1 real; threshold 0.50" in text
    assert "6 of 6 false alarms would not have come" in text
    assert "0 of 1 real ones would have been missed" in text
    assert "All 6 false alarms: Vehicle lights, all between 12:00 and 13:00; 0 with a real hazard" in text
    section = "\n".join(line[4:] for line in text.splitlines() if line.startswith("    ") and "=" in line)
    assert section == "smoke = 0.6\nflame = 0.65"
    before = (tocsin.folder / "tocsin.toml").read_bytes()
    (row,) = json.loads(tocsin("review", "advice", "--json"))
    assert (row["threshold"]["enter"], row["why"]) == (0.65, "spares")
    assert (tocsin.folder / "tocsin.toml").read_bytes() == before, "applied only by a person"
    toml = f'[[camera]]\nid = "gate"\nsource = "gate.mp4"\n[camera.threshold]\n{section}\n'
    (camera,) = from_values(tomllib.loads(toml), "test").camera
    assert camera.threshold == {"smoke": 0.6, "flame": 0.65}
    assert "No camera has had a false alarm" in tocsin("review", "advice", "--camera", "hall")
