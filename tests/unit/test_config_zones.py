"""`[[camera.mask]]` and `[[camera.ignore]]`: what they become, and what is refused with the key's name."""

from __future__ import annotations

import tomllib

import pytest

from tocsin.config import from_values
from tocsin.core.errors import ConfigError
from tocsin.core.zones import NO_ZONES

CAMERA = '[[camera]]\nid = "gate"\nsource = "gate.mp4"\n'
MASK = "[[camera.mask]]\npoints = [[0, 0], [0.5, 0], [0.5, 0.5], [0, 0.5]]\n"
IGNORE = '[[camera.ignore]]\nhazards = ["flame", "smoke"]\npoints = [[0.1, 0.1], [0.9, 0.1], [0.5, 0.9]]\n'


def _zones(text: str) -> object:
    return from_values(tomllib.loads(CAMERA + text), "site.toml").camera[0].zones


def test_masks_and_ignore_zones_of_the_file() -> None:
    zones = from_values(tomllib.loads(CAMERA + MASK + MASK + IGNORE), "site.toml").camera[0].zones
    assert [mask.area for mask in zones.masks] == [0.25, 0.25]
    (ignore,) = zones.ignores
    assert ignore.hazards == ("flame", "smoke")
    assert ignore.polygon.points == ((0.1, 0.1), (0.9, 0.1), (0.5, 0.9))


def test_without_any_there_are_none() -> None:
    assert _zones("") == NO_ZONES


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[camera.mask]]\npoints = [[0, 0], [1, 1]]\n", "mask.0.points"),
        ("[[camera.mask]]\npoints = [[0, 0], [1, 1], [2, 0]]\n", "mask.0.points.2"),
        ("[[camera.mask]]\npoints = [[0, 0], [1, 1], [1, 0], [0, 1]]\n", "meets its side"),
        (MASK + "point = 1\n", "did you mean 'points'"),
        (IGNORE.replace('"flame"', '"flames"'), "did you mean 'flame'"),
        (IGNORE.replace('"flame"', '"camera-covered"'), "cannot be ignored"),
        (IGNORE.replace('"flame", "smoke"', ""), "ignore.0.hazards"),
        (MASK * 33, "mask"),
    ],
)
def test_what_is_wrong_is_named(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        _zones(text)


def test_too_many_of_both_together_are_refused_before_anything_starts() -> None:
    with pytest.raises(ConfigError, match="at most 32"):
        _zones(MASK * 20 + IGNORE * 20)
