"""Only the centre's own receipt empties a spool: portals, proxies and strangers answer 200 as well."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import SecretStr
from tests.support.receiver import Answer, Received, Receiver
from tests.support.running import an_edge

from tocsin.core.sight import Heartbeat
from tocsin.watch.sender import CentreClient, Sender
from tocsin.watch.spool import Spool


def _json(status: int, **content: object) -> Answer:
    return Answer(status, {"content-type": "application/json"}, json.dumps(content).encode())


def _as_centre(got: Received) -> Answer:
    return _json(201, edge_id=json.loads(got.body)["id"])


def _counts(folder: Path, answer: Callable[[Received], Answer]) -> tuple[bool, int, int]:
    """Whether a batch went through, and what waits and is set aside after it."""
    with Receiver(answer) as stranger:
        spool = Spool(folder / "spool.sqlite")
        spool.put_edge(an_edge())
        client = CentreClient(stranger.url("").rstrip("/"), SecretStr("token"))
        heartbeat = Heartbeat(datetime.now(UTC), ())
        went = Sender(spool, client, lambda: heartbeat, threading.Event()).send_batch()
        client.close()
        counts = spool.counts()
        spool.close()
    return went, counts.waiting, counts.refused


def test_the_centres_receipt_empties_the_spool(tmp_path: Path) -> None:
    assert _counts(tmp_path, _as_centre) == (True, 0, 0)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(200, {"content-type": "text/html"}, b"<html>Please sign in to the guest network</html>"),
        _json(200, ok=True),
        _json(201, edge_id="another"),
        Answer(200, {}, b"[1, 2]"),
        Answer(204),
        Answer(302, {"location": "http://127.0.0.1:9/"}),
    ],
)
def test_invariant_1_a_strangers_yes_proves_nothing(tmp_path: Path, answer: Answer) -> None:
    assert _counts(tmp_path, lambda _: answer) == (False, 1, 0)


@pytest.mark.parametrize("status", [400, 403, 413, 415, 422])
def test_invariant_1_a_strangers_no_sets_nothing_aside(tmp_path: Path, status: int) -> None:
    page = Answer(status, {"content-type": "text/html"}, b"<h1>Forbidden by the proxy</h1>")
    assert _counts(tmp_path, lambda _: page) == (False, 1, 0)
    passing = _json(status, code="x", what="", where="", hint="", permanent=False)
    assert _counts(tmp_path, lambda _: passing)[0] is False


@pytest.mark.parametrize("status", [403, 422])
def test_what_the_centre_itself_refuses_is_set_aside(tmp_path: Path, status: int) -> None:
    no = _json(status, code="unknown-hazard", what="", where="", hint="", permanent=True)
    assert _counts(tmp_path, lambda _: no) == (True, 0, 1)


def test_one_item_that_the_centre_stumbles_over_does_not_hold_up_the_others(tmp_path: Path) -> None:
    bad, *good = [an_edge(source=f"cam-{number}") for number in range(4)]
    taken: list[str] = []

    def centre(got: Received) -> Answer:
        edge_id = json.loads(got.body)["id"]
        if edge_id == bad.id:
            return _json(500, code="bug", what="", where="", hint="", permanent=False)
        taken.append(edge_id)
        return _as_centre(got)

    with Receiver(centre) as running:
        spool = Spool(tmp_path / "spool.sqlite")
        for edge in (bad, *good):
            spool.put_edge(edge)
        client = CentreClient(running.url("").rstrip("/"), SecretStr("token"))
        heartbeat = Heartbeat(datetime.now(UTC), ())
        assert not Sender(spool, client, lambda: heartbeat, threading.Event()).send_batch()
        client.close()
        assert taken == [edge.id for edge in good]
        assert spool.counts().waiting == 1
        spool.close()
