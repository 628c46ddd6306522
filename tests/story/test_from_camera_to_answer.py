"""The whole way, with real processes: an RTSP camera burns, the phone rings, somebody has it, it is over.

Nothing is stood in for but the camera, the mail server and the phone, which are real servers on this
machine. Waits are generous: the machine may be slow; what is asserted is what happened, not how fast.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest
from tests.support.receiver import SECRET, Receiver
from tests.support.rtsp import RtspServer
from tests.support.smtp import MailServer

from tocsin.config import Secrets, from_values
from tocsin.demo import ConsoleClient
from tocsin.launch import Launch, free_port, write_config
from tocsin.scenes import FireScene

PASSWORD = "correct-horse-battery"
WITHIN_S = 90.0


def until(what: str, look: Callable[[], Any]) -> Any:
    """Waits until `look` gives something true."""
    deadline = time.monotonic() + WITHIN_S
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.1)
    pytest.fail(f"not within {WITHIN_S:.0f} s: {what}")


@pytest.fixture(scope="module")
def burning_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """H.264, 40 s: calm, then smoke, then flame that burns to the end."""
    path = tmp_path_factory.mktemp("clip") / "burning.mkv"
    scene = FireScene(smoke_from_s=3.0, flame_from_s=14.0, out_from_s=1000.0)
    opened: Any = av.open(str(path), "w")
    with opened as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 640, 360, "yuv420p"
        stream.options = {"preset": "ultrafast", "bf": "0", "g": "10", "sc_threshold": "0"}
        for index in range(400):
            frame = av.VideoFrame.from_ndarray(scene.render(index / 10), format="bgr24")
            frame.pts, frame.time_base = index, Fraction(1, 10)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.fixture
def world(
    burning_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[RtspServer, MailServer, Receiver, Launch, ConsoleClient]]:
    monkeypatch.setenv("TOCSIN_WEBHOOK_SECRET", SECRET)
    monkeypatch.setenv("TOCSIN_CAMERA_YARD_USERNAME", "viewer")
    monkeypatch.setenv("TOCSIN_CAMERA_YARD_PASSWORD", PASSWORD)
    with (
        RtspServer(burning_clip, username="viewer", password=PASSWORD) as camera,
        MailServer() as mail,
        Receiver() as phone,
    ):
        config = from_values(
            {
                "site": {"name": "Harbour"},
                "centre": {"port": free_port(), "data_dir": str(tmp_path / "centre")},
                "watcher": {"data_dir": str(tmp_path / "watcher")},
                "camera": [{"id": "yard", "name": "Coal yard", "source": camera.url}],
                "channel": {
                    "email": {
                        "host": "127.0.0.1",
                        "port": mail.port,
                        "sender": "tocsin@harbour.example",
                        "tls": "none",
                    }
                },
                "responder": [
                    {
                        "id": "ana",
                        "name": "Ana",
                        "qualifications": ["fire"],
                        "contacts": [
                            {"channel": "email", "address": "ana@harbour.example"},
                            {"channel": "webhook", "address": phone.url("/ana")},
                        ],
                    }
                ],
            },
            "story",
        )
        path = tmp_path / "tocsin.toml"
        write_config(path, config)
        launch = Launch(path, config)
        link = asyncio.run(launch.prepare("operator", Secrets()))
        assert link is not None
        try:
            launch.start()
            console = ConsoleClient(launch.url)
            console.sign_in(link)
            yield camera, mail, phone, launch, console
            console.close()
        finally:
            launch.stop()


@pytest.mark.slow
def test_invariant_1_and_2_a_fire_is_answered_and_outlives_its_camera(
    world: tuple[RtspServer, MailServer, Receiver, Launch, ConsoleClient],
) -> None:
    camera, mail, phone, launch, console = world

    def alarm(hazard: str) -> dict[str, Any] | None:
        found = (a for a in console.get("/api/v1/alarms") if a["hazard"] == hazard)
        return next(found, None)

    # The camera burns; Ana is called by mail and by webhook.
    fire = until("an alarm of flame", lambda: alarm("flame"))
    until("the phone rang for flame", lambda: [r for r in phone.received if r.page["hazard"] == "flame"])
    until("the mail came", lambda: mail.mails)
    assert all(received.verified for received in phone.received)
    assert len(set(phone.ids())) == len(phone.ids())

    # The camera dies. That is a trouble of its own; the fire stays (invariant 2).
    camera.refuse()
    trouble = until("the camera's silence is a trouble", lambda: alarm("camera-silent"))
    assert trouble["signal"] == "trouble"
    still = console.get(f"/api/v1/alarms/{fire['id']}")
    assert still["live"]
    assert still["state"] == "UNACK"

    # Somebody has it: nobody else is called.
    console.post(f"/alarms/{fire['id']}/acknowledge")
    story = console.get(f"/api/v1/alarms/{fire['id']}")
    assert story["state"] == "ACK"
    assert story["handled_by"].startswith("operator")
    assert not [page for page in story["pages"] if page["state"] == "due"]

    # The camera is back, and the trouble clears by itself once somebody knows of it.
    console.post(f"/alarms/{trouble['id']}/acknowledge")
    camera.accept()
    until(
        "the trouble is over",
        lambda: console.get(f"/api/v1/alarms/{trouble['id']}")["state"] == "NORMAL",
    )

    # It is over, with an outcome and a story.
    console.post(f"/alarms/{fire['id']}/resolve", outcome="dealt-with", note="coal heap hosed down")
    story = console.get(f"/api/v1/alarms/{fire['id']}")
    assert story["state"] == "NORMAL"
    assert story["outcome_text"].startswith("Dealt with")
    assert {picture["role"] for picture in story["pictures"]} >= {"before", "at"}
    told = [line["what"] for line in story["lines"]]
    assert told[0].startswith("Alarm raised")
    assert told[-1].startswith("Resolved")

    # The camera's password is in no log.
    assert launch.watcher is not None
    for log in (launch.centre.log, launch.watcher.log):
        text = log.read_text(errors="replace")
        assert PASSWORD not in text
        assert "Traceback" not in text
