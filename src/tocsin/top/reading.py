"""A watcher's metrics, read over HTTP and made into lines. What answers may be anything: it is bounded."""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

import httpx
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr

from tocsin.core.errors import ConfigError
from tocsin.core.sight import Sight
from tocsin.top.words import plain, span, why

WITHIN_S: Final = 4.0
MOST_BYTES: Final = 8_000_000
"""A camera is about 4 kB of text: this is two thousand of them."""


@dataclass(frozen=True, slots=True)
class CameraLine:
    """One camera as its watcher tells of it. None: it was not told. Times of CPU are per look."""

    camera: str
    sight: str = ""
    age_s: float | None = None
    limit_s: float | None = None
    looks_per_s: float | None = None
    looks: int = 0
    decode_ms: float | None = None
    decode_p95_ms: float | None = None
    detect_ms: float | None = None
    detect_p95_ms: float | None = None
    skipped: int = 0
    stares: int = 0
    stalls: int = 0
    reconnects: int = 0
    failing: str = ""
    troubles: tuple[str, ...] = ()
    out_of_service_s: float | None = None

    @property
    def late(self) -> bool:
        """Whether its last analysed frame is older than it may be, whatever its watcher makes of that."""
        return self.age_s is None or (self.limit_s is not None and self.age_s > self.limit_s)

    @property
    def sees(self) -> bool:
        return self.sight == Sight.SEEING and not self.late and self.out_of_service_s is None

    @property
    def reason(self) -> str:
        """Why it does not see, in plain words; empty when it does."""
        if self.out_of_service_s is not None:
            return f"out of service for another {span(self.out_of_service_s)}"
        return "" if self.sees else why(self.sight, self.failing, self.troubles, self.age_s, self.limit_s)

    @property
    def rank(self) -> tuple[int, float, int, str]:
        """The worst first: blind, then in trouble or out of service, then whoever has stumbled most."""
        mild = self.out_of_service_s is not None or (self.sight == Sight.TROUBLE and not self.late)
        order = 2 if self.sees else 1 if mild else 0
        age_s = 0.0 if self.sees else -(math.inf if self.age_s is None else self.age_s)
        return (order, age_s, -(self.stalls + self.reconnects), self.camera)


@dataclass(frozen=True, slots=True)
class WatcherLine:
    """One watcher; `error` and `hint` say why nothing is known of it."""

    url: str
    name: str = ""
    cameras: tuple[CameraLine, ...] = ()
    cores: float | None = None
    cores_used: float | None = None
    cores_idle: float | None = None
    headroom: int | None = None
    staring: int = 0
    waiting: int = 0
    stares: int = 0
    spooled: int | None = None
    refused: int | None = None
    error: str = ""
    hint: str = ""

    @property
    def shown_name(self) -> str:
        return self.name or urlsplit(self.url).netloc

    @property
    def sees(self) -> bool:
        """Whether it answers, and all of its cameras see."""
        return not self.error and bool(self.cameras) and all(one.sees for one in self.cameras)


def url_of(text: str) -> str:
    """The metrics' URL for what was typed: a URL, or host:port. Raises ConfigError."""
    url = text if "://" in text else f"http://{text}"
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        parts, good = None, False
    if not good or parts is None:
        raise ConfigError(
            "this is no address of a watcher's metrics",
            where="tocsin top",
            hint="write http://127.0.0.1:9464 or 127.0.0.1:9464",
        )
    if "@" in parts.netloc:
        raise ConfigError(
            "there is a user name or password in the address",
            where="tocsin top",
            hint="set TOCSIN_METRICS_TOKEN instead",
        )
    path = "/metrics" if parts.path in ("", "/") else parts.path
    return parts._replace(path=path, fragment="").geturl()


def read(url: str, token: SecretStr | None = None) -> WatcherLine:
    """What the watcher there says; whatever goes wrong is in `error`, with a hint."""
    headers = {} if token is None else {"authorization": f"Bearer {token.get_secret_value()}"}
    try:
        with (
            httpx.Client(timeout=WITHIN_S, trust_env=False, follow_redirects=False) as client,
            client.stream("GET", url, headers=headers) as response,
        ):
            if response.status_code == 401:
                return WatcherLine(
                    url, error="it asks for a token", hint="set TOCSIN_METRICS_TOKEN to the watcher's"
                )
            if response.status_code != 200:
                said = f"it answers {response.status_code}"
                return WatcherLine(url, error=said, hint="is this a watcher's metrics?")
            text = _text(response)
    except httpx.TimeoutException:
        return WatcherLine(url, error=f"no answer within {WITHIN_S:g} s", hint="is that machine overloaded?")
    except (httpx.HTTPError, httpx.InvalidURL):
        return WatcherLine(
            url,
            error="nobody answers",
            hint="is `tocsin watch` running there, with [watcher] metrics set to this address?",
        )
    if text is None:
        return WatcherLine(url, error="it says more than a watcher can", hint="is this a watcher's metrics?")
    return parse(text, url)


