"""What centre and watcher say to each other while a camera is added. Each reads the other as hostile.

Reading bounds: texts are cut and made fit to be printed, numbers are brought into what is possible.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any, Final, Literal, cast

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, TypeAdapter
from pydantic import ValidationError as _ValidationError

from tocsin.config_base import Identifier
from tocsin.config_place import Mounting
from tocsin.core.errors import InvalidInputError
from tocsin.core.sampling import Offer, Stream

MAX_ADDRESS: Final = 500
MAX_SECRET: Final = 200
MAX_RESULT_BYTES: Final = 256 * 1024
MAX_FOUND: Final = 128
"""Devices of one search that are told; a page with more helps nobody to find one."""
MAX_SECTION: Final = 4_000
MAX_STREAMS: Final = 8

_JOB_ID = re.compile(r"[0-9a-f]{32}")


def is_job_id(text: object) -> bool:
    return isinstance(text, str) and _JOB_ID.fullmatch(text) is not None


def _shown(most: int) -> Any:
    """One line of printable text."""

    def cut(text: str) -> str:
        return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:most]

    return AfterValidator(cut)


def _lines(text: str) -> str:
    return "".join(c for c in text if c.isprintable() or c == "\n")[:MAX_SECTION]


def _within(low: float, high: float) -> Any:
    def bring(value: float) -> float:
        if not math.isfinite(value):
            raise ValueError("it is no number")
        return min(max(value, low), high)

    return AfterValidator(bring)


def _few(most: int) -> Any:
    def first(values: Any) -> Any:
        if not isinstance(values, list | tuple):
            return values
        return list(cast("Sequence[Any]", values))[:most]

    return BeforeValidator(first)


Name = Annotated[str, _shown(120)]
Said = Annotated[str, _shown(300)]
Address = Annotated[str, _shown(MAX_ADDRESS)]
Share = Annotated[float, _within(0.0, 1e6)]
Seconds = Annotated[float, _within(0.0, 1e4)]


class _Told(BaseModel):
    # What a later version says more is not known here, and left out.
    model_config = ConfigDict(extra="ignore", frozen=True)


class Search(_Told):
    """Ask the network, or one host, who is an ONVIF device."""

    kind: Literal["search"] = "search"
    host: str = Field(default="", max_length=MAX_ADDRESS)


class Measure(_Told):
    """Ask a device, and watch its streams. The user name and password are handed out once."""

    kind: Literal["measure"] = "measure"
    address: str = Field(min_length=1, max_length=MAX_ADDRESS)
    username: str | None = Field(default=None, max_length=MAX_SECRET, repr=False)
    password: SecretStr | None = Field(default=None, max_length=MAX_SECRET)
    hosts: tuple[Annotated[str, Field(max_length=255)], ...] = Field(default=(), max_length=4)
    any_certificate: bool = False

    @property
    def signs_in(self) -> bool:
        return self.username is not None or self.password is not None


class NewCamera(Mounting):
    """What a person says of a camera that is added; its address is what the watcher has measured."""

    id: Identifier
    name: str = Field(default="", max_length=100)
    place: str = Field(default="", max_length=63)


class Add(_Told):
    """Write the camera that an earlier job has measured into the configuration."""

    kind: Literal["add"] = "add"
    measured: str = Field(pattern=_JOB_ID)
    camera: NewCamera


Job = Search | Measure | Add


class Device(_Told):
    """Who answered a search, in its own words."""

    sender: Name
    name: Name = ""
    hardware: Name = ""
    location: Name = ""
    addresses: Annotated[tuple[Address, ...], _few(4)] = ()


class Found(_Told):
    """What a search gave; `refused` replies could not be read."""

    kind: Literal["found"] = "found"
    devices: Annotated[tuple[Device, ...], _few(MAX_FOUND)] = ()
    refused: Annotated[int, _within(0, 1_000_000)] = 0


class Figures(_Told):
    """`core.sampling.Stream` within what is possible."""

    codec: Name
    profile: Name
    width_px: Annotated[int, _within(1, 65_535)]
    height_px: Annotated[int, _within(1, 65_535)]
    watched_s: Seconds
    frames_per_s: Share
    kbit_per_s: Share
    key_gap_median_s: Seconds | None
    key_gap_max_s: Seconds | None
    keys_whole: bool
    b_frames: bool
    stamp_faults: Annotated[tuple[Name, ...], _few(8)] = ()
    key_cpu_ms: Share | None
    frame_cpu_ms: Share | None


class MeasuredStream(_Told):
    """One stream of a camera."""

    name: Name
    figures: Figures

    @property
    def offer(self) -> Offer:
        return Offer(self.name, Stream(**self.figures.model_dump()))

    @classmethod
    def of(cls, offer: Offer) -> MeasuredStream:
        return cls(name=offer.name, figures=Figures(**asdict(offer.stream)))


class Measured(_Told):
    """What a camera's streams are; `failed` says why one could not be watched.

    `source` is what would be written. The advice is not told: the centre works it out in its own words.
    """

    kind: Literal["measured"] = "measured"
    maker: Name = ""
    model: Name = ""
    firmware: Name = ""
    skew_s: Annotated[float, _within(-1e10, 1e10)] | None = None
    source: Address
    streams: Annotated[tuple[MeasuredStream, ...], _few(MAX_STREAMS)] = Field(min_length=1)
    failed: Annotated[tuple[Said, ...], _few(MAX_STREAMS)] = ()
    snapshots: bool = False


class Added(_Told):
    """Where it was written. `live`: the watcher takes it up by itself, without a restart."""

    kind: Literal["added"] = "added"
    camera: Name
    file: Said
    live: bool = False


class Failed(_Told):
    """An error of the tree. `section`: what to put into the configuration by hand instead."""

    kind: Literal["failed"] = "failed"
    code: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,40}$")]
    what: Said
    where: Said = ""
    hint: Said = ""
    section: Annotated[str, AfterValidator(_lines)] = ""


Result = Found | Measured | Added | Failed

_JOBS: TypeAdapter[Job] = TypeAdapter(Annotated[Job, Field(discriminator="kind")])
_RESULTS: TypeAdapter[Result] = TypeAdapter(Annotated[Result, Field(discriminator="kind")])


def handed_out(job: Job) -> dict[str, Any]:
    """The job as its watcher gets it, the password too."""
    told = job.model_dump(mode="json", exclude={"password"}, exclude_none=True)
    if isinstance(job, Measure) and job.password is not None:
        told["password"] = job.password.get_secret_value()
    return told


def without_credentials(job: Job) -> Job:
    """The job as it is kept after it was handed out."""
    return job.model_copy(update={"username": None, "password": None}) if isinstance(job, Measure) else job


def read_job(text: str) -> Job:
    """Raises InvalidInputError, which shows nothing of it."""
    return _read(_JOBS, text, "an onboarding job")


def read_result(text: str | bytes) -> Result:
    """Raises InvalidInputError."""
    return _read(_RESULTS, text, "an onboarding result")


def _read(adapter: TypeAdapter[Any], text: str | bytes, what: str) -> Any:
    try:
        return adapter.validate_json(text)
    except _ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        field = ".".join(str(part) for part in first["loc"])[:200] or "body"
        raise InvalidInputError(
            f"{field}: {first['msg']}", where=what, hint="see docs/reference/watcher-api.md"
        ) from None


def dumped(result: Result) -> str:
    return json.dumps(result.model_dump(mode="json"))
