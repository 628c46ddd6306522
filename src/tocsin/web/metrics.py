"""The centre's figures for Prometheus, at /metrics: for who bears TOCSIN_METRICS_TOKEN, and off without it.

A token, and not "loopback only": behind a proxy for TLS on the same machine every request comes from
loopback. Labels name watchers, which the site named itself; cameras are only counted, as a watcher
may tell of any number of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import product

from fastapi import APIRouter, Request, Response
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from tocsin import __version__
from tocsin.config_metrics import may_read
from tocsin.core.alarm import Alarm, AlarmState, SilenceKind
from tocsin.core.drills import DrillReport
from tocsin.core.errors import NotFoundError
from tocsin.core.hazards import Signal
from tocsin.core.sight import Watcher
from tocsin.flows.audit import Promise, Verdict
from tocsin.flows.deadman import Beats
from tocsin.flows.maintenance import out_of_service
from tocsin.flows.oversee import WATCHER_SILENT
from tocsin.web.auth import UnauthorizedError
from tocsin.web.house import House, HouseDep
from tocsin.web.metrics_drill import drill_metrics
from tocsin.web.present import camera_views
from tocsin.web.views import CameraView

router = APIRouter()

SIGHTS = ("seeing", "trouble", "silent", "unknown", "out-of-service")
"""What can be believed of a camera; unknown: it has not looked yet, or its watcher is silent."""


@dataclass(frozen=True, slots=True)
class CentreReport:
    """One centre now. `pages_done` by channel and outcome, `pages_reached` by channel
    and stage since the start; ages in seconds."""

    alarms: Sequence[Alarm]
    pages_due: int
    oldest_due_s: float
    pages_done: Mapping[tuple[str, str], int]
    watchers: Sequence[Watcher]
    cameras: Sequence[CameraView]
    loops_failing: int
    now: datetime
    silent_s: float
    pages_reached: Mapping[tuple[str, str], int] = field(default_factory=dict[tuple[str, str], int])
    verdict: Verdict = field(default_factory=Verdict)
    beats: Beats = field(default_factory=Beats)
    drill: DrillReport | None = None


@router.get("/metrics", include_in_schema=False)
async def metrics(request: Request, house: HouseDep) -> Response:
    """Figures of now, in the format that the scraper asks for."""
    if house.metrics_token is None:
        raise NotFoundError(
            "the centre's metrics are off", where="/metrics", hint="set TOCSIN_METRICS_TOKEN for the centre"
        )
    if not may_read(request.headers.get("authorization", ""), house.metrics_token):
        raise UnauthorizedError(
            "this is not the token of the metrics",
            where="authorization header",
            hint="send TOCSIN_METRICS_TOKEN as a bearer token",
        )
    report = await report_of(house)
    encode, content_type = choose_encoder(request.headers.get("accept", ""))
    return Response(encode(registry_of(lambda: report)), headers={"content-type": content_type})


async def report_of(house: House) -> CentreReport:
    """Reads it all in one transaction."""
    now = house.clock.now()
    async with house.store.reading() as unit:
        alarms = await unit.alarms.open()
        due, oldest = await unit.pages.backlog()
        watchers = await unit.watchers.all()
        out = await out_of_service(unit, now)
        drill = await unit.drills.last_ended()
    silent_s = house.policy.catalogue.get(WATCHER_SILENT).on_delay_s
    return CentreReport(
        alarms=alarms,
        pages_due=due,
        oldest_due_s=0.0 if oldest is None else max(0.0, (now - oldest).total_seconds()),
        pages_done=house.pages_done(),
        watchers=watchers,
        cameras=camera_views(watchers, house.policy, now, silent_s, out),
        loops_failing=len(house.failing_loops()),
        now=now,
        silent_s=silent_s,
        pages_reached=house.answering.reached(),
        verdict=house.verdict(),
        beats=house.beats(),
        drill=drill,
    )


def registry_of(report: Callable[[], CentreReport]) -> CollectorRegistry:
    """A registry of our own, for one scrape."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(CentreCollector(report))
    ProcessCollector(registry=registry)
    return registry


class CentreCollector(Collector):
    """Metrics of one report."""

    def __init__(self, report: Callable[[], CentreReport]) -> None:
        self._report = report

    def collect(self) -> Iterator[Metric]:
        report = self._report()
        info = GaugeMetricFamily("tocsin_centre_info", "Always 1; the centre's version.", labels=("version",))
        info.add_metric((__version__,), 1)
        yield info
        yield GaugeMetricFamily(
            "tocsin_centre_loops_failing", "Background loops that do not get through.", report.loops_failing
        )
        yield from _alarms(report.alarms, report.now)
        yield from _pages(report)
        yield from _watchers(report)
        yield from _watchman(report)
        yield from drill_metrics(report.drill)