def parse(text: str, url: str) -> WatcherLine:
    """The lines of a metrics page. One that is no watcher's is said to be none."""
    try:
        table = _Table(text_string_to_metric_families(text))
    except Exception:  # noqa: BLE001 - the parser raises anything, and text from outside may be anything
        table = None
    name = table.labels("tocsin_watcher_info").get("watcher") if table else None
    if table is None or name is None:
        return WatcherLine(
            url, error="what answers there is no watcher", hint="[watcher] metrics has the address"
        )
    cameras = [_camera(table, name) for name in sorted(table.cameras)]
    return WatcherLine(
        url,
        name=plain(name),
        cameras=tuple(sorted(cameras, key=lambda one: one.rank)),
        cores=table.one("tocsin_watcher_cores"),
        cores_used=table.one("tocsin_watcher_cores_used"),
        cores_idle=table.one("tocsin_watcher_cores_idle"),
        headroom=_whole(table.one("tocsin_watcher_headroom_cameras")),
        staring=_whole(table.one("tocsin_watcher_stares_running")) or 0,
        waiting=_whole(table.one("tocsin_watcher_stares_waiting")) or 0,
        stares=_whole(table.one("tocsin_watcher_stares_total")) or 0,
        spooled=_whole(table.one("tocsin_watcher_spooled_items")),
        refused=_whole(table.one("tocsin_watcher_refused_items")),
    )


@dataclass(slots=True)
class _Of:
    """What was told of one camera: values by metric, and the labels of those that are 1."""

    values: dict[str, float] = field(default_factory=dict[str, float])
    sight: str = ""
    failing: str = ""
    troubles: list[str] = field(default_factory=list[str])


class _Table:
    def __init__(self, families: Iterable[Metric]) -> None:
        self._single: dict[str, float] = {}
        self._labels: dict[str, Mapping[str, str]] = {}
        self.cameras: defaultdict[str, _Of] = defaultdict(_Of)
        for family in families:
            for sample in family.samples:
                labels = sample.labels
                if not math.isfinite(sample.value):
                    continue
                if "camera" not in labels:
                    self._single[sample.name] = sample.value
                    self._labels[sample.name] = labels
                    continue
                self._take(self.cameras[labels["camera"]], sample.name, labels, sample.value)

    def _take(self, of: _Of, name: str, labels: Mapping[str, str], value: float) -> None:
        match name:
            case "tocsin_camera_sight" if value == 1.0:
                of.sight = labels.get("sight", "")
            case "tocsin_camera_failing":
                of.failing = labels.get("code", "")
            case "tocsin_camera_trouble":
                of.troubles.append(labels.get("hazard", ""))
            case _:
                quantile = labels.get("quantile")
                of.values[name if quantile is None else f"{name}/{quantile}"] = value

    def one(self, name: str) -> float | None:
        return self._single.get(name)

    def labels(self, name: str) -> Mapping[str, str]:
        return self._labels.get(name, {})


def _camera(table: _Table, name: str) -> CameraLine:
    of = table.cameras[name]
    values = of.values

    def count(metric: str) -> int:
        return _whole(values.get(f"tocsin_camera_{metric}_total")) or 0

    def cost_ms(part: str, quantile: str) -> float | None:
        cost_s = values.get(f"tocsin_camera_{part}_cpu_seconds/{quantile}")
        return None if cost_s is None else cost_s * 1000.0

    return CameraLine(
        camera=plain(name),
        sight=plain(of.sight),
        age_s=values.get("tocsin_camera_look_age_seconds"),
        limit_s=values.get("tocsin_camera_look_age_limit_seconds"),
        looks_per_s=values.get("tocsin_camera_looks_per_second"),
        looks=count("looks"),
        decode_ms=cost_ms("decode", "0.5"),
        decode_p95_ms=cost_ms("decode", "0.95"),
        detect_ms=cost_ms("detect", "0.5"),
        detect_p95_ms=cost_ms("detect", "0.95"),
        skipped=count("skipped_looks"),
        stares=count("stares"),
        stalls=count("stalls"),
        reconnects=count("reconnects"),
        failing=plain(of.failing),
        troubles=tuple(plain(one) for one in of.troubles),
        out_of_service_s=values.get("tocsin_camera_out_of_service_seconds"),
    )


def _text(response: httpx.Response) -> str | None:
    """None for more than MOST_BYTES. Raises httpx.ReadTimeout for what drips in for too long."""
    ends_s = time.monotonic() + WITHIN_S
    got = bytearray()
    for part in response.iter_bytes():
        got += part
        if len(got) > MOST_BYTES:
            return None
        if time.monotonic() > ends_s:
            raise httpx.ReadTimeout("it drips in")
    return got.decode("utf-8", errors="replace")


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)
