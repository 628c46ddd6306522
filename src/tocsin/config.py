"""The configuration: one TOML file, secrets from the environment. Unknown keys are errors.

Everything is checked before anything starts; the error says which key of which file, and what to
write instead.
"""

from __future__ import annotations

import difflib
import re
import socket
import tomllib
import types
import typing
from datetime import time
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from tocsin.config_feedback import CauseSection, Thresholds
from tocsin.config_metrics import MetricsText
from tocsin.config_models import DetectorName, ModelSection, check_models
from tocsin.config_place import Mounting
from tocsin.config_streams import Reached, env_key, holds_credentials
from tocsin.config_streams import camera_credentials as camera_credentials
from tocsin.config_water import GaugeSection
from tocsin.config_zones import IgnoreSection, MaskSection, zones_of
from tocsin.core.causes import Causes
from tocsin.core.dispatch import (
    Contact,
    Escalation,
    EscalationPlan,
    EscalationStep,
    Responder,
    ResponderId,
    Roster,
    Shift,
    Who,
)
from tocsin.core.errors import ConfigError, TocsinError
from tocsin.core.hazards import Catalogue, HazardOverride
from tocsin.core.observation import CapStatus
from tocsin.core.zones import MOST_ZONES, Zones

_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
ANY_HOST = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 - named here to be told apart
_HOURS = re.compile(r"\d{1,2}:\d{2}(:\d{2})?")
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def _identifier(text: str) -> str:
    if not _ID.fullmatch(text):
        raise ValueError("use small letters, digits, dot, dash and underscore, at most 63 of them")
    return text


def _zone(text: str) -> str:
    if text not in available_timezones():
        near = difflib.get_close_matches(text, sorted(available_timezones()), n=1)
        raise ValueError("no such time zone" + (f"; did you mean {near[0]!r}?" if near else ""))
    return text


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _clock_time(value: object) -> object:
    if value == "24:00":
        return time(0)
    if isinstance(value, time) and value.tzinfo is None:
        return value
    if isinstance(value, str) and _HOURS.fullmatch(value):
        return time.fromisoformat(value.zfill(5))
    raise ValueError('write a time of the site\'s own clock, like "06:00" or "22:30", without a zone')


