"""Renders every template with sample views, for looking at and for the templates' own tests.

    python -m tests.browser.render_samples /tmp/console-samples        # files
    python -m tests.browser.render_samples --serve 8999                # pages on loopback

The samples are things that can really happen: a fire, a gas smell, a late report, a silent camera.
"""

from __future__ import annotations

import argparse
import functools
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from tests.browser.calibrate_samples import calibration

from tocsin.core.causes import Causes
from tocsin.core.geometry import Position
from tocsin.core.hazards import Catalogue
from tocsin.web.codes import qr_of, report_url
from tocsin.web.plan import plan_of
from tocsin.web.present import hazard_choices
from tocsin.web.present_flood import flood_view
from tocsin.web.views import (
    AlarmView,
    CameraView,
    HandledView,
    HazardChoice,
    LineView,
    LinkView,
    PageView,
    PictureView,
    PlaceChoice,
    PlaceSheet,
    SentenceView,
    ZonesView,
)

WEB = Path(__file__).parents[2] / "src" / "tocsin" / "web"
DIST = WEB / "static" / "dist"
NOW = datetime(2026, 11, 23, 14, 3, 34, tzinfo=UTC)

OUTCOMES = [
    ("dealt-with", "Real: dealt with"),
    ("handed-over", "Real: handed to the fire service"),
    ("false", "False alarm"),
    ("drill", "Test or drill"),
]
CAUSES = Causes()
SHELVE_REASONS = [
    ("hot-work", "Permitted hot work"),
    ("maintenance", "Maintenance"),
    ("nuisance", "Nuisance: known cause"),
]


NEAREST = "nearest qualified for fire, about 2 min away"


def catalogue() -> Catalogue:
    return Catalogue()


def asset(name: str) -> str:
    """The URL of a built asset; its plain name where nothing has been built."""
    manifest = DIST / ".vite" / "manifest.json"
    if not manifest.is_file():
        return f"/static/dist/{name}"
    return "/static/dist/" + json.loads(manifest.read_text())[f"src/tocsin/web/assets/{name}"]["file"]


def environment(now: datetime = NOW, **globals_: object) -> Environment:
    """Jinja as the console sets it up, but a missing name is an error."""
    return _environment(now, tuple(sorted(globals_.items())))


@functools.lru_cache(maxsize=8)
def _environment(now: datetime, globals_: tuple[tuple[str, object], ...]) -> Environment:
    env = Environment(loader=FileSystemLoader(WEB / "templates"), autoescape=True, undefined=StrictUndefined)
    everywhere: dict[str, object] = {
        "site_name": "North Works",
        "user": "a.keller",
        "drill_site": False,
        "now": now,
        "asset": asset,
        "outcomes": OUTCOMES,
        "causes_of": {
            hazard.code: [(cause.code, cause.name) for cause in CAUSES.of(hazard.family)]
            for hazard in Catalogue()
        },
        "shelve_reasons": SHELVE_REASONS,
        "keep_alarms_days": 400,
        "keep_pictures_days": 30,
    }
    cast("dict[str, object]", env.globals).update(everywhere | dict(globals_))
    return env


STATE_TEXTS = {
    "UNACK": "Not acknowledged",
    "ACK": "Acknowledged",
    "RTN_UNACK": "Gone, not acknowledged",
    "LATCHED": "Gone, waits for reset",
    "NORMAL": "Closed",
}
PRIORITY_TEXTS = {1: "Emergency", 2: "High", 3: "Medium", 4: "Low"}


def pictures(at: datetime, count: int = 8, clip: str = "fire") -> tuple[PictureView, ...]:
    offsets = (-4.0, -2.0, -1.0, 0.0, 0.5, 1.0, 2.0, 4.0)[:count]
    return tuple(
        PictureView(
            url=f"/pictures/{clip}-{i}.jpg",
            role="before" if s < 0 else "at" if s == 0 else "after",
            at=at + timedelta(seconds=s),
            offset_s=s,
            alt=f"Hall 3, north bay, as a mosaic, {s:+.1f} s from the alarm",
        )
        for i, s in enumerate(offsets)
    )