def _alarms(alarms: Sequence[Alarm], now: datetime) -> Iterator[Metric]:
    family = GaugeMetricFamily(
        "tocsin_centre_alarms", "Open alarms, drills included.", labels=("signal", "state")
    )
    counted = Counter((alarm.signal, alarm.state) for alarm in alarms)
    open_states = [state for state in AlarmState if state is not AlarmState.NORMAL]
    for signal, state in product(Signal, open_states):
        family.add_metric((signal.value, state.value), counted[signal, state])
    yield family
    silenced = GaugeMetricFamily(
        "tocsin_centre_alarms_silenced", "Of the open alarms, those that page nobody now.", labels=("kind",)
    )
    kinds = Counter(a.silence.kind for a in alarms if a.silence is not None and a.silence.active(now))
    for kind in SilenceKind:
        silenced.add_metric((kind.value,), kinds[kind])
    yield silenced


def _pages(report: CentreReport) -> Iterator[Metric]:
    yield GaugeMetricFamily(
        "tocsin_centre_pages_due", "Pages that wait to be sent, or to be tried again.", report.pages_due
    )
    yield GaugeMetricFamily(
        "tocsin_centre_pages_oldest_due_age_seconds",
        "How long ago the most overdue of them was to be sent; 0 where none is.",
        report.oldest_due_s,
    )
    done = CounterMetricFamily(
        "tocsin_centre_pages",
        "Tries to send a page since this centre started: sent, due (to be tried again), failed, cancelled.",
        labels=("channel", "outcome"),
    )
    for (channel, outcome), count in sorted(report.pages_done.items()):
        done.add_metric((channel, outcome), count)
    yield done
    reached = CounterMetricFamily(
        "tocsin_centre_pages_reached",
        "Pages that were told to have got so far since this centre started: delivered, seen, acknowledged.",
        labels=("channel", "stage"),
    )
    for (channel, stage), count in sorted(report.pages_reached.items()):
        reached.add_metric((channel, stage), count)
    yield reached


def _watchers(report: CentreReport) -> Iterator[Metric]:
    states = GaugeMetricFamily("tocsin_centre_watchers", "Watchers by state.", labels=("state",))
    ages = GaugeMetricFamily(
        "tocsin_centre_watcher_heard_age_seconds", "Since its last heartbeat.", labels=("watcher",)
    )
    spooled = GaugeMetricFamily(
        "tocsin_centre_watcher_spooled_items",
        "Edges and pictures that wait at the watcher, as it last said.",
        labels=("watcher",),
    )
    refused = GaugeMetricFamily(
        "tocsin_centre_watcher_refused_items",
        "Edges and pictures of the watcher that were refused, as it last said.",
        labels=("watcher",),
    )
    counted = Counter[str]()
    for one in report.watchers:
        if one.heard_at is None:
            counted["never"] += 1
            continue
        age_s = max(0.0, (report.now - one.heard_at).total_seconds())
        counted["silent" if age_s > report.silent_s else "heard"] += 1
        ages.add_metric((one.name,), age_s)
        if one.heartbeat is not None:
            spooled.add_metric((one.name,), one.heartbeat.spooled)
            refused.add_metric((one.name,), one.heartbeat.refused)
    for state in ("heard", "silent", "never"):
        states.add_metric((state,), counted[state])
    cameras = GaugeMetricFamily(
        "tocsin_centre_cameras", "Cameras by what can be believed of them now.", labels=("watcher", "sight")
    )
    by_sight = Counter((view.watcher, view.state) for view in report.cameras)
    for watcher, sight in product(sorted({view.watcher for view in report.cameras}), SIGHTS):
        cameras.add_metric((watcher, sight), by_sight[watcher, sight])
    yield from (states, ages, spooled, refused, cameras)


def _watchman(report: CentreReport) -> Iterator[Metric]:
    yield GaugeMetricFamily(
        "tocsin_watchman_ok",
        "1 while everything that the watchman looks at is true, and was looked at lately.",
        float(report.verdict.holds(report.now)),
    )
    broken = GaugeMetricFamily("tocsin_watchman_broken", "1 for a promise not kept.", labels=("promise",))
    standing = {one.promise for one in report.verdict.breaches}
    for promise in Promise:
        broken.add_metric((promise.value,), float(promise in standing))
    yield broken
    at = report.beats.last_at
    yield GaugeMetricFamily(
        "tocsin_deadman_last_beat_timestamp_seconds",
        "When the last beat got to the dead-man switch; 0 if none has since the start.",
        0.0 if at is None else at.timestamp(),
    )
    yield CounterMetricFamily(
        "tocsin_deadman_beats_failed", "Beats that did not get there, since the start.", report.beats.failed
    )
    yield CounterMetricFamily(
        "tocsin_deadman_beats_withheld", "Beats that were due and not true.", report.beats.withheld
    )
