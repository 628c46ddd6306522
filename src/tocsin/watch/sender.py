"""Store and forward: the spool's items go to the centre over HTTP, in order, until it has them."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Mapping
from typing import Any, cast
from urllib.parse import quote, urlsplit

import httpx
import structlog
from pydantic import SecretStr

from tocsin import __version__
from tocsin.core.drills import DrillTold
from tocsin.core.errors import ConfigError, TocsinError
from tocsin.core.sight import Heartbeat
from tocsin.redact import RedactedPicture
from tocsin.watch.spool import Spool, SpooledEdge, SpooledPicture
from tocsin.wire import drill_told_codec, edge_codec, heartbeat_codec
from tocsin.wire_onboarding import Result, dumped

log = structlog.get_logger()

FIRST_BACK_OFF_S = 0.5
MAX_BACK_OFF_S = 15.0
BATCH = 50
HEARTBEAT_S = 5.0

_PERMANENT = frozenset({400, 403, 413, 415, 422})
"""The centre has read it and will never take it. Everything else may change: 401 when the token is
mended, 404 when the address is, 5xx when it is back."""
_STUMBLED = 500
_NO_SUCH_EDGE = 409


class CentreClient:
    """Speaks the watchers' API. Its token never appears in a log or an error."""

    def __init__(self, url: str, token: SecretStr, *, timeout_s: float = 10.0) -> None:
        """Raises ConfigError for an address that is not http(s)."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError(f"{url!r} is not an http(s) address", where="[watcher] centre")
        self.url = url.rstrip("/")
        self._client = httpx.Client(
            base_url=self.url,
            timeout=timeout_s,
            follow_redirects=False,
            trust_env=False,
            headers={
                "authorization": f"Bearer {token.get_secret_value()}",
                "user-agent": f"tocsin-watcher/{__version__}",
            },
        )

    def send(self, item: SpooledEdge | SpooledPicture) -> httpx.Response:
        """Raises httpx.HTTPError when there is no answer."""
        if isinstance(item, SpooledEdge):
            return self._client.post(
                "/api/v1/edges",
                content=edge_codec.dump(item.edge),
                headers={"content-type": "application/json", "idempotency-key": item.edge.id},
            )
        params = {"role": item.role, "at": item.at.isoformat()}
        if item.region is not None:
            r = item.region
            params["region"] = f"{r.x0},{r.y0},{r.x1},{r.y1}"
        return self._client.put(
            f"/api/v1/edges/{quote(item.edge_id, safe='')}/pictures/{item.index}",
            params=params,
            content=item.jpeg,
            headers={"content-type": "image/jpeg"},
        )

    def beat(self, heartbeat: Heartbeat) -> httpx.Response:
        return self._client.post(
            "/api/v1/heartbeat",
            content=heartbeat_codec.dump(heartbeat),
            headers={"content-type": "application/json"},
        )

    def zones(self, digest: str) -> httpx.Response:
        """What is drawn for our cameras; 304 when it is still that digest."""
        return self._client.get("/api/v1/zones", headers={"if-none-match": f'"{digest}"'})

    def show(self, camera: str, still: RedactedPicture) -> httpx.Response:
        """How a camera's picture looks now, because somebody wants to draw on it."""
        return self._client.put(
            f"/api/v1/cameras/{quote(camera, safe='')}/still",
            content=still.jpeg,
            headers={"content-type": "image/jpeg"},
        )

    def job(self, job_id: str) -> httpx.Response:
        """What staff ask us for while they add a camera; answered once."""
        return self._client.get(f"/api/v1/onboarding/{quote(job_id, safe='')}")

    def job_done(self, job_id: str, result: Result) -> httpx.Response:
        return self._client.post(
            f"/api/v1/onboarding/{quote(job_id, safe='')}/result",
            content=dumped(result),
            headers={"content-type": "application/json"},
        )

    def drill_told(self, drill: str, told: DrillTold) -> httpx.Response:
        """How far a drill has got here."""
        return self._client.post(
            f"/api/v1/drills/{quote(drill, safe='')}/told",
            content=drill_told_codec.dump(told),
            headers={"content-type": "application/json"},
        )

    def close(self) -> None:
        self._client.close()


