"""`tocsin doctor`: each finding has a code and a next step, and one failure hides no other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from tocsin import launch
from tocsin.clocks import SystemClock
from tocsin.config import Config, Secrets, from_values
from tocsin.core.errors import ConfigError
from tocsin.doctor import Finding, examine
from tocsin.flows.accounts import Accounts
from tocsin.flows.audit import BEAT
from tocsin.launch import free_port
from tocsin.ports_watchman import Mark
from tocsin.scenes import CalmScene, write_video
from tocsin.stores.sql import SqlStore

ANA: dict[str, Any] = {
    "id": "ana",
    "name": "Ana",
    "contacts": [{"channel": "webhook", "address": "https://phone.example/x"}],
}
SECRETS = Secrets.model_construct(
    watcher_token=SecretStr("t"),
    email_password=None,
    webhook_secret=SecretStr("whsec_" + "MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1u"),
    database_password=None,
)


def _found(load: Callable[[], Config], secrets: Secrets = SECRETS) -> dict[str, Finding]:
    findings = asyncio.run(examine(load, secrets, SystemClock()))
    for finding in findings:
        assert finding.code
        assert finding.what
        assert finding.hint or finding.level == "ok" or ":" in finding.what, finding
    return {finding.code: finding for finding in findings}


def _examined(folder: Path, secrets: Secrets = SECRETS, **sections: Any) -> dict[str, Finding]:
    values = {"centre": {"data_dir": str(folder / "data")}} | sections
    return _found(lambda: from_values(values, "test"), secrets)


def test_a_site_that_is_ready_has_no_error(tmp_path: Path) -> None:
    film = write_video(tmp_path / "calm.mkv", CalmScene(), 1.0, fps=5.0)
    values: dict[str, Any] = {
        "centre": {"data_dir": str(tmp_path / "data")},
        "camera": [{"id": "hall", "source": str(film)}],
        "responder": [
            ANA | {"qualifications": ["fire", "water", "hazmat", "structure", "electrical", "first-aid"]}
        ],
    }
    config = from_values(values, "test")

    async def add(store: SqlStore) -> None:
        await Accounts(store).add("ana", "correct horse battery", SystemClock().now())

    asyncio.run(launch.with_store(config, SECRETS, add))
    found = _found(lambda: config)
    assert [finding.code for finding in found.values() if finding.level != "ok"] == ["no-deadman"]
    assert {"config", "roster", "assets", "database", "disk", "webhook", "camera"} <= set(found)
    assert "640x360" in found["camera"].what


def test_the_dead_man_switch_by_its_last_beat_and_never_by_its_address(tmp_path: Path) -> None:
    secrets = SECRETS.model_copy(update={"deadman_url": SecretStr("http://127.0.0.1:9/secret-path")})
    found = _examined(tmp_path, secrets)
    assert "no beat has got there yet" in found["deadman-late"].what
    config = from_values({"centre": {"data_dir": str(tmp_path / "data")}}, "test")

    async def beaten(store: SqlStore, ago_s: float) -> None:
        at = SystemClock().now() - timedelta(seconds=ago_s)
        async with store.writing() as unit:
            await unit.watchman.put(BEAT, Mark(at, "dead-man switch at 127.0.0.1: 200"))

    asyncio.run(launch.with_store(config, secrets, partial(beaten, ago_s=30)))
    found = _examined(tmp_path, secrets)
    assert found["deadman"].what == "dead-man switch at 127.0.0.1: 200"
    asyncio.run(launch.with_store(config, secrets, partial(beaten, ago_s=400)))
    found = _examined(tmp_path, secrets)
    assert "the last beat was at" in found["deadman-late"].what
    assert not any("secret" in str(finding) for finding in found.values())


def test_an_address_of_the_switch_that_is_none_is_an_error(tmp_path: Path) -> None:
    secrets = SECRETS.model_copy(update={"deadman_url": SecretStr("hc-ping.com/secret")})
    found = _examined(tmp_path, secrets)
    assert found["config"].level == "error"


def test_a_configuration_that_cannot_be_read_is_the_only_finding() -> None:
    def load() -> Config:
        raise ConfigError("unknown key 'sites'", where="site.toml", hint="did you mean 'site'?")

    assert _found(load) == {
        "config": Finding("error", "config", "site.toml: unknown key 'sites' (did you mean 'site'?)")
    }


def test_an_empty_site_is_told_what_it_lacks(tmp_path: Path) -> None:
    secrets = SECRETS.model_copy(update={"watcher_token": None})
    found = _examined(tmp_path, secrets)
    assert found["no-responder"].level == "error"
    assert found["no-account"].level == "error"
    assert found["no-camera"].level == "warning"
    assert found["watcher-token"].level == "warning"
    assert found["database"].level == "ok"


@pytest.mark.parametrize(
    ("sections", "code"),
    [
        ({"site": {"status": "Exercise"}}, "drill-site"),
        (
            {"responder": [ANA | {"shifts": [{"days": ["mon"], "start": "08:00", "end": "16:00"}]}]},
            "duty-gap",
        ),
        ({"responder": [ANA]}, "unqualified"),
    ],
)
def test_what_may_be_meant_is_a_warning(tmp_path: Path, sections: dict[str, Any], code: str) -> None:
    assert _examined(tmp_path, **sections)[code].level == "warning"


def test_a_console_on_the_network_without_tls_is_a_warning(tmp_path: Path) -> None:
    centre = {"data_dir": str(tmp_path / "data"), "host": "0.0.0.0"}
    assert _examined(tmp_path, centre=centre)["plain-http"].level == "warning"
    assert "plain-http" not in _examined(tmp_path, centre=centre | {"url": "https://alarms.example.org"})


def test_a_missing_secret_is_an_error_that_names_the_variable(tmp_path: Path) -> None:
    secrets = SECRETS.model_copy(update={"webhook_secret": None})
    found = _examined(tmp_path, secrets, responder=[ANA])
    assert "TOCSIN_WEBHOOK_SECRET" in found["config"].what


def test_a_mail_server_that_does_not_answer_is_an_error(tmp_path: Path) -> None:
    email = {"host": "127.0.0.1", "port": free_port(), "sender": "tocsin@example.org", "tls": "none"}
    found = _examined(tmp_path, channel={"email": email})
    assert found["email-unreachable"].level == "error"
    assert str(email["port"]) in found["email-unreachable"].what


@pytest.mark.parametrize(
    ("source", "code"),
    [("gone.mp4", "source-not-found"), ("notes.txt", "source-codec"), ("empty.mp4", "source-codec")],
)
def test_a_camera_that_gives_no_picture_is_an_error_beside_the_others(
    tmp_path: Path, source: str, code: str
) -> None:
    (tmp_path / "notes.txt").write_text("remember the milk\n" * 50)
    (tmp_path / "empty.mp4").write_bytes(b"")
    film = write_video(tmp_path / "calm.mkv", CalmScene(), 1.0, fps=5.0)
    cameras = [{"id": "bad", "source": str(tmp_path / source)}, {"id": "good", "source": str(film)}]
    found = _examined(tmp_path, camera=cameras)
    assert found[code].level == "error"
    assert "bad" in found[code].what
    assert found["camera"].level == "ok"


def test_a_data_folder_that_cannot_be_hides_no_other_finding(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    found = _examined(tmp_path, centre={"data_dir": str(tmp_path / "file" / "data")})
    assert found["data-dir"].level == "error"
    assert found["data-dir"].hint
    assert {"assets", "no-responder", "no-camera"} <= set(found)


def test_a_database_that_cannot_be_opened_is_told_without_its_password(tmp_path: Path) -> None:
    secrets = SECRETS.model_copy(update={"database_password": SecretStr("hunter2")})
    centre = {
        "data_dir": str(tmp_path / "data"),
        "database": f"postgresql://tocsin@127.0.0.1:{free_port()}/tocsin",
    }
    found = _examined(tmp_path, secrets, centre=centre)
    assert "hunter2" not in str(found)
    assert any(f.level == "error" and f.code.startswith("store") for f in found.values()), found
