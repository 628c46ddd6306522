"""The calibration's form: what was typed in it, read into values, and values written back into it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from tocsin.config_place import Mounting
from tocsin.core.clicks import MOST_LANDMARKS, Calibration, Clicks, Landmark, Unknown
from tocsin.core.errors import InvalidInputError, TocsinError
from tocsin.core.geometry import Aim, Lens, LensModel, Mount, Position
from tocsin.core.zones import Vertex

MOST_CHARACTERS: Final = 80
SUPPOSED_FOV_DEG: Final = 70.0
"""Where the search for the field of view begins when nobody knows it; it does not depend on it."""

DIRECTION: Final = ("heading_deg", "tilt_deg", "roll_deg")
HORIZON: Final = ("h1x", "h1y", "h2x", "h2y")
PLAIN: Final = (
    "lat", "lon", "height_m", *DIRECTION, "fov_deg", "k1", "k2", "width_px", "height_px", *HORIZON
)  # fmt: skip
OF_A_MARK: Final = ("name", "lat", "lon", "height", "x", "y")
LABELS: Final = {
    "lat": "latitude", "lon": "longitude", "height_m": "height", "heading_deg": "heading", "tilt_deg": "tilt",
    "roll_deg": "roll", "fov_deg": "field of view", "k1": "k1", "k2": "k2", "width_px": "picture's width",
    "height_px": "picture's height", "h1x": "horizon's first x", "h1y": "horizon's first y",
    "h2x": "horizon's second x", "h2y": "horizon's second y", "height": "height", "x": "x", "y": "y",
}  # fmt: skip
_PAIR: Final = re.compile(r"\s*(-?\d+\.\d+)\s*[,;]\s*(-?\d+\.\d+)\s*")


@dataclass(frozen=True, slots=True)
class Draft:
    """What a form asks for. `unknown` are the fields of DIRECTION and `fov_deg` that were left empty."""

    mount: Mount
    lens: Lens
    clicks: Clicks
    width_px: int
    keep_fov: bool
    unknown: frozenset[str]


def fields_of(form: Mapping[str, object]) -> dict[str, str]:
    """The form's known fields as text; what else is in it, or fits no input of ours, is dropped."""
    found = _empty()
    for name in found:
        value = form.get(name, "")
        fits = isinstance(value, str) and len(value) <= MOST_CHARACTERS and value.isprintable()
        found[name] = value.strip() if isinstance(value, str) and fits else ""
    for suffix in ("", *(f"-{number}" for number in range(1, MOST_LANDMARKS + 1))):
        pair = _PAIR.fullmatch(found[f"lat{suffix}"])
        if pair and not found[f"lon{suffix}"]:  # as maps copy a place
            found[f"lat{suffix}"], found[f"lon{suffix}"] = pair.groups()
    return found


def draft_of(fields: Mapping[str, str]) -> Draft:
    """Raises InvalidInputError, GeometryError among them, that names the field."""

    def needed(name: str, least: float, most: float) -> float:
        value = _number(fields, name, least, most)
        if value is None:
            raise InvalidInputError(f"the {LABELS[name]} is missing", hint="enter it, and try again")
        return value

    position = Position(needed("lat", -90, 90), needed("lon", -180, 180))
    direction = [
        _number(fields, name, least, most)
        for name, least, most in zip(DIRECTION, (0.0, -90.0, -180.0), (360.0, 90.0, 180.0), strict=True)
    ]
    heading, tilt, roll = direction
    fov = _number(fields, "fov_deg", 1, 200)
    try:
        model = LensModel(fields["lens"])
    except ValueError:
        raise InvalidInputError("this is no lens model", hint="choose one from the list") from None
    keep_fov = bool(fields["keep_fov"])
    if keep_fov and fov is None:
        raise InvalidInputError("the field of view is to be kept, and is missing", hint="enter it")
    width, height = needed("width_px", 16, 100_000), needed("height_px", 16, 100_000)
    lens = Lens(
        model,
        SUPPOSED_FOV_DEG if fov is None else fov,
        width / height,
        _number(fields, "k1", -5, 5) or 0.0,
        _number(fields, "k2", -5, 5) or 0.0,
    )
    aim = Aim((heading or 0.0) % 360.0, tilt or 0.0, roll or 0.0)
    given = dict(zip((*DIRECTION, "fov_deg"), (*direction, fov), strict=True))
    return Draft(
        Mount(position, needed("height_m", 0.1, 9000), aim),
        lens,
        Clicks(_horizon(fields), _landmarks(fields)),
        round(width),
        keep_fov,
        frozenset(name for name, value in given.items() if value is None),
    )


