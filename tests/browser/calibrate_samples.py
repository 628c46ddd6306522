"""A calibration as its page shows it, for rendering without a centre."""

from __future__ import annotations

from typing import Any

from tocsin.web.calibrate_form import PLAIN
from tocsin.web.views import CalibrateView, FoundView, MarkView, MissView


def calibration(**changes: Any) -> CalibrateView:
    """What the page on which a camera is calibrated shows."""
    fields = dict.fromkeys((*PLAIN, "keep_fov"), "") | {
        "lat": "48.1374", "lon": "11.5755", "height_m": "12", "fov_deg": "64", "lens": "pinhole",
        "width_px": "1920", "height_px": "1080", "h1x": "0.1", "h1y": "0.36", "h2x": "0.9", "h2y": "0.33",
    }  # fmt: skip
    mark = {"name": "Chimney of the heating works", "lat": "48.1312", "lon": "11.602", "height": "75"}
    empty = dict.fromkeys((*mark, "x", "y"), "")
    values: dict[str, Any] = {
        "fields": fields,
        "marks": (
            MarkView(1, {**mark, "x": "0.21", "y": "0.3"}, ("210", "168.6")),
            MarkView(2, {**mark, "name": "Spire", "x": "0.74", "y": "0.28"}, ("740", "157.4")),
            MarkView(3, empty),
        ),
        "lenses": (
            ("pinhole", "Straight lines stay straight (most cameras)"),
            ("fisheye-equisolid", "Fisheye"),
        ),
        "version": 2,
        "saved_by": "Version 2, saved by a.keller on 23 Nov 13:58.",
        "problem": "",
        "found": (
            FoundView("Heading", "118.0°", "± 0.7°"),
            FoundView("Tilt", "6.0° down", "± 0.4°"),
            FoundView("Roll", "1.5° left", "± 0.6°"),
            FoundView("Field of view", "64.0°", "as entered"),
        ),
        "misses": (
            MissView("Chimney of the heating works", "0.2°", "6 px", doubtful=False),
            MissView("Spire", "2.1°", "61 px", doubtful=True),
        ),
        "checked": True,
        "board_height": 562,
        "horizon": (("100", "202.3"), ("900", "185.5")),
        "curve": "0,205 500,194 1000,183",
        "meant": (("212.0", "168.0"), ("771.0", "158.0")),
        "still_url": "/cameras/north/cam-1/still.jpg",
        "still_at": "1764000000",
        "cell_text": "about 1% of the picture's width, here 0.8°",
        "assumed_size": False,
        "unsaved": False,
    }
    return CalibrateView(**values | changes)
