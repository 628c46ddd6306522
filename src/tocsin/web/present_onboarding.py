"""Words and figures of the pages on which a camera is added."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from pydantic import ValidationError

from tocsin.core.errors import InvalidInputError, TocsinError
from tocsin.core.sampling import Choice, SamplingAdvice, Stream, Way, advise
from tocsin.web.onboarding import Onboarding
from tocsin.wire_onboarding import Add, Device, Failed, Measure, Measured, NewCamera, Search

CLOCK_OFF_S: Final = 5.0
"""A camera whose clock is further off than this is told of: devices refuse signatures beside their time."""


@dataclass(frozen=True, slots=True)
class MountingField:
    """A number of the form: its key in `[[camera]]`, its label, its unit, what it means."""

    key: str
    label: str
    unit: str
    hint: str


MOUNTING: Final = (
    MountingField("lat", "Latitude", "°", "north; negative is south"),
    MountingField("lon", "Longitude", "°", "east; negative is west"),
    MountingField("height_m", "Height", "m", "of the lens over ground"),
    MountingField("heading_deg", "Heading", "°", "where it looks: 0 is north, 90 east"),
    MountingField("tilt_deg", "Tilt", "°", "down from the horizon; negative is up"),
    MountingField("roll_deg", "Roll", "°", "turned clockwise, as seen from behind it"),
    MountingField("fov_deg", "Field of view", "°", "from the left edge to the right edge"),
)

_LABELS: Final = {"id": "Id", "name": "Name", "place": "Place"} | {f.key: f.label for f in MOUNTING}

_WAYS: Final = {
    Way.KEY_FRAMES: "look at the key frames of {} only",
    Way.EVERY_FRAME: "decode every frame of {}",
    Way.SNAPSHOTS: "ask the camera for single pictures",
}

_HINTS: Final = {
    "source-unreachable": "Is it switched on, and does this watcher reach its network? Check the address.",
    "source-refused": "Something is there, but it takes no connection: check the port, and that ONVIF or "
    "RTSP is turned on in the camera's settings.",
    "source-auth": "Check user name and password. Many cameras want an account of its own for ONVIF: see "
    "their settings.",
    "source-tls": "If its certificate is its own, tick that below. Else let its maker's page make a new one.",
    "source-timeout": "Its network may be slow, or the camera busy: try again, or restart it.",
    "source-not-found": "Check the path of the address; the camera's manual has it.",
    "source-protocol": "Check what stands at that address: it does not answer as a camera does.",
    "source-codec": "Set the stream to H.264 in the camera's settings.",
    "foreign-host": "If that is the same camera, or the recorder in front of it, name that host below.",
}
"""The next step in the console, by the error's code; the watcher's own hints speak of its command line."""


@dataclass(frozen=True, slots=True)
class StreamView:
    """One row of the table."""

    name: str
    codec: str
    size: str
    rate: str
    keys: str
    kbit: str
    b_frames: str
    cost: str


@dataclass(frozen=True, slots=True)
class AdviceView:
    """How to look at the camera, why, what else there is, and what to set on it (with what that saves)."""

    way: str
    why: str
    others: tuple[str, ...]
    settings: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class DeviceView:
    """A device that answered; `address` is empty when it told none that can be used."""

    name: str
    about: str
    address: str


@dataclass(frozen=True, slots=True)
class ProblemView:
    """What went wrong, and the next step."""

    what: str
    hint: str
    section: str = ""


def doing(job: Onboarding) -> str:
    """What is going on, in words."""
    if job.waiting:
        return f"Watcher {job.watcher} takes this up within some seconds."
    match job.asked:
        case Search():
            return f"Watcher {job.watcher} asks the network. That takes three seconds."
        case Measure():
            return (
                f"Watcher {job.watcher} asks the camera, and watches its streams for 20 seconds. "
                "Nothing that it shows is kept."
            )
        case Add():
            return f"Watcher {job.watcher} writes it down."


def problem(failed: Failed) -> ProblemView:
    what = f"{failed.where}: {failed.what}" if failed.where else failed.what
    hint = _HINTS.get(failed.code, failed.hint)
    return ProblemView(what, _sentence(hint), failed.section)


def refusal(error: TocsinError) -> ProblemView:
    return ProblemView(str(error) if not error.hint else error.what, _sentence(error.hint))


def device(found: Device) -> DeviceView:
    name = found.name or found.hardware or "Without a name"
    about = ", ".join(
        dict.fromkeys(t for t in (found.hardware, found.location, found.sender) if t and t != name)
    )
    return DeviceView(name, about, found.addresses[0] if found.addresses else found.sender)


def streams(measured: Measured) -> list[StreamView]:
    return [_row(one.name, one.offer.stream) for one in measured.streams]


def advice(measured: Measured) -> AdviceView:
    """In the centre's own words: only figures come from the watcher."""
    said = advise([one.offer for one in measured.streams], snapshot=measured.snapshots)
    return AdviceView(
        _choice(said.choice),
        said.why if said.why.endswith(".") else f"{said.why}.",
        tuple(_choice(other) for other in said.others),
        _settings(said),
    )


