"""What a watcher keeps of drawn zones: over a restart, over damage, and never less than its file has."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tocsin.core.hazards import HazardCode
from tocsin.core.zones import NO_ZONES, IgnoreZone, Polygon, Zones
from tocsin.watch.zones import KeptZones
from tocsin.wire import zones_codec

LEFT = Polygon(((0.0, 0.0), (0.3, 0.0), (0.3, 1.0), (0.0, 1.0)))
RIGHT = Polygon(((0.7, 0.0), (1.0, 0.0), (1.0, 1.0), (0.7, 1.0)))
FIXED = Zones((LEFT,))
DRAWN = Zones((RIGHT,), (IgnoreZone((HazardCode("flame"),), RIGHT),))


def _answer(zones: Zones = DRAWN, version: int = 3, camera: str = "cam-1") -> str:
    told = {"version": version, "zones": json.loads(zones_codec.dump(zones))}
    return json.dumps({"cameras": {camera: told}})


def _kept(folder: Path) -> KeptZones:
    return KeptZones(folder / "zones.json", {"cam-1": FIXED, "cam-2": NO_ZONES})


def test_before_the_centre_has_told_those_of_the_file_hold(tmp_path: Path) -> None:
    kept = _kept(tmp_path)
    assert kept.of("cam-1") == FIXED
    assert kept.of("cam-2") == NO_ZONES
    assert kept.digest == ""
    assert kept.health("cam-1", 0).error == ""


def test_drawn_zones_add_to_those_of_the_file_and_outlive_a_restart(tmp_path: Path) -> None:
    kept = _kept(tmp_path)
    kept.take(_answer(), "d1")
    for one in (kept, _kept(tmp_path)):
        assert one.of("cam-1") == FIXED.plus(DRAWN)
        assert one.of("cam-2") == NO_ZONES
        assert one.digest == "d1"
        health = one.health("cam-1", 7)
        assert (health.version, health.ignored, health.error) == (3, 7, "")
        assert health.fixed.startswith("mask 0.0,0.0"), "only those of the file"


def test_taking_drawn_ones_back_leaves_those_of_the_file(tmp_path: Path) -> None:
    kept = _kept(tmp_path)
    kept.take(_answer(), "d1")
    kept.take(_answer(NO_ZONES, 4), "d2")
    assert kept.of("cam-1") == FIXED
    assert _kept(tmp_path).of("cam-1") == FIXED


def test_nothing_changes_for_an_eye_when_nothing_has_changed(tmp_path: Path) -> None:
    kept = _kept(tmp_path)
    before = kept.of("cam-1"), kept.of("cam-2")
    kept.take(_answer(camera="another"), "d1")
    assert (kept.of("cam-1") is before[0], kept.of("cam-2") is before[1]) == (True, True)


@pytest.mark.parametrize(
    "damage", ["", "{", "[]", '{"told": 3, "digest": "d"}', '{"told": "[]", "digest": "d"}', "\ud83d"]
)
def test_what_was_kept_and_cannot_be_read_is_told_and_the_file_still_masks(
    tmp_path: Path, damage: str
) -> None:
    (tmp_path / "zones.json").write_bytes(damage.encode("utf-8", "surrogatepass"))
    kept = _kept(tmp_path)
    assert kept.of("cam-1") == FIXED
    assert kept.digest == "", "so that it is asked for anew"
    assert "could not be read" in kept.health("cam-1", 0).error
    kept.take(_answer(), "d1")
    assert kept.health("cam-1", 0).error == ""
    assert _kept(tmp_path).of("cam-1") == FIXED.plus(DRAWN)


def test_a_camera_whose_zones_cannot_be_read_keeps_those_it_has(tmp_path: Path) -> None:
    kept = _kept(tmp_path)
    kept.take(_answer(), "d1")
    foreign = _answer(version=4).replace('"flame"', '"person"')
    kept.take(foreign, "d2")
    assert kept.of("cam-1") == FIXED.plus(DRAWN)
    health = kept.health("cam-1", 0)
    assert health.version == 3
    assert "cannot be applied" in health.error


@pytest.mark.parametrize("answer", ["", "[]", '{"cameras": []}', '{"cameras": 3}'])
def test_what_is_no_answer_of_a_centre_changes_nothing(tmp_path: Path, answer: str) -> None:
    kept = _kept(tmp_path)
    kept.take(_answer(), "d1")
    with pytest.raises((ValueError, TypeError, KeyError, AttributeError)):
        kept.take(answer, "d2")
    assert kept.of("cam-1") == FIXED.plus(DRAWN)
    assert kept.digest == "d1"


def test_on_a_disk_that_takes_nothing_they_are_applied_and_that_is_told(tmp_path: Path) -> None:
    kept = KeptZones(tmp_path / "gone" / "zones.json", {"cam-1": FIXED})
    kept.take(_answer(), "d1")
    assert kept.of("cam-1") == FIXED.plus(DRAWN)
    assert kept.digest == "", "so that it is tried again"
    assert "cannot be kept" in kept.health("cam-1", 0).error


MORE = FIXED.plus(Zones((Polygon(((0.8, 0.8), (0.9, 0.8), (0.9, 0.9))),)))


def test_other_masks_of_the_file_are_applied_beside_what_was_drawn(tmp_path: Path) -> None:
    kept = _kept(tmp_path)
    kept.take(_answer(), "d1")
    kept.fix({"cam-1": MORE, "cam-3": FIXED})
    assert kept.of("cam-1") == MORE.plus(DRAWN)
    assert kept.of("cam-3") == FIXED
    assert kept.health("cam-2", 0).version == 0, "a camera that is gone has none"
    with pytest.raises(KeyError):
        kept.of("cam-2")


def test_a_mask_of_the_file_holds_though_the_drawn_ones_cannot_be_read(tmp_path: Path) -> None:
    kept = _kept(tmp_path)
    kept.take(_answer(), "d1")
    kept.take(json.dumps({"cameras": {"cam-1": {"version": 4, "zones": "?"}}}), "d2")
    kept.fix({"cam-1": MORE})
    assert kept.of("cam-1") == MORE.plus(DRAWN), "and what was drawn last and could be read"
    assert "cannot be applied" in kept.health("cam-1", 0).error


def test_that_what_was_kept_cannot_be_read_is_told_after_a_change_of_the_file_too(tmp_path: Path) -> None:
    (tmp_path / "zones.json").write_text("{")
    kept = _kept(tmp_path)
    kept.fix({"cam-1": MORE})
    assert kept.of("cam-1") == MORE
    assert "could not be read" in kept.health("cam-1", 0).error