class Sender:
    """Two threads: one empties the spool, one beats. Neither waits for the other."""

    def __init__(
        self,
        spool: Spool,
        client: CentreClient,
        heartbeat: Callable[[], Heartbeat],
        ring: threading.Event,
        *,
        asked: Callable[[Mapping[str, Any]], None] | None = None,
        ends: Callable[[], None] | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """`asked` is handed the centre's answer to each heartbeat, in the heart's thread; `ends` is called
        when the last one was."""
        self._asked = asked
        self._ends = ends
        self._spool = spool
        self._client = client
        self._heartbeat = heartbeat
        self._ring = ring
        self._jitter = jitter
        self._stop = threading.Event()
        self._trouble = ""
        self._told_by = ""
        self._threads = [
            threading.Thread(target=self._empty, name="sender"),
            threading.Thread(target=self._beat, name="heart"),
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Ends both; what is in the spool stays there."""
        self._stop.set()
        self._ring.set()
        for thread in self._threads:
            thread.join()
        if self._ends is not None:
            self._ends()

    def send_batch(self) -> bool:
        """Sends what waits, in order. False when the centre must be left alone for a while."""
        went = True
        for item in self._spool.waiting(BATCH):
            if self._stop.is_set():
                return True
            try:
                response = self._client.send(item)
            except httpx.HTTPError as error:
                self._tell("sender", "centre-unreachable", f"{type(error).__name__} at {self._client.url}")
                return False
            if _taken(response, item):
                self._tell("sender", "", "")
                self._spool.done(item.seq)
            elif response.is_success:
                self._tell("sender", "not-a-centre", _said(response))
                return False
            elif _refused(response) or (
                # A picture is sent after its edge: without one, that edge was refused. Waiting for it
                # would hold up every later alarm.
                response.status_code == _NO_SUCH_EDGE and isinstance(item, SpooledPicture)
            ):
                log.error("refused-by-centre", status=response.status_code, answer=_said(response))
                self._spool.refuse(item.seq, f"{response.status_code} {_said(response)}")
            elif response.status_code == _STUMBLED:
                # A fault over this one item must not hold up the others; it is tried again with them.
                self._tell("sender", "centre-answered-500", _said(response))
                went = False
            else:
                self._tell("sender", f"centre-answered-{response.status_code}", _said(response))
                return False
        return went

    def _empty(self) -> None:
        back_off_s = FIRST_BACK_OFF_S
        while not self._stop.is_set():
            self._ring.clear()
            try:
                went = self.send_batch()
                more = went and self._spool.counts().waiting > 0
            except TocsinError as error:
                self._tell("sender", error.code, str(error))
                went, more = False, False
            except Exception:
                log.exception("sender-failed")
                went, more = False, False
            if more:
                continue
            if went:
                back_off_s = FIRST_BACK_OFF_S
                self._ring.wait(1.0)
            else:
                self._stop.wait(back_off_s * (0.5 + self._jitter()))
                back_off_s = min(back_off_s * 2, MAX_BACK_OFF_S)

    def _beat(self) -> None:
        while not self._stop.is_set():
            try:
                response = self._client.beat(self._heartbeat())
                code = "" if _heard(response) else f"centre-answered-{response.status_code}"
                self._tell("heart", code, _said(response))
                if not code and self._asked is not None:
                    self._asked(_answer(response))
            except httpx.HTTPError as error:
                self._tell("heart", "centre-unreachable", f"{type(error).__name__} at {self._client.url}")
            except Exception:
                log.exception("heart-failed")
            self._stop.wait(HEARTBEAT_S)

    def _tell(self, thread: str, code: str, detail: str) -> None:
        """Says a fault once when it begins and once when it is over, whichever thread meets it.

        A heartbeat that went through is not the end of a fault that the sender still has.
        """
        if code == self._trouble or (not code and thread == "heart" and self._told_by != thread):
            return
        self._told_by = thread
        if code:
            log.warning("centre-trouble", code=code, detail=detail, hint=_HINTS.get(code, ""))
        elif self._trouble:
            log.info("centre-back", was=self._trouble)
        self._trouble = code


_HINTS = {
    "centre-unreachable": "edges wait in the spool and are sent when it is back",
    "centre-answered-401": "the centre does not know our token: see TOCSIN_WATCHER_TOKEN",
    "not-a-centre": "something else answers: is [watcher] centre right, and no portal in between?",
    "centre-answered-404": "is [watcher] centre the address of a Tocsin centre?",
}


def _answer(response: httpx.Response) -> dict[str, Any]:
    """The centre's JSON object; empty when something else answered (a portal, a proxy)."""
    try:
        answer = response.json()
    except ValueError:
        return {}
    return cast("dict[str, Any]", answer) if isinstance(answer, dict) else {}


def _taken(response: httpx.Response, item: SpooledEdge | SpooledPicture) -> bool:
    """Whether this is the centre's own receipt for this item: any other "200 OK" proves nothing."""
    answer = _answer(response)
    if isinstance(item, SpooledEdge):
        return response.is_success and answer.get("edge_id") == item.edge.id
    return response.is_success and "picture_id" in answer


def _refused(response: httpx.Response) -> bool:
    """Whether the centre itself has read it and will never take it."""
    answer = _answer(response)
    return response.status_code in _PERMANENT and "code" in answer and answer.get("permanent") is True


def _heard(response: httpx.Response) -> bool:
    return response.is_success and _answer(response).get("ok") is True


def _said(response: httpx.Response) -> str:
    return " ".join(response.text[:300].split())