Identifier = Annotated[str, AfterValidator(_identifier)]
ClockTime = Annotated[time, BeforeValidator(_clock_time)]
PositiveSeconds = Annotated[float, Field(ge=0, le=86_400, allow_inf_nan=False)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Site(_Section):
    """The place that is protected. `status` other than Actual marks everything as a drill."""

    name: str = "Tocsin"
    time_zone: Annotated[str, AfterValidator(_zone)] = "UTC"
    status: CapStatus = CapStatus.ACTUAL


class Centre(_Section):
    """The centre's own process. `url` is how responders reach the console."""

    host: str = "127.0.0.1"
    port: int = Field(default=8740, ge=0, le=65_535)
    url: str = ""
    database: str = ""
    data_dir: Path = Path("tocsin-data")

    @property
    def console_url(self) -> str:
        """Where responders find the console; a host that means "all addresses" is no address."""
        host = socket.gethostname() if self.host in ANY_HOST else self.host
        return (self.url or f"http://{_bracketed(host)}:{self.port}").rstrip("/")

    @property
    def local_url(self) -> str:
        """How processes on this machine reach the centre, past any proxy in front of it."""
        host = "127.0.0.1" if self.host in ANY_HOST else self.host
        return f"http://{_bracketed(host)}:{self.port}"

    @field_validator("database")
    @classmethod
    def _no_secret_in_database(cls, value: str) -> str:
        if "://" in value and urlsplit(value).password:
            raise ValueError("it holds a password; take it out and set TOCSIN_DATABASE_PASSWORD")
        return value

    @property
    def database_url(self) -> str:
        return self.database or f"sqlite:///{self.data_dir / 'tocsin.sqlite'}"


class WatcherSection(_Section):
    """One watcher's process: its name, the centre it reports to, and where it spools."""

    name: Identifier = "watcher"
    centre: str = ""
    data_dir: Path = Path("tocsin-data/watcher")
    stare_s: float = Field(default=4.0, ge=1, le=60, allow_inf_nan=False)
    stare_share: float = Field(default=0.5, gt=0, le=1, allow_inf_nan=False)
    metrics: MetricsText = ""


class Place(_Section):
    """A place that staff can name and cameras look at."""

    id: Identifier
    name: str = Field(min_length=1, max_length=100)


class Camera(Mounting, Reached):
    """One camera. Credentials never stand here: see `camera_credentials`."""

    id: Identifier
    name: str = ""
    place: str = ""
    # Looks that are further apart than a rule's max_gap_s (10 s) never make a hazard believed.
    patrol_looks_per_s: float = Field(default=1.0, ge=0.2, le=30, allow_inf_nan=False)
    stare_looks_per_s: float = Field(default=10.0, ge=1, le=30, allow_inf_nan=False)
    loop: bool = False
    detectors: tuple[DetectorName, ...] = Field(default=("fire", "picture"), min_length=1)
    gauge: tuple[GaugeSection, ...] = Field(default=(), max_length=8)
    mask: tuple[MaskSection, ...] = Field(default=(), max_length=MOST_ZONES)
    ignore: tuple[IgnoreSection, ...] = Field(default=(), max_length=MOST_ZONES)
    threshold: Thresholds = Field(default={})

    @model_validator(mode="after")
    def _few_zones(self) -> Camera:
        try:
            zones_of(self.mask, self.ignore)
        except TocsinError as error:
            raise ValueError(f"{error.what}; {error.hint}") from None
        return self

    @model_validator(mode="after")
    def _stare_is_closer(self) -> Camera:
        if self.patrol_looks_per_s > self.stare_looks_per_s:
            raise ValueError(
                "patrol_looks_per_s is above stare_looks_per_s; give both the same value to look at "
                "this camera closely all the time"
            )
        return self

    @model_validator(mode="after")
    def _no_secret_in_source(self) -> Camera:
        if "://" in self.source and holds_credentials(self.source):
            key = env_key(self.id)
            raise ValueError(
                "source holds a user name or password; take it out and set "
                f"TOCSIN_CAMERA_{key}_USERNAME and TOCSIN_CAMERA_{key}_PASSWORD"
            )
        return self

    @property
    def shown_name(self) -> str:
        return self.name or self.id

    @property
    def zones(self) -> Zones:
        """The masks and ignore zones of the file; what is drawn in the console adds to them."""
        return zones_of(self.mask, self.ignore)


class ContactSection(_Section):
    channel: Literal["email", "webhook"]
    address: str = Field(min_length=3, max_length=2_000)

    @model_validator(mode="after")
    def _can_be_sent_to(self) -> ContactSection:
        # Else it would be found out by the first alarm that reaches nobody.
        if self.channel == "email":
            if not re.fullmatch(r"[^@\s]+@[^@\s]+", self.address):
                raise ValueError("address is not an e-mail address")
        elif not re.match(r"https?://[^/\s]", self.address):
            raise ValueError("address is not an http(s) URL")
        return self


class ShiftSection(_Section):
    days: tuple[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], ...] = _DAYS
    start: ClockTime
    end: ClockTime


class ResponderSection(_Section):
    """Someone on staff who answers alarms."""

    id: Identifier
    name: str = Field(min_length=1, max_length=100)
    contacts: tuple[ContactSection, ...] = Field(min_length=1)
    qualifications: tuple[str, ...] = ()
    shifts: tuple[ShiftSection, ...] = ()


class StepSection(_Section):
    who: Who
    wait_s: float = Field(ge=10, le=86_400, allow_inf_nan=False)


class EscalationSection(_Section):
    alarm: tuple[StepSection, ...] = ()
    trouble: tuple[StepSection, ...] = ()


class EmailSection(_Section):
    host: str
    port: int = Field(default=587, ge=1, le=65_535)
    sender: str
    tls: Literal["starttls", "tls", "none"] = "starttls"
    username: str = ""


