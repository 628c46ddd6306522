"""The keys that say how a camera is mounted: what is taken, what is refused and how it is said."""

from __future__ import annotations

import tomllib

import pytest

from tocsin.config import Camera, from_values
from tocsin.core.errors import ConfigError
from tocsin.core.geometry import LensModel

CAMERA = '[[camera]]\nid = "roof"\nsource = "roof.mp4"\n'


def _camera(keys: str) -> Camera:
    return from_values(tomllib.loads(CAMERA + keys), "tocsin.toml").camera[0]


def test_all_of_it_is_said_in_words() -> None:
    keys = "lat = 48.1374\nlon = 11.5755\nheight_m = 12\nheading_deg = 118\ntilt_deg = 6\nroll_deg = -1.5\n"
    camera = _camera(keys + 'fov_deg = 180\nlens = "fisheye-equidistant"\n')
    assert camera.lens is LensModel.EQUIDISTANT
    assert camera.mounted == (
        "at 48.13740, 11.57550, 12 m high, heading 118°, tilted 6° down, rolled 1.5° left, "
        "180° wide through a fisheye-equidistant lens"
    )


def test_what_is_not_known_is_left_out() -> None:
    assert _camera("").mounted == ""
    assert _camera("tilt_deg = -3\nroll_deg = 0\n").mounted == "tilted 3° up"
    assert _camera('lens = "fisheye-equisolid"\n').mounted == ""


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ("lat = 48.1\n", "lat and lon belong together"),
        ("lon = 11.5\n", "lat and lon belong together"),
        ("lat = 91\nlon = 0\n", "lat"),
        ("lat = nan\nlon = 0\n", "lat"),
        ("roll_deg = 181\n", "roll_deg"),
        ('lens = "anamorphic"\n', "fisheye-equidistant"),
        ('lens = "pinhole"\nfov_deg = 175\n', "choose a fisheye"),
        ("k1 = -0.2\n", "need fov_deg"),
        ("k1 = -0.4\nfov_deg = 100\n", "fold"),
        ('lens = "fisheye-equisolid"\nk1 = 0.1\nfov_deg = 100\n', "no k1 and k2"),
    ],
)
def test_what_cannot_be_is_refused(keys: str, says: str) -> None:
    with pytest.raises(ConfigError) as refused:
        _camera(keys)
    assert says in str(refused.value)
