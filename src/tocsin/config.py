"""The configuration: one TOML file, secrets from the environment. Unknown keys are errors.

Everything is checked before anything starts; the error says which key of which file, and what to
write instead.
"""

from __future__ import annotations

import difflib
import socket
import tomllib
import types
import typing
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

from pydantic import (
    AfterValidator,
    BaseModel,
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

from tocsin.config_base import Identifier, PositiveSeconds, Section
from tocsin.config_camera import Camera as Camera
from tocsin.config_channels import WITHOUT_SECTION, ChannelSections
from tocsin.config_deadman import DeadManSection
from tocsin.config_drill import DrillSection, schedule_of
from tocsin.config_duty import EscalationSection, PlanSection, ResponderSection, RotationSection
from tocsin.config_feedback import CauseSection
from tocsin.config_metrics import MetricsText
from tocsin.config_models import ModelSection, check_models
from tocsin.config_near import check_near
from tocsin.config_roster import escalation_of, roster_of
from tocsin.config_streams import camera_credentials as camera_credentials
from tocsin.config_streams import env_key
from tocsin.config_travel import TravelSection
from tocsin.core.causes import Causes
from tocsin.core.drills import DrillSchedule
from tocsin.core.errors import ConfigError, TocsinError
from tocsin.core.geometry import Position
from tocsin.core.hazards import Catalogue, HazardOverride
from tocsin.core.observation import CapStatus
from tocsin.core.plans import Escalation
from tocsin.core.roster import Roster
from tocsin.core.travel import Travel

ANY_HOST = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 - named here to be told apart


def _zone(text: str) -> str:
    if text not in available_timezones():
        near = difflib.get_close_matches(text, sorted(available_timezones()), n=1)
        raise ValueError("no such time zone" + (f"; did you mean {near[0]!r}?" if near else ""))
    return text


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


class Site(Section):
    """The place that is protected. `status` other than Actual marks everything as a drill."""

    name: str = "Tocsin"
    time_zone: Annotated[str, AfterValidator(_zone)] = "UTC"
    status: CapStatus = CapStatus.ACTUAL


class Centre(Section):
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


class WatcherSection(Section):
    """One watcher's process: its name, the centre it reports to, and where it spools."""

    name: Identifier = "watcher"
    centre: str = ""
    data_dir: Path = Path("tocsin-data/watcher")
    stare_s: float = Field(default=4.0, ge=1, le=60, allow_inf_nan=False)
    stare_share: float = Field(default=0.5, gt=0, le=1, allow_inf_nan=False)
    metrics: MetricsText = ""
    readers: int = Field(default=0, ge=0, le=64)

    @property
    def credentials(self) -> Path:
        """Where the user names and passwords of cameras that were added in the console are kept."""
        return self.data_dir / "credentials"


class Place(Section):
    """A place that staff can name and cameras look at."""

    id: Identifier
    name: str = Field(min_length=1, max_length=100)
    lat: float | None = Field(default=None, ge=-90, le=90, allow_inf_nan=False)
    lon: float | None = Field(default=None, ge=-180, le=180, allow_inf_nan=False)
    near: tuple[Identifier, ...] = ()

    @model_validator(mode="after")
    def _whole(self) -> Place:
        if (self.lat is None) != (self.lon is None):
            raise ValueError("lat and lon belong together: give both, or none")
        return self


class HazardSection(Section):
    enabled: bool | None = None
    name: str | None = Field(default=None, min_length=1, max_length=100)
    on_delay_s: PositiveSeconds | None = None
    off_delay_s: PositiveSeconds | None = None
    qualification: str | None = None


class Keep(Section):
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
    mqtt_password: SecretStr | None = None
    twilio_token: SecretStr | None = None
    vapid_key: SecretStr | None = None
    link_key: SecretStr | None = None
    deadman_url: SecretStr | None = None


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
    rotation: tuple[RotationSection, ...] = ()
    escalation: EscalationSection = EscalationSection()
    plan: tuple[PlanSection, ...] = ()
    channel: ChannelSections = ChannelSections()
    hazard: dict[str, HazardSection] = {}
    cause: dict[str, CauseSection] = {}
    travel: TravelSection = TravelSection()
    keep: Keep = Keep()
    deadman: DeadManSection = DeadManSection()
    drill: DrillSection = DrillSection()

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
        """Raises ConfigError for one that cannot be."""
        return roster_of(self.responder, self.rotation, self.zone)

    def escalation_plans(self) -> Escalation:
        """Raises ConfigError for a plan that could end with nobody called."""
        return escalation_of(
            self.escalation, self.plan, self.roster(), self.catalogue(), self.places().keys()
        )

    def drills(self) -> DrillSchedule:
        """Raises ConfigError for a camera or responder that is not there."""
        people = {r.id for r in self.responder}
        return schedule_of(self.drill, self.watcher.name, {c.id for c in self.camera}, people)

    def places(self) -> dict[str, str]:
        """Names by id: the declared places, and each camera that looks at none as a place of its own."""
        found = {p.id: p.name for p in self.place}
        for camera in self.camera:
            found.setdefault(camera.place or camera.id, camera.shown_name)
        return found or {"site": self.site.name}

    def positions(self) -> dict[str, Position]:
        """Where the declared places are, of those that say so, by id."""
        return {p.id: Position(p.lat, p.lon) for p in self.place if p.lat is not None and p.lon is not None}

    def travel_times(self) -> Travel:
        """The ways from stations to places. Raises ConfigError for what does not hold together."""
        here = {
            camera.id: Position(camera.lat, camera.lon)
            for camera in self.camera
            if not camera.place and camera.lat is not None and camera.lon is not None
        }
        stations = {r.station for r in self.responder if r.station}
        return self.travel.planned(self.places(), stations, here | self.positions())


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
        config.travel_times()
        config.drills()
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
    check_near({p.id: p.near for p in config.place}, where)
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
            missing = getattr(config.channel, contact.channel) is None
            if missing and contact.channel not in WITHOUT_SECTION:
                kind = "e-mail" if contact.channel == "email" else contact.channel
                raise ConfigError(
                    f"responder {responder.id!r} has an {kind} contact, "
                    f"but there is no [channel.{contact.channel}]",
                    where=where,
                    hint=f"add [channel.{contact.channel}]; see docs/how-to/channels.md",
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