def _number(fields: Mapping[str, str], name: str, least: float, most: float) -> float | None:
    text, label = fields[name], LABELS[name.partition("-")[0]]
    if not text:
        return None
    try:
        # A comma for the point, and the minus of a typeset page, are how people write.
        value = float(text.replace(",", ".").replace("−", "-"))
    except ValueError:
        raise InvalidInputError(
            f"the {label} {text!r} is no number", hint="write one such as 48.13"
        ) from None
    # Written so that NaN is refused too.
    if not least <= value <= most:
        raise InvalidInputError(f"the {label} {text} is not between {least:g} and {most:g}", hint="check it")
    return value


def _horizon(fields: Mapping[str, str]) -> tuple[Vertex, Vertex] | None:
    values = [_number(fields, name, 0, 1) for name in HORIZON]
    if all(value is None for value in values):
        return None
    x1, y1, x2, y2 = values
    if x1 is None or y1 is None or x2 is None or y2 is None:
        raise InvalidInputError("half of it is missing", where="horizon", hint="give two points, or none")
    return (x1, y1), (x2, y2)


def _landmarks(fields: Mapping[str, str]) -> tuple[Landmark, ...]:
    found: list[Landmark] = []
    for number in range(1, MOST_LANDMARKS + 1):
        if not any(fields[f"{name}-{number}"] for name in OF_A_MARK):
            continue
        name = fields[f"name-{number}"] or f"{number}"
        try:
            lat, lon, x, y = (
                _number(fields, f"{what}-{number}", least, most)
                for what, least, most in (("lat", -90, 90), ("lon", -180, 180), ("x", 0, 1), ("y", 0, 1))
            )
            height = _number(fields, f"height-{number}", -500, 9000)
            if lat is None or lon is None:
                raise InvalidInputError("its latitude or longitude is missing", hint="take them from a map")
            if x is None or y is None:
                raise InvalidInputError("it is not clicked yet", hint="click it in the picture")
        except TocsinError as error:
            raise InvalidInputError(error.what, where=f"landmark {name}", hint=error.hint) from None
        found.append(Landmark(name, Position(lat, lon), height, (x, y)))
    return tuple(found)


def fields_at_first(mounting: Mounting, aspect: float | None) -> dict[str, str]:
    """The form of a camera that was never calibrated: what the configuration says, and the rest empty."""
    fields = _empty()
    for name in ("lat", "lon", "height_m", *DIRECTION, "fov_deg", "k1", "k2"):
        value: float | None = getattr(mounting, name)
        fields[name] = "" if value is None else _text(value)
    fields["lens"] = mounting.lens or LensModel.PINHOLE
    fields |= _size(1920, 16 / 9 if aspect is None else aspect)
    return fields


def fields_saved(calibration: Calibration) -> dict[str, str]:
    """The form as it was saved, with what was found in the place of what was guessed."""
    mount, lens = calibration.mount, calibration.lens
    fields = _empty()
    values = {
        "lat": mount.position.lat_deg,
        "lon": mount.position.lon_deg,
        "height_m": mount.height_m,
        "heading_deg": mount.aim.heading_deg,
        "tilt_deg": mount.aim.tilt_deg,
        "roll_deg": mount.aim.roll_deg,
        "fov_deg": lens.fov_deg,
        "k1": lens.k1 or None,
        "k2": lens.k2 or None,
    }
    fields |= {name: "" if value is None else _text(value) for name, value in values.items()}
    fields["lens"] = lens.model
    fields |= _size(calibration.width_px, lens.aspect)
    clicks = calibration.clicks
    if len(clicks.landmarks) > 1 and Unknown.FOV not in calibration.errors_deg:
        fields["keep_fov"] = "yes"
    if clicks.horizon is not None:
        flat = (*clicks.horizon[0], *clicks.horizon[1])
        fields |= {name: _text(value) for name, value in zip(HORIZON, flat, strict=True)}
    for number, one in enumerate(clicks.landmarks, start=1):
        texts = (
            one.name,
            _text(one.position.lat_deg),
            _text(one.position.lon_deg),
            "" if one.height_m is None else _text(one.height_m),
            *(_text(value) for value in one.point),
        )
        fields |= {f"{name}-{number}": text for name, text in zip(OF_A_MARK, texts, strict=True)}
    return fields


def _empty() -> dict[str, str]:
    marks = (f"{name}-{number}" for number in range(1, MOST_LANDMARKS + 1) for name in OF_A_MARK)
    return dict.fromkeys([*PLAIN, "lens", "keep_fov", *marks], "")


def _size(width_px: int, aspect: float) -> dict[str, str]:
    return {"width_px": f"{width_px}", "height_px": f"{round(width_px / aspect)}"}


def _text(value: float) -> str:
    """To six places, a tenth of a metre on the map; without noughts at the end."""
    return f"{value:.6f}".rstrip("0").rstrip(".")