def alarm(
    code: str = "flame",
    *,
    number: int = 214,
    state: str = "UNACK",
    age_s: float = 12.0,
    now: datetime = NOW,
    place: str = "Hall 3, north bay",
    **changes: Any,
) -> AlarmView:
    hazard = catalogue().get(code)
    at = now - timedelta(seconds=age_s)
    pictured = hazard.raised_by.detector and hazard.signal == "alarm"
    ident = str(changes.pop("id", f"a{number}"))
    values: dict[str, Any] = {
        "id": ident,
        "number": number,
        "hazard": code,
        "hazard_name": hazard.name,
        "signal": hazard.signal.value,
        "priority": int(hazard.priority),
        "priority_text": PRIORITY_TEXTS[int(hazard.priority)],
        "state": state,
        "state_text": STATE_TEXTS[state],
        "live": state in ("UNACK", "ACK"),
        "drill": False,
        "status": "Actual",
        "place": place,
        "source_text": "camera hall-3-n" if hazard.raised_by.detector else "reported by a.keller",
        "raised_at": at,
        "late_text": "",
        "confidence_text": "likely (83%)" if pictured else "",
        "reason": "seen in 7 of 10 pictures over 2.1 s; nothing like it is open at this place",
        "handled_by": "",
        "next_step_text": "pages B. Okafor at 14:05:22 unless it is acknowledged" if state == "UNACK" else "",
        "silence_text": "",
        "can_acknowledge": state in ("UNACK", "RTN_UNACK"),
        "can_resolve": state in ("ACK", "LATCHED"),
        "can_shelve": state != "NORMAL",
        "can_unshelve": False,
        "pictures": pictures(at) if pictured else (),
        "steps": hazard.steps,
        "rank": f"{0 if state in ('UNACK', 'RTN_UNACK') else 1}-{int(hazard.priority)}-{99999 - number:05d}",
        "can_go": state == "ACK",
        "handled": (HandledView("A. Keller", "on the way", now - timedelta(seconds=20)),)
        if state == "ACK"
        else (),
        "story": (
            SentenceView(
                now - timedelta(seconds=42),
                "",
                "Camera Yard north saw open flame at Recycling yard, bay 3 (0.91), and A. Keller and "
                "B. Okafor were called (on duty and qualified for fire).",
                "raised",
            ),
            SentenceView(
                now - timedelta(seconds=40), "+2 s", "Messages left for A. Keller (email).", "page-sent"
            ),
        ),
        "lines": (
            LineView(
                at,
                "camera hall-3-n",
                "Alarm raised: Open flame",
                "7 of 10 pictures over 2.1 s, confidence 0.83",
            ),
            LineView(at, "dispatch", "Called: A. Keller, the fire team", "on duty, qualified: fire"),
            LineView(at + timedelta(seconds=1), "web push", "Page sent: A. Keller", ""),
            LineView(
                at + timedelta(seconds=3),
                "camera hall-3-s",
                "Another sign of it: Smoke",
                "same family, same place",
            ),
            LineView(at + timedelta(seconds=4), "e-mail", "Page failed: A. Keller", "550 mailbox full"),
        ),
        "pages": (
            PageView("A. Keller", "web push", "sent", at + timedelta(seconds=1), "", NEAREST),
            PageView(
                "A. Keller",
                "e-mail",
                "failed",
                at + timedelta(seconds=4),
                "550 mailbox full; the next channel followed",
                NEAREST,
            ),
            PageView("Fire team", "MQTT siren", "sent", at + timedelta(seconds=1), "", "everyone on duty"),
            PageView(
                "B. Okafor",
                "web push",
                "due",
                at + timedelta(seconds=120),
                "tried 2 times; no answer",
                "nearest qualified for fire with no open alarm, 4 min away (nearer A. Keller did not answer)",
            ),
            PageView(
                "C. Brandt",
                "web push",
                "cancelled",
                at + timedelta(seconds=6),
                "no longer wanted: the alarm is ACK",
                "on duty and qualified for fire",
            ),
        ),
    }
    values.update(changes)
    return AlarmView(**values)