class WebhookSection(_Section):
    timeout_s: float = Field(default=10.0, gt=0, le=15, allow_inf_nan=False)


class ChannelSections(_Section):
    email: EmailSection | None = None
    webhook: WebhookSection | None = None


class HazardSection(_Section):
    enabled: bool | None = None
    name: str | None = Field(default=None, min_length=1, max_length=100)
    on_delay_s: PositiveSeconds | None = None
    off_delay_s: PositiveSeconds | None = None
    qualification: str | None = None


class Keep(_Section):
    """How long things are kept; there is no "for ever" (invariant 8)."""

    pictures_days: int = Field(default=30, ge=1, le=90)
    alarms_days: int = Field(default=400, ge=90, le=4_000)


class Secrets(BaseSettings):
    """Secrets, from the environment only; printed as asterisks wherever they get to."""

    # A variable that is set to nothing is not set: an empty token would be a wrong one, found out late.
    model_config = SettingsConfigDict(env_prefix="TOCSIN_", extra="ignore", env_ignore_empty=True)

    watcher_token: SecretStr | None = None
    metrics_token: SecretStr | None = None
    email_password: SecretStr | None = None
    webhook_secret: SecretStr | None = None
    database_password: SecretStr | None = None


class Config(BaseSettings):
    """The whole file."""

    model_config = SettingsConfigDict(extra="forbid", frozen=True)

    site: Site = Site()
    centre: Centre = Centre()
    watcher: WatcherSection = WatcherSection()
    place: tuple[Place, ...] = ()
    camera: tuple[Camera, ...] = ()
    model: tuple[ModelSection, ...] = ()
    responder: tuple[ResponderSection, ...] = ()
    escalation: EscalationSection = EscalationSection()
    channel: ChannelSections = ChannelSections()
    hazard: dict[str, HazardSection] = {}
    cause: dict[str, CauseSection] = {}
    keep: Keep = Keep()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        # Only what the file says: a stray variable in the environment must not change an alarm plan.
        return (init_settings,)

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.site.time_zone)

    def catalogue(self) -> Catalogue:
        """Raises UnknownHazardError for an override of something that is not in the catalogue."""
        return Catalogue(
            {
                code: HazardOverride(h.enabled, h.name, h.on_delay_s, h.off_delay_s, h.qualification)
                for code, h in self.hazard.items()
            }
        )

    def causes(self) -> Causes:
        """Raises InvalidInputError for a name of a cause that does not exist."""
        return Causes({code: section.name for code, section in self.cause.items()})

    def roster(self) -> Roster:
        return Roster(
            tuple(
                Responder(
                    ResponderId(r.id),
                    r.name,
                    tuple(Contact(c.channel, c.address) for c in r.contacts),
                    frozenset(r.qualifications),
                    tuple(Shift(frozenset(_DAYS.index(d) for d in s.days), s.start, s.end) for s in r.shifts),
                )
                for r in self.responder
            ),
            self.zone,
        )

    def escalation_plans(self) -> Escalation:
        default = Escalation()
        return Escalation(
            alarm=_plan(self.escalation.alarm) or default.alarm,
            trouble=_plan(self.escalation.trouble) or default.trouble,
        )

    def places(self) -> dict[str, str]:
        """Names by id: the declared places, and each camera that looks at none as a place of its own."""
        found = {p.id: p.name for p in self.place}
        for camera in self.camera:
            found.setdefault(camera.place or camera.id, camera.shown_name)
        return found or {"site": self.site.name}


def _plan(steps: tuple[StepSection, ...]) -> EscalationPlan | None:
    return EscalationPlan(tuple(EscalationStep(s.who, s.wait_s) for s in steps)) if steps else None


