"""The configuration: every wrong key and value is named, with the nearest right one, and no secret shown."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from tocsin.config import Config, Secrets, camera_credentials, from_values, load
from tocsin.core.errors import ConfigError, TocsinError
from tocsin.core.geometry import Position
from tocsin.core.hazards import Catalogue
from tocsin.core.plans import Who

CAMERA: dict[str, Any] = {"id": "cam-1", "source": "rtsp://cam.example/a"}
ANA: dict[str, Any] = {
    "id": "ana",
    "name": "Ana",
    "contacts": [{"channel": "webhook", "address": "https://phone.example/x"}],
}
EMAIL = {"channel": "email", "address": "ana@example.org"}
SMTP = {"email": {"host": "mail.example.org", "sender": "tocsin@example.org"}}

FULL: dict[str, Any] = {
    "site": {"name": "Harbour", "time_zone": "Europe/Lisbon", "status": "Exercise"},
    "centre": {"host": "0.0.0.0", "port": 80, "url": "https://alarms.example.org/", "data_dir": "data"},
    "watcher": {"name": "quay", "centre": "https://alarms.example.org", "data_dir": "spool"},
    "place": [{"id": "hall", "name": "Sorting hall"}],
    "camera": [
        CAMERA
        | {"name": "Hall 1", "place": "hall", "patrol_looks_per_s": 2, "loop": False, "detectors": ["fire"]}
    ],
    "responder": [
        ANA
        | {
            "contacts": [EMAIL, *ANA["contacts"]],
            "qualifications": ["fire"],
            "shifts": [{"days": ["mon", "sun"], "start": "18:00", "end": "24:00"}],
        }
    ],
    "escalation": {
        "alarm": [{"who": "everyone", "wait_s": 60}],
        "trouble": [{"who": "everyone", "wait_s": 600}],
    },
    "channel": SMTP | {"webhook": {"timeout_s": 5}},
    "hazard": {
        "flame": {"name": "Fire", "on_delay_s": 0.5, "qualification": "brigade"},
        "smoke": {"enabled": False},
    },
    "keep": {"pictures_days": 7, "alarms_days": 90},
}


def _wrong(values: dict[str, Any]) -> ConfigError:
    with pytest.raises(ConfigError) as refused:
        from_values(values, "site.toml")
    assert refused.value.where.startswith("site.toml")
    return refused.value


def test_a_full_file_is_read_as_it_stands(tmp_path: Path) -> None:
    path = tmp_path / "tocsin.toml"
    path.write_text(tomli_w.dumps(FULL))
    config = load(path)
    assert config == from_values(FULL, "the same")
    assert config.centre.console_url == "https://alarms.example.org"
    assert config.places() == {"hall": "Sorting hall"}
    assert config.zone.key == "Europe/Lisbon"
    (responder,) = config.roster().responders
    assert [contact.channel for contact in responder.contacts] == ["email", "webhook"]
    assert responder.shifts[0].days == frozenset({0, 6})
    assert config.escalation_plans().alarm.steps[0].who is Who.EVERYONE


def test_an_empty_file_is_a_site_that_can_be_started() -> None:
    config = from_values({}, "defaults")
    assert config.site.time_zone == "UTC"
    assert config.centre.host == "127.0.0.1", "nothing is opened to the network unasked"
    assert config.places() == {"site": "Tocsin"}
    assert len(config.catalogue()) == len(Catalogue())


def test_the_environment_changes_no_alarm_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    before = from_values(FULL, "site.toml")
    for name in ("SITE", "KEEP", "CAMERA", "HAZARD", "TOCSIN_SITE", "TOCSIN_KEEP", "CENTRE__PORT", "CENTRE"):
        monkeypatch.setenv(name, "{}")
    assert from_values(FULL, "site.toml") == before


UNKNOWN: list[tuple[dict[str, Any], str, str]] = [
    ({"sites": {}}, "sites", "site"),
    ({"cameras": []}, "cameras", "camera"),
    ({"site": {"timezone": "UTC"}}, "site.timezone", "time_zone"),
    ({"centre": {"ports": 1}}, "centre.ports", "port"),
    ({"watcher": {"center": "x"}}, "watcher.center", "centre"),
    ({"camera": [CAMERA | {"detector": []}]}, "camera.0.detector", "detectors"),
    (
        {"camera": [CAMERA, CAMERA | {"id": "c2", "patrol_look_per_s": 1}]},
        "camera.1.patrol_look_per_s",
        "patrol_looks_per_s",
    ),
    ({"place": [{"id": "a", "name": "A", "names": "B"}]}, "place.0.names", "name"),
    ({"responder": [ANA | {"contact": []}]}, "responder.0.contact", "contacts"),
    ({"channel": {"mail": {}}}, "channel.mail", "email"),
    ({"channel": {"email": SMTP["email"] | {"hosts": "x"}}}, "channel.email.hosts", "host"),
    ({"hazard": {"flame": {"on_delay": 1}}}, "hazard.flame.on_delay", "on_delay_s"),
    ({"keep": {"picture_days": 1}}, "keep.picture_days", "pictures_days"),
    ({"escalation": {"alarms": []}}, "escalation.alarms", "alarm"),
]


@pytest.mark.parametrize(("values", "key", "near"), UNKNOWN)
def test_an_unknown_key_is_named_with_the_nearest(values: dict[str, Any], key: str, near: str) -> None:
    error = _wrong(values)
    assert error.what == f"unknown key {key!r}"
    assert near in error.hint


@pytest.mark.parametrize(
    "key", ["_env_file", "_case_sensitive", "_secrets_dir", "_cli_parse_args", "_build_sources"]
)
def test_keys_that_the_library_keeps_for_itself_are_unknown_too(key: str) -> None:
    assert key in _wrong({key: True}).what


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"site": {"time_zone": "Europe/Lisbonn"}}, "did you mean 'Europe/Lisbon'?"),
    ({"site": {"status": "Real"}}, "site.status"),
    ({"site": "Harbour"}, "site"),
    ({"centre": {"port": 70_000}}, "centre.port"),
    ({"centre": {"port": "eighty"}}, "centre.port"),
    ({"camera": {"id": "cam-1"}}, "camera"),
    ({"camera": [{"id": "cam-1"}]}, "camera.0.source"),
    ({"camera": [CAMERA | {"id": "Cam 1"}]}, "small letters"),
    ({"camera": [CAMERA | {"id": ""}]}, "small letters"),
    ({"camera": [CAMERA | {"source": ""}]}, "camera.0.source"),
    ({"camera": [CAMERA | {"detectors": ["face"]}]}, "camera.0.detectors.0"),
    ({"camera": [CAMERA | {"detectors": []}]}, "camera.0.detectors"),
    ({"camera": [CAMERA | {"patrol_looks_per_s": 0}]}, "camera.0.patrol_looks_per_s"),
    ({"camera": [CAMERA | {"patrol_looks_per_s": 0.05}]}, "camera.0.patrol_looks_per_s"),
    ({"camera": [CAMERA | {"patrol_looks_per_s": 31}]}, "camera.0.patrol_looks_per_s"),
    ({"camera": [CAMERA | {"patrol_looks_per_s": float("nan")}]}, "camera.0.patrol_looks_per_s"),
    ({"camera": [CAMERA | {"stare_looks_per_s": 0.5}]}, "camera.0.stare_looks_per_s"),
    ({"camera": [CAMERA | {"patrol_looks_per_s": 12}]}, "camera.0: patrol_looks_per_s is above"),
    ({"camera": [CAMERA], "watcher": {"stare_s": 0}}, "watcher.stare_s"),
    ({"camera": [CAMERA], "watcher": {"stare_share": 0}}, "watcher.stare_share"),
    ({"camera": [CAMERA], "watcher": {"stare_share": 1.5}}, "watcher.stare_share"),
    ({"camera": [CAMERA, CAMERA]}, "[[camera]] id 'cam-1' is there twice"),
    ({"place": [{"id": "a", "name": "A"}] * 2}, "[[place]] id 'a' is there twice"),
    ({"responder": [ANA, ANA]}, "[[responder]] id 'ana' is there twice"),
    (
        {"place": [{"id": "hall", "name": "H"}], "camera": [CAMERA | {"place": "hal"}]},
        "did you mean 'hall'?",
    ),
    ({"place": [{"id": "hall", "name": ""}]}, "place.0.name"),
    ({"responder": [ANA | {"contacts": []}]}, "responder.0.contacts"),
    ({"responder": [ANA | {"contacts": [EMAIL]}]}, "no [channel.email]"),
    (
        {"responder": [ANA | {"contacts": [{"channel": "fax", "address": "123"}]}]},
        "responder.0.contacts.0",
    ),
    (
        {"responder": [ANA | {"shifts": [{"start": "25:00", "end": "06:00"}]}]},
        "responder.0.shifts.0.start",
    ),
    ({"responder": [ANA | {"shifts": [{"start": "22:00"}]}]}, "responder.0.shifts.0.end"),
    ({"escalation": {"alarm": [{"who": "nobody", "wait_s": 60}]}}, "escalation.alarm.0.who"),
    ({"escalation": {"alarm": [{"who": "everyone", "wait_s": 1}]}}, "escalation.alarm.0.wait_s"),
    (
        {"escalation": {"alarm": [{"who": "everyone", "wait_s": float("inf")}]}},
        "escalation.alarm.0.wait_s",
    ),
    ({"keep": {"pictures_days": 91}}, "keep.pictures_days"),
    ({"keep": {"pictures_days": 0}}, "keep.pictures_days"),
    ({"keep": {"alarms_days": 5_000}}, "keep.alarms_days"),
    ({"channel": {"email": {"host": "h"}}}, "channel.email.sender"),
    ({"channel": {"email": SMTP["email"] | {"tls": "maybe"}}}, "channel.email.tls"),
    ({"channel": {"webhook": {"timeout_s": 600}}}, "channel.webhook.timeout_s"),
    ({"hazard": {"flame": {"on_delay_s": -1}}}, "hazard.flame.on_delay_s"),
    ({"hazard": {"flame": {"off_delay_s": float("nan")}}}, "hazard.flame.off_delay_s"),
    ({"hazard": {"flame": {"name": ""}}}, "hazard.flame.name"),
]


@pytest.mark.parametrize(("values", "says"), WRONG)
def test_a_wrong_value_is_named(values: dict[str, Any], says: str) -> None:
    assert says in str(_wrong(values))


@pytest.mark.parametrize(
    ("channel", "address"),
    [
        ("email", "ana"), ("email", "ana@"), ("email", "@example.org"), ("email", "ana@a.example, rui@b.ex"),
        ("email", "ana@example.org\nBcc: x@y"), ("webhook", "phone.example/x"), ("webhook", "ftp://phone.example"),
        ("webhook", "https://"), ("webhook", "https:///x"), ("webhook", "file:///etc/passwd"),
    ],
)  # fmt: skip
def test_an_address_that_no_page_could_reach_is_refused_before_an_alarm_finds_out(
    channel: str, address: str
) -> None:
    contact = {"channel": channel, "address": address}
    error = _wrong({"channel": SMTP, "responder": [ANA | {"contacts": [contact]}]})
    assert "responder.0.contacts.0.address: address is not" in str(error)


@pytest.mark.parametrize("hazard", ["person", "protest", "flamme", "Smoke", ""])
def test_invariant_5_an_entry_cannot_be_added(hazard: str) -> None:
    error = _wrong({"hazard": {hazard: {"enabled": True}}})
    assert f"[hazard.{hazard}]" in error.where


@pytest.mark.parametrize(("key", "text"), [("name", "Crowd at the gate"), ("qualification", "face reading")])
def test_invariant_5_an_entry_cannot_be_renamed_into_one_about_people(key: str, text: str) -> None:
    with pytest.raises(TocsinError):
        from_values({"hazard": {"egress": {key: text}}}, "site.toml")


def test_a_site_changes_what_it_may_of_a_hazard_and_nothing_else() -> None:
    catalogue = from_values(FULL, "site.toml").catalogue()
    flame, built_in = catalogue.get("flame"), Catalogue().get("flame")
    assert (flame.name, flame.on_delay_s, flame.qualification) == (
        "Fire (Open flame)",
        0.5,
        "brigade",
    )
    assert (flame.off_delay_s, flame.priority, flame.latching) == (
        built_in.off_delay_s, built_in.priority, built_in.latching,
    )  # fmt: skip
    assert not catalogue.get("smoke").enabled
    assert catalogue.get("water") == Catalogue().get("water")


@pytest.mark.parametrize(
    "source",
    ["rtsp://ana:hunter2@cam/a", "rtsp://ana:hun/ter2@cam/a", "rtsp://ana:hunt#er2@cam", "rtsps://hunter2@cam/a",
     "rtsp://ana:hunter2@[::1]/a", "rtsp://ana:[hunter2@cam/a"],
)  # fmt: skip
def test_credentials_in_a_source_are_refused_and_not_repeated(source: str) -> None:
    error = _wrong({"camera": [CAMERA | {"source": source}]})
    assert "TOCSIN_CAMERA_CAM_1_USERNAME" in error.what
    assert "hunter2" not in str(error)
    assert "hunt" not in str(error)


def test_an_at_sign_in_a_path_is_no_credential() -> None:
    config = from_values({"camera": [CAMERA | {"source": "rtsp://cam.example/live@main"}]}, "site.toml")
    assert config.camera[0].source == "rtsp://cam.example/live@main"


@pytest.mark.parametrize(
    "values",
    [
        {"channel": {"email": SMTP["email"] | {"password": "hunter2"}}},
        {"camera": [CAMERA | {"password": "hunter2"}]},
        {"secrets": {"watcher_token": "hunter2"}},
        {"watcher": {"token": "hunter2"}},
        {"watcher": "hunter2"},
        {"channel": {"email": SMTP["email"] | {"port": "hunter2"}}},
    ],
)
def test_a_secret_in_the_file_is_refused_and_not_repeated(values: dict[str, Any]) -> None:
    assert "hunter2" not in str(_wrong(values))


def test_secrets_come_from_the_environment_and_show_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WATCHER_TOKEN", "EMAIL_PASSWORD", "WEBHOOK_SECRET", "DATABASE_PASSWORD"):
        monkeypatch.setenv(f"TOCSIN_{name}", f"hunter2-{name}")
    secrets = Secrets()
    assert secrets.watcher_token is not None
    assert secrets.watcher_token.get_secret_value() == "hunter2-WATCHER_TOKEN"
    assert (
        "hunter2" not in repr(secrets) + str(secrets) + str(secrets.model_dump()) + secrets.model_dump_json()
    )


def test_a_secret_set_to_nothing_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_WATCHER_TOKEN", "")
    assert Secrets().watcher_token is None


def test_a_cameras_credentials_are_found_by_its_id(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_CAMERA_GATE_2_A_USERNAME", "ana")
    monkeypatch.setenv("TOCSIN_CAMERA_GATE_2_A_PASSWORD", "hunter2")
    username, password = camera_credentials("gate-2.a")
    assert username == "ana"
    assert password is not None
    assert password.get_secret_value() == "hunter2"
    assert "hunter2" not in repr(password)
    assert camera_credentials("other") == (None, None)


def test_a_file_that_cannot_be_read_is_told_in_plain_words(tmp_path: Path) -> None:
    broken, binary = tmp_path / "broken.toml", tmp_path / "binary.toml"
    broken.write_text('[channel.email]\npassword = "hunter2\n')
    binary.write_bytes(b"\xff\xfe" + os.urandom(50))
    for path, says in (
        (tmp_path / "gone.toml", "there is no such file"),
        (tmp_path, "cannot be read"),
        (broken, "it is not TOML"),
        (binary, "cannot be read"),
    ):
        with pytest.raises(ConfigError, match=says) as refused:
            load(path)
        assert refused.value.where == str(path)
        assert "hunter2" not in str(refused.value)


def test_what_was_read_cannot_be_changed() -> None:
    config = from_values(FULL, "site.toml")
    with pytest.raises(ValueError, match="frozen"):
        config.site.name = "x"  # pyright: ignore[reportAttributeAccessIssue]
    assert isinstance(config, Config)


def test_places_say_where_they_are(tmp_path: Path) -> None:
    path = tmp_path / "site.toml"
    path.write_text(
        '[[place]]\nid = "hall"\nname = "Hall"\nlat = 48.1\nlon = 11.5\n'
        '[[place]]\nid = "dock"\nname = "Dock"\n'
    )
    assert load(path).positions() == {"hall": Position(48.1, 11.5)}
    path.write_text('[[place]]\nid = "hall"\nname = "Hall"\nlat = 48.1\n')
    with pytest.raises(ConfigError, match="lat and lon belong together"):
        load(path)