def alarms(now: datetime = NOW) -> list[AlarmView]:
    """A bad quarter of an hour, sorted as the console sorts it."""
    found = [
        alarm(now=now),
        alarm(
            "gas",
            number=215,
            age_s=41,
            now=now,
            place="Tank farm, bund 2",
            reason="reported by hand",
            late_text="it was sent 4 min after it was seen: the device had no network",
        ),
        alarm(
            "smoke",
            number=209,
            state="RTN_UNACK",
            age_s=640,
            now=now,
            place="Loading dock 1, under the canopy",
            reason="last seen 3 min ago; the camera still sees the place",
        ),
        alarm(
            "water",
            number=203,
            state="ACK",
            age_s=5400,
            now=now,
            place="Pump room, basement",
            handled_by="B. Okafor, since 12:40",
            next_step_text="asks B. Okafor again at 14:40",
        ),
        alarm(
            "overheating",
            number=198,
            state="LATCHED",
            age_s=9200,
            now=now,
            place="Boiler house",
            handled_by="C. Brandt",
        ),
        alarm(
            "flame", number=213, age_s=300, now=now, place="Training ground", drill=True, status="Exercise"
        ),
        alarm(
            "egress",
            number=211,
            state="ACK",
            age_s=2100,
            now=now,
            place="Hall 1, exit 4",
            handled_by="D. Sato",
        ),
        alarm(
            "camera-silent",
            number=212,
            age_s=190,
            now=now,
            place="Yard, gate east",
            source_text="watcher works-2",
            reason="no picture for 9 s; three tries to connect failed",
        ),
        alarm(
            "camera-blurred",
            number=190,
            state="ACK",
            age_s=90000,
            now=now,
            place="Silo 2, roof",
            silence_text="Shelved by C. Brandt until 18:00: maintenance. Crane work, lens film ordered.",
            can_shelve=False,
            can_unshelve=True,
            source_text="watcher works-1",
            reason="sharpness under a third of this camera's usual for 4 min",
        ),
    ]
    return sorted(found, key=lambda view: view.rank)


def cameras(now: datetime = NOW, *, calm: bool = False) -> list[CameraView]:
    places = [
        "Hall 3, north bay",
        "Hall 3, south bay",
        "Hall 1, exit 4",
        "Tank farm",
        "Loading dock 1",
        "Pump room",
        "Boiler house",
        "Yard, gate east",
        "Silo 2, roof",
        "Training ground",
        "Switch room",
        "Chemical store",
    ]
    found: list[CameraView] = []
    for i, place in enumerate(places):
        state, text, troubles = "seeing", "Seeing", ()
        looked: datetime | None = now - timedelta(seconds=1 + i * 0.7)
        if not calm and i == 7:
            state, text, troubles, looked = (
                "silent",
                "Silent",
                ("camera silent",),
                now - timedelta(seconds=199),
            )
        if not calm and i == 8:
            state, text, troubles = "trouble", "Trouble", ("blurred", "moved")
        if not calm and i == 11:
            state, text, looked = "unknown", "Not looked yet", None
        name = place.lower().replace(", ", "-").replace(" ", "-")
        found.append(
            CameraView(
                f"c{i}",
                name,
                place,
                f"works-{1 + i % 2}",
                state,
                text,
                looked,
                "" if looked else "Never looked",
                troubles,
            )
        )
    return found


def hazards() -> list[HazardChoice]:
    return hazard_choices(catalogue())


def places() -> list[PlaceChoice]:
    return [PlaceChoice(view.id, view.place) for view in cameras()]