def about(measured: Measured) -> list[str]:
    """Who the camera says that it is, and what is wrong with its clock."""
    said = " ".join(part for part in (measured.maker, measured.model) if part)
    lines = [f"{said}, firmware {measured.firmware}." if measured.firmware else f"{said}."] if said else []
    if measured.skew_s is not None and abs(measured.skew_s) > CLOCK_OFF_S:
        lines.append(f"Its clock is {measured.skew_s:+.0f} s off: set it, best by NTP.")
    return lines


def suggested_id(address: str) -> str:
    """The host as an id, as `tocsin camera add` takes it."""
    try:
        host = urlsplit(address if "://" in address else f"//{address}").hostname or ""
    except ValueError:
        host = ""
    kept = "".join(c if c in "abcdefghijklmnopqrstuvwxyz0123456789._-" else "-" for c in host)
    return kept.strip("-._")[:63] or "camera"


def new_camera(values: Mapping[str, str]) -> NewCamera:
    """What was filled in. Raises InvalidInputError, which names the field by its label."""
    given = {key: value.strip() for key, value in values.items() if value.strip()}
    for field in MOUNTING:
        if field.key in given:
            given[field.key] = given[field.key].replace(",", ".")
    try:
        return NewCamera.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        label = _LABELS.get(str(first["loc"][0]), str(first["loc"][0])) if first["loc"] else "The form"
        message = "it is needed" if first["type"] == "missing" else _plain(first["msg"])
        raise InvalidInputError(f"{label}: {message}") from None


def _plain(message: str) -> str:
    text = message.removeprefix("Value error, ").removeprefix("Input ")
    return text[:1].lower() + text[1:]


def _row(name: str, stream: Stream) -> StreamView:
    if stream.key_gap_median_s is None or stream.key_gap_max_s is None:
        keys = f"not twice in {stream.watched_s:.0f} s"
    else:
        keys = f"{stream.key_gap_median_s:.2f} s, at most {stream.key_gap_max_s:.2f} s"
    return StreamView(
        name,
        f"{stream.codec} {stream.profile}".strip(),
        f"{stream.width_px} × {stream.height_px}",
        f"{stream.frames_per_s:.1f}",
        keys,
        f"{stream.kbit_per_s:.0f}",
        "yes" if stream.b_frames else "no",
        f"{_ms(stream.key_cpu_ms)}, {_ms(stream.frame_cpu_ms)}",
    )


def _ms(value: float | None) -> str:
    return "?" if value is None else f"{value:.1f} ms"


def _choice(choice: Choice) -> str:
    cost = "" if choice.cost_ms_per_s is None else f": {choice.cost_ms_per_s:.1f} ms of a core each second"
    return _sentence(_WAYS[choice.way].format(choice.offer.name)).removesuffix(".") + cost


def _settings(said: SamplingAdvice) -> tuple[tuple[str, str], ...]:
    return tuple(
        (one.text, f"Saves {one.saves_ms_per_s:.0f} ms of a core each second." if one.saves_ms_per_s else "")
        for one in said.settings
    )


def _sentence(text: str) -> str:
    text = text[:1].upper() + text[1:]
    return text if not text or text.endswith((".", "?", "!")) else f"{text}."
