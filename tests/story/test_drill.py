"""A drill with real processes: a calm camera, a drawn plume, a phone that rings, and somebody has it.

Nothing is stood in for but the camera and the phone, which are real servers on this machine.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.receiver import SECRET, Receiver
from tests.support.rtsp import RtspServer, draw_clip

from tocsin.config import Secrets, from_values
from tocsin.demo import ConsoleClient
from tocsin.launch import Launch, free_port, write_config

WITHIN_S = 90.0


def until(what: str, look: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + WITHIN_S
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.1)
    pytest.fail(f"not within {WITHIN_S:.0f} s: {what}")


@pytest.fixture
def world(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Path, Receiver, Launch, ConsoleClient]]:
    monkeypatch.setenv("TOCSIN_WEBHOOK_SECRET", SECRET)
    clip = draw_clip(tmp_path / "yard.mkv", gop=25)
    with RtspServer(clip) as camera, Receiver() as phone:
        config = from_values(
            {
                "site": {"name": "Harbour"},
                "centre": {"port": free_port(), "data_dir": str(tmp_path / "centre")},
                "watcher": {"data_dir": str(tmp_path / "watcher")},
                "camera": [{"id": "yard", "name": "Coal yard", "source": camera.url}],
                "responder": [
                    {
                        "id": one,
                        "name": one.title(),
                        "qualifications": ["fire"],
                        "contacts": [{"channel": "webhook", "address": phone.url(f"/{one}")}],
                    }
                    for one in ("ana", "ben")
                ],
                "drill": {"responders": ["ana"]},
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
            yield path, phone, launch, console
            console.close()
        finally:
            launch.stop()


@pytest.mark.slow
def test_a_drill_goes_the_whole_way_and_says_where_the_time_went(
    world: tuple[Path, Receiver, Launch, ConsoleClient], tmp_path: Path
) -> None:
    path, phone, _launch, console = world
    until("the camera is seen", lambda: [c for c in console.get("/api/v1/cameras") if c["state"] == "seeing"])
    looks = console.get("/api/v1/cameras")[0]

    report_path = tmp_path / "drill.json"
    command = [sys.executable, "-m", "tocsin", "drill", "--camera", "yard", "--wait", "80"]
    drill = subprocess.Popen(
        [*command, "--json", str(report_path), "--config", str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        alarm = until("an alarm of the drill", lambda: next(iter(console.get("/api/v1/alarms")), None))
        assert alarm["drill"]
        assert alarm["hazard"] == "flame"
        until("the phone rang", lambda: phone.received)
        # The camera goes on being watched, and sees nothing.
        (camera,) = console.get("/api/v1/cameras")
        assert camera["state"] == "seeing"
        assert looks["id"] == camera["id"]
        console.post(f"/alarms/{alarm['id']}/acknowledge")
        said, _ = drill.communicate(timeout=WITHIN_S)
    finally:
        drill.kill()
    assert drill.returncode == 0, said

    report = json.loads(report_path.read_text(encoding="utf-8"))
    assert report["result"] == "ok"
    stages = {one["stage"]: one["since_asked_s"] for one in report["stages"]}
    order = ["asked", "taken", "first-frame", "first-sign", "confirmed", "spooled", "accepted", "committed"]
    assert [one for one in stages if one in order] == order
    assert {"sending", "sent", "acknowledged"} <= set(stages)
    assert stages["sent"] >= stages["sending"] >= stages["accepted"]

    # Only whom drills call was called, and was told that it is none.
    assert {received.path for received in phone.received} == {"/ana"}
    page = phone.received[0].page
    assert page["status"] == "Exercise"
    assert page["subject"].startswith("EXERCISE (no real hazard)")

    # It closed itself, and its pictures are redacted ones.
    story = console.get(f"/api/v1/alarms/{alarm['id']}")
    assert story["state"] == "NORMAL"
    assert console.get("/api/v1/alarms") == []
    assert console.get("/drills")["drills"][0]["result"] == "ok"