def zones(now: datetime = NOW, **changes: Any) -> dict[str, object]:
    """What the page of a camera's masks and zones shows."""
    values: dict[str, Any] = {
        "text": "mask 0.5,0.1 0.9,0.1 0.9,0.6 0.5,0.6\nignore flame,smoke-advisory 0.1,0.5 0.3,0.5 0.3,0.9",
        "version": 3,
        "fixed": "mask 0.0,0.0 0.1,0.0 0.1,1.0 0.0,1.0",
        "theirs": "",
        "share_text": "30%",
        "saved_by": "Version 3, saved by a.keller on 23 Nov 13:58.",
        "reach_text": "Its watcher goes by this version.",
        "shapes": (
            ("fixed-mask", "0,0 100,0 100,1000 0,1000"),
            ("theirs-mask", "0,0 500,0 500,500"),
            ("mask", "500,100 900,100 900,600 500,600"),
            ("ignore", "100,500 300,500 300,900"),
        ),
        "still_url": "/cameras/north/cam-1/still.jpg",
        "still_at": "1764000000",
        "problem": "",
        "most_masked": 90,
    }
    hazards = [(code, catalogue().get(code).name) for code in ("flame", "smoke", "smoke-advisory", "water")]
    return {"camera": cameras(now)[0], "view": ZonesView(**values | changes), "hazards": hazards}


def history(now: datetime = NOW) -> list[AlarmView]:
    ends = [
        ("smoke", 190, "False alarm: Steam"),
        ("flame", 188, "Real: dealt with"),
        ("camera-silent", 187, "Came back by itself"),
        ("water", 181, "Real: dealt with"),
        ("flame", 180, "Test or drill"),
        ("egress", 176, "Real: dealt with"),
        ("medical", 171, "Real: handed to the ambulance service"),
    ]
    return [
        alarm(
            code,
            number=number,
            state="NORMAL",
            age_s=7000.0 * (i + 1) ** 1.6,
            now=now,
            outcome_text=outcome,
            closed_at=now - timedelta(seconds=7000.0 * (i + 1) ** 1.6 - 900),
            handled_by="C. Brandt",
            drill=outcome.startswith("Test"),
        )
        for i, (code, number, outcome) in enumerate(ends)
    ]


def choices(**changes: object) -> dict[str, object]:
    """What the report's form shows; nothing is chosen yet."""
    values: dict[str, object] = {
        "hazards": hazards(),
        "places": places(),
        "plan": plan_of(
            {view.id: view.place for view in cameras()},
            {
                view.id: Position(48.1374 + 0.0006 * (i % 3), 11.5755 + 0.0011 * i)
                for i, view in enumerate(cameras()[:4])
            },
        ),
        "report_id": "8f6c3ad2-1111-4222-8333-123456789abc",
        "chosen": None,
        "unknown_place": "",
        "hazard": "",
        "sent": None,
        "notice": "",
        "error": None,
        "shell": False,
        "preloads": (),
    }
    return values | changes


def sheets() -> list[PlaceSheet]:
    return [
        PlaceSheet(place.id, place.name, f"/places/{place.id}/sheet", code.url, code.side, code.path)
        for place in places()
        for code in [qr_of(report_url("https://tocsin.example", place.id))]
    ]


def flooded(now: datetime) -> list[AlarmView]:
    """A switch has failed: cameras of two places are silent, and there is a fire as well."""
    reason = "17 alarms in 10 min, more than 10 for 1 on duty"
    silent = [
        alarm(
            "camera-silent", number=230 + i, now=now, age_s=300 - i,
            place=("Tank farm", "Dock 2")[i % 3 == 0],
            source_text=f"camera quay-{i}", state=("UNACK", "ACK")[i % 5 == 4],
        )
        for i in range(14)
    ]  # fmt: skip
    spot = "near Hall 3, 48.13740, 11.57550 ± 12 m"
    fire = alarm(now=now, position_text=spot)
    return [fire, alarm("alarm-flood", number=250, now=now, place="alarm flood", reason=reason), *silent]


Page = Callable[[datetime], tuple[str, dict[str, object]]]


def link(now: datetime) -> LinkView:
    """The page of a link, as its responder first sees it."""
    return LinkView(
        number=214,
        hazard_name="Open flame",
        place="Recycling yard, bay 3",
        signal="alarm",
        priority=1,
        drill="",
        reason="seen in 5 of the last 6 looks",
        raised_at=now - timedelta(seconds=42),
        gone=False,
        steps=("Look at the place, from a safe distance and upwind.", "Call the fire service."),
        whose="Nobody has it yet.",
        mine=False,
        handled=(),
        buttons=(("/a/sample", "Acknowledge: I have it"), ("/a/other", "I am on site")),
        seen_url="/a/sample/seen",
        responder="A. Keller",
        console="/alarms/a-214",
    )


