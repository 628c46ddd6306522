"""Logs: what is secret is blanked, wherever in an event it stands, also in a traceback."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from tocsin.logs import configure, without_secrets

URL = "rtsp://ana:hunter2@cam/a"


def _blanked(**event: Any) -> dict[str, Any]:
    return dict(without_secrets(None, "info", event))


@pytest.mark.parametrize(
    "key",
    ["password", "camera_password", "PASSWORD", "token", "watcher_token", "secret", "webhook_secret",
     "authorization", "Cookie", "set-cookie", "credentials"],
)  # fmt: skip
def test_a_field_named_like_a_secret_is_blank(key: str) -> None:
    assert _blanked(**{key: "hunter2"}) == {key: "***"}
    assert _blanked(**{key: ["hunter2"]}) == {key: "***"}


@pytest.mark.parametrize(
    ("url", "left"),
    [
        ("rtsp://ana:hunter2@cam.example/a", "rtsp://***@cam.example/a"),
        ("rtsp://ana:hun@ter2@cam.example/a", "rtsp://***@cam.example/a"),
        ("rtsp://ana:hun/ter2@cam.example/a", "rtsp://***@cam.example/a"),
        ("postgresql://tocsin:hunter2@db/tocsin", "postgresql://***@db/tocsin"),
        ("failed at rtsp://ana:hunter2@cam/a: no answer", "failed at rtsp://***@cam/a: no answer"),
        ("rtsp://a:hunter2@one/ and rtsp://b:hunter2@two/", "rtsp://***@one/ and rtsp://***@two/"),
    ],
)
def test_credentials_in_an_address_are_blank(url: str, left: str) -> None:
    assert _blanked(error=url) == {"error": left}


@pytest.mark.parametrize(
    "text", ["rtsp://cam.example/a", "ana@example.org", "no secret here", "https://h/x and ana@example.org"]
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert _blanked(detail=text, looks=3, camera="cam-1") == {"detail": text, "looks": 3, "camera": "cam-1"}


@pytest.fixture
def _restored() -> Iterator[None]:  # pyright: ignore[reportUnusedFunction]
    before = structlog.get_config()
    yield
    structlog.configure(**before)


@pytest.mark.usefixtures("_restored")
@pytest.mark.parametrize("as_json", [False, True])
def test_an_exceptions_own_text_is_blanked_too(as_json: bool, capsys: pytest.CaptureFixture[str]) -> None:
    configure(json=as_json)
    try:
        raise OSError(f"cannot open {URL}")
    except OSError:
        structlog.get_logger("t").exception("camera-failed", camera="cam-1", url=URL)
    printed = capsys.readouterr().err
    assert "camera-failed" in printed
    assert "OSError" in printed
    assert "rtsp://***@cam/a" in printed
    assert "hunter2" not in printed


@pytest.mark.usefixtures("_restored")
def test_for_a_collector_each_event_is_one_line_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    configure(json=True)
    structlog.get_logger("t").warning("source-failed", camera="cam-1", detail="two\nlines", token="x")
    (line,) = capsys.readouterr().err.splitlines()
    event = json.loads(line)
    assert (event["event"], event["level"], event["camera"]) == ("source-failed", "warning", "cam-1")
    assert event["token"] == "***"
    assert event["timestamp"].endswith("Z")


@pytest.mark.usefixtures("_restored")
def test_nothing_is_written_to_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    configure(json=False)
    structlog.get_logger("t").info("edge", hazard="flame")
    assert capsys.readouterr().out == ""