def load(path: Path) -> Config:
    """The configuration of that file, checked as a whole. Raises ConfigError."""
    try:
        with path.open("rb") as file:
            tomllib.load(file)
    except FileNotFoundError:
        raise ConfigError(
            "there is no such file", where=str(path), hint="docs/how-to/first-site.md has one to start from"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"it cannot be read ({error})", where=str(path)) from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"it is not TOML: {error}", where=str(path)) from None
    values = TomlConfigSettingsSource(Config, toml_file=path)()
    return from_values(values, str(path))


def from_values(values: dict[str, Any], where: str) -> Config:
    """The same from values that were read already; `where` is named in errors."""
    for key in values:
        # pydantic-settings takes some keys that begin with _ for itself.
        if key not in Config.model_fields:
            raise _unknown([key], where)
    try:
        config = Config(**values)
    except ValidationError as error:
        raise _explained(error, where) from None
    try:
        config.catalogue()
        config.causes()
        config.escalation_plans()
    except TocsinError as error:
        raise ConfigError(error.what, where=f"{where}: {error.where}", hint=error.hint) from None
    _check_names(config, where)
    return config


def _check_names(config: Config, where: str) -> None:
    for kind, ids in (
        ("camera", [c.id for c in config.camera]),
        ("place", [p.id for p in config.place]),
        ("responder", [r.id for r in config.responder]),
    ):
        twice = sorted({one for one in ids if ids.count(one) > 1})
        if twice:
            raise ConfigError(
                f"[[{kind}]] id {twice[0]!r} is there twice", where=where, hint="ids are unique"
            )
    check_models(config.model, [(camera.id, camera.detectors) for camera in config.camera], where)
    keys: dict[str, str] = {}
    for camera in config.camera:
        other = keys.setdefault(env_key(camera.id), camera.id)
        if other != camera.id:
            raise ConfigError(
                f"cameras {other!r} and {camera.id!r} would share "
                f"TOCSIN_CAMERA_{env_key(camera.id)}_PASSWORD",
                where=where,
                hint="choose ids that differ in letters or digits",
            )
    known = {p.id for p in config.place}
    for camera in config.camera:
        if camera.place and known and camera.place not in known:
            near = difflib.get_close_matches(camera.place, sorted(known), n=1)
            raise ConfigError(
                f"camera {camera.id!r} looks at place {camera.place!r}, which is not declared",
                where=where,
                hint=f"did you mean {near[0]!r}?" if near else "add a [[place]] with that id",
            )
    for responder in config.responder:
        for contact in responder.contacts:
            if contact.channel == "email" and config.channel.email is None:
                raise ConfigError(
                    f"responder {responder.id!r} has an e-mail contact, but there is no [channel.email]",
                    where=where,
                    hint="add [channel.email] with host and sender",
                )
    if config.keep.pictures_days > config.keep.alarms_days:
        raise ConfigError("pictures cannot outlive their alarms", where=f"{where}: [keep]")


def _explained(error: ValidationError, where: str) -> ConfigError:
    first = error.errors(include_url=False, include_input=False)[0]
    path = [str(part) for part in first["loc"]]
    key = ".".join(path)
    if first["type"] == "extra_forbidden":
        return _unknown(path, where)
    message = first["msg"].removeprefix("Value error, ")
    return ConfigError(f"{key}: {message}", where=where, hint="see docs/reference/configuration.md")


def _unknown(path: list[str], where: str) -> ConfigError:
    known = _keys_at(path[:-1])
    near = difflib.get_close_matches(path[-1], known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(known)}"
    return ConfigError(f"unknown key {'.'.join(path)!r}", where=where, hint=hint)


def _keys_at(path: list[str]) -> list[str]:
    """The keys that the section at that path knows."""
    model: Any = Config
    for part in path:
        if part.isdigit():
            continue
        fields = getattr(model, "model_fields", {})
        inner = _model_in(fields[part].annotation) if part in fields else model
        model = inner or model
    return sorted(getattr(model, "model_fields", {}))


def _model_in(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if typing.get_origin(annotation) in (tuple, dict, types.UnionType, typing.Union, list):
        for inner in typing.get_args(annotation):
            found = _model_in(inner)
            if found is not None:
                return found
    return None