PAGES: dict[str, Page] = {
    "alarms": lambda now: (
        "alarms.html",
        {
            "alarms": alarms(now),
            "cameras": cameras(now),
            "warnings": ["Nobody is on duty for first aid until 18:00."],
        },
    ),
    "calm": lambda now: ("alarms.html", {"alarms": [], "cameras": cameras(now, calm=True), "warnings": []}),
    "not-calm": lambda now: ("alarms.html", {"alarms": [], "cameras": cameras(now), "warnings": []}),
    "empty": lambda now: ("alarms.html", {"alarms": [], "cameras": [], "warnings": ["Nobody is on duty."]}),
    "flood": lambda now: (
        "alarms.html",
        {
            "alarms": flooded(now),
            "flood": flood_view(flooded(now)),
            "cameras": cameras(now),
            "warnings": [],
        },
    ),
    "alarm": lambda now: ("alarm.html", {"alarm": alarm(now=now)}),
    "alarm-closed": lambda now: ("alarm.html", {"alarm": history(now)[1]}),
    "alarm-reported": lambda now: (
        "alarm.html",
        {"alarm": alarm("gas", number=215, now=now, drill=True, status="Test", lines=(), pages=())},
    ),
    "history": lambda now: ("history.html", {"alarms": history(now), "next_url": "/history?before=171"}),
    "history-empty": lambda _: ("history.html", {"alarms": [], "next_url": None}),
    "cameras": lambda now: ("cameras.html", {"cameras": cameras(now)}),
    "zones": lambda now: ("zones.html", zones(now)),
    "zones-refused": lambda now: (
        "zones.html",
        zones(
            now,
            problem="Not saved: b.novak has changed these zones on 23 Nov 14:02, while you were drawing.",
            theirs="mask 0.0,0.0 0.5,0.0 0.5,0.5",
            still_at="",
            version=4,
        ),
    ),
    "calibrate": lambda now: ("calibrate.html", {"camera": cameras(now)[0], "view": calibration()}),
    "calibrate-refused": lambda now: (
        "calibrate.html",
        {
            "camera": cameras(now)[0],
            "view": calibration(
                problem="Landmark Spire: it does not fit the others. Check what was clicked.",
                found=(),
                misses=(),
                curve="",
                meant=(),
                still_at="",
                unsaved=True,
            ),
        },
    ),
    "calibrate-unchecked": lambda now: (
        "calibrate.html",
        {"camera": cameras(now)[0], "view": calibration(checked=False)},
    ),
    "report": lambda _: ("report.html", choices()),
    "report-error": lambda _: ("report.html", choices(error="Choose the place as well.", hazard="gas")),
    "report-chosen": lambda _: ("report.html", choices(chosen=places()[0])),
    "report-unknown-place": lambda _: ("report.html", choices(unknown_place='<b>"old"</b>')),
    "report-shell": lambda _: (
        "report.html",
        choices(shell=True, preloads=("/static/dist/assets/dom-1.js",)),
    ),
    "report-sent": lambda _: (
        "report.html",
        choices(
            sent=(
                "a216",
                "Alarm 216, Gas or chemical smell at Tank farm, is open. Two responders are being paged.",
            ),
            notice="The picture was not taken.",
        ),
    ),
    "codes": lambda _: ("codes.html", {"hazards": hazards()}),
    "places": lambda _: ("places.html", {"sheets": sheets(), "only_here": True}),
    "places-none": lambda _: ("places.html", {"sheets": [], "only_here": False}),
    "place-sheet": lambda _: ("place_sheet.html", {"sheet": sheets()[0]}),
    "sign-in": lambda _: (
        "sign_in.html",
        {
            "error": "The user name or the password is not right.",
            "next": "/",
            "username": "a.keller",
            "user": None,
        },
    ),
    "link": lambda now: ("link.html", {"link": link(now), "user": None}),
    "link-drill-mine": lambda now: (
        "link.html",
        {
            "link": replace(
                link(now),
                drill="Test",
                gone=True,
                mine=True,
                whose="You have it since 15:03.",
                handled=("A. Keller is on the way",),
            ),
            "user": None,
        },
    ),
    "link-over": lambda _: (
        "link_over.html",
        {
            "status": 410,
            "what": "this link was used already; A. Keller has it since 15:03",
            "hint": "sign in to the console to see the alarm",
            "alarm_id": "a-214",
            "user": None,
        },
    ),
    "link-forged": lambda _: (
        "link_over.html",
        {"status": 403, "what": "this link is not one of ours", "hint": "", "alarm_id": "", "user": None},
    ),
    "sign-in-once": lambda _: (
        "sign_in_once.html",
        {"token": "sample", "username": "a.keller", "user": None},
    ),
    "error": lambda _: (
        "error.html",
        {
            "status": 404,
            "what": "There is no alarm 999.",
            "hint": "It may have been deleted: alarms are kept for 400 days.",
        },
    ),
}


def render(name: str, now: datetime = NOW, **globals_: object) -> str:
    template, values = PAGES[name](now)
    return environment(now, **globals_).get_template(template).render(**values)


def card(view: AlarmView, now: datetime = NOW) -> str:
    return environment(now).get_template("_alarm_card.html").render(alarm=view)


def picture(name: str) -> bytes:
    """A made-up bay with a growing flame, mosaiced as redact.py does it; JPEG."""
    import cv2
    import numpy as np

    i = int(name.rsplit("-", 1)[1].split(".")[0])
    height, width = 360, 640
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    scene = np.stack([60 + 50 * y / height, 66 + 46 * y / height, 70 + 40 * y / height], axis=-1)
    for left in range(40, width, 150):
        scene[60:250, left : left + 70] = (96, 104, 110)
        scene[80:110, left + 10 : left + 60] = (120, 96, 70)
    size = max(0, i - 1) * 16
    if size:
        glow = np.exp(-(((x - 390) / (20 + size)) ** 2) - ((y - 235) / (28 + size)) ** 2)[..., None]
        scene = scene * (1 - glow) + np.array([40, 150, 255]) * glow
    coarse = cv2.resize(scene.clip(0, 255).astype(np.uint8), (96, 54), interpolation=cv2.INTER_AREA)
    out = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_NEAREST)
    out[170:290, 310:470] = scene[170:290, 310:470].clip(0, 255).astype(np.uint8)
    done, data = cv2.imencode(".jpg", out)
    if not done:
        raise ValueError(name)
    return data.tobytes()


CSP = (
    "default-src 'self'; img-src 'self'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
)


class Samples(BaseHTTPRequestHandler):
    """The samples on loopback, under the console's own policy."""

    def do_GET(self) -> None:
        path = self.path.split("?")[0].strip("/") or "alarms"
        if path.startswith("static/dist/"):
            file = DIST / path.removeprefix("static/dist/")
            kinds = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
            self.answer(file.read_bytes(), kinds[file.suffix])
        elif path.startswith("pictures/"):
            self.answer(picture(path), "image/jpeg")
        elif path in PAGES:
            self.answer(
                render(path, datetime.now(UTC), drill_site="drill" in self.path).encode(),
                "text/html; charset=utf-8",
            )
        else:
            self.send_error(404)

    def answer(self, body: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Security-Policy", CSP)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class's name)
        return


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, help="where to write the pages")
    parser.add_argument("--serve", type=int, metavar="PORT", help="serve them on loopback instead")
    args = parser.parse_args()
    if args.serve is not None:
        ThreadingHTTPServer(("127.0.0.1", args.serve), Samples).serve_forever()
    elif args.folder is None:
        parser.error("say a folder, or --serve PORT")
    else:
        args.folder.mkdir(parents=True, exist_ok=True)
        for name in PAGES:
            (args.folder / f"{name}.html").write_text(render(name))
        sys.stdout.write(f"{len(PAGES)} pages in {args.folder}\n")


if __name__ == "__main__":
    main()
