"""A watcher's figures for Prometheus: camera ids are the only names in them, no address and no secret."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from tocsin import __version__
from tocsin.core.sight import Sight
from tocsin.watch.figures import QUANTILES, CameraReport, Spent, WatcherReport

CAMERA: Final = ("camera",)


class WatcherCollector(Collector):
    """Makes the metrics of each report anew: nothing is kept, so a camera that is gone is gone."""

    def __init__(self, report: Callable[[], WatcherReport]) -> None:
        self._report = report

    def collect(self) -> Iterator[Metric]:
        report = self._report()
        yield from _watcher(report)
        yield from _sights(report.cameras)
        yield from _looks(report.cameras)
        yield from _troubles(report.cameras)


def registry_of(report: Callable[[], WatcherReport]) -> CollectorRegistry:
    """A registry of our own: what a library may register globally is not ours to publish."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(WatcherCollector(report))
    ProcessCollector(registry=registry)
    return registry


def _watcher(report: WatcherReport) -> Iterator[Metric]:
    info = GaugeMetricFamily(
        "tocsin_watcher_info", "Always 1; the watcher's name and version.", labels=("watcher", "version")
    )
    info.add_metric((report.name, __version__), 1)
    yield info
    load, looking = report.load, report.looking
    single: tuple[tuple[str, str, float | None], ...] = (
        ("cameras", "Cameras that this watcher holds.", len(report.cameras)),
        ("cores", "Cores that this watcher may use.", load.cores),
        ("cores_used", "Cores that it used over the last minute.", load.used),
        ("cores_idle", "Of those cores, idle over the last minute: used by nobody.", load.idle),
        ("headroom_cameras", "How many more cameras fit at the present cost.", report.headroom),
        ("stares_running", "Cameras that are stared at now.", looking.staring),
        ("stares_waiting", "Cameras that wait for a stare.", looking.queue),
        (
            "patrol_looks_per_second",
            "Looks per camera and second on patrol, over the last minute or two.",
            looking.patrol_looks_per_s,
        ),
        (
            "stare_looks_per_second",
            "Looks per camera and second in stares, over the last minute or two.",
            looking.stare_looks_per_s,
        ),
        (
            "verdict_median_seconds",
            "From the first suspicious look to an alarm or the stare's end; median of the last 200.",
            looking.verdict_median_s,
        ),
        ("verdict_max_seconds", "The longest of the same.", looking.verdict_max_s),
        ("readers", "Reader processes that run.", report.readers),
        ("spooled_items", "Edges and pictures that wait for the centre.", report.spooled),
        ("refused_items", "Edges and pictures that the centre refused.", report.refused),
        ("disk_free_ratio", "The share of the disk under the spool that is free.", report.disk_free_share),
    )
    for name, text, value in single:
        if value is not None:
            yield GaugeMetricFamily(f"tocsin_watcher_{name}", text, value)
    yield CounterMetricFamily("tocsin_watcher_stares", "Stares granted since the start.", looking.stares)
    yield CounterMetricFamily(
        "tocsin_watcher_reader_restarts",
        "Reader processes that died and were started again, since the start.",
        report.reader_restarts,
    )


def _sights(cameras: Sequence[CameraReport]) -> Iterator[Metric]:
    sights = GaugeMetricFamily(
        "tocsin_camera_sight", "1 for the one that is true of the camera, else 0.", labels=("camera", "sight")
    )
    ages = GaugeMetricFamily(
        "tocsin_camera_look_age_seconds",
        "Since the last frame that was analysed, or since the start before the first.",
        labels=CAMERA,
    )
    limits = GaugeMetricFamily(
        "tocsin_camera_look_age_limit_seconds",
        "An older look than this is silence; absent where no look is owed (a recording that has ended).",
        labels=CAMERA,
    )
    rates = GaugeMetricFamily(
        "tocsin_camera_looks_per_second", "Frames analysed a second, over the last minute.", labels=CAMERA
    )
    out = GaugeMetricFamily(
        "tocsin_camera_out_of_service_seconds",
        "For how much longer it is out of service; absent while it is in service.",
        labels=CAMERA,
    )
    for one in cameras:
        if one.out_of_service_s is not None:
            out.add_metric((one.camera,), one.out_of_service_s)
        for sight in Sight:
            sights.add_metric((one.camera, sight.value), float(one.sight is sight))
        ages.add_metric((one.camera,), one.looks.age_s)
        if one.limit_s is not None:
            limits.add_metric((one.camera,), one.limit_s)
        rates.add_metric((one.camera,), one.looks.looks_per_s)
    yield from (sights, ages, limits, rates, out)


def _looks(cameras: Sequence[CameraReport]) -> Iterator[Metric]:
    counts: tuple[tuple[str, str, Callable[[CameraReport], int]], ...] = (
        ("looks", "Frames analysed since the start.", lambda one: one.looks.looks),
        (
            "skipped_looks",
            "Looks that were due and left out, as the machine was behind.",
            lambda one: one.looks.skipped,
        ),
        ("stares", "Stares begun since the start.", lambda one: one.looks.stares),
        (
            "stalls",
            "How often there was no analysed frame for longer than the limit.",
            lambda one: one.looks.stalls,
        ),
        (
            "reconnects",
            "How often it was opened again, whether that worked or not.",
            lambda one: one.looks.reconnects,
        ),
    )
    for name, text, count in counts:
        family = CounterMetricFamily(f"tocsin_camera_{name}", text, labels=CAMERA)
        for one in cameras:
            family.add_metric((one.camera,), count(one))
        yield family
    yield _summary(
        "tocsin_camera_decode_cpu_seconds",
        "CPU time per look before the detectors: reading, decoding, scaling; quantiles of the last 300.",
        [(one, one.looks.decode) for one in cameras],
    )
    yield _summary(
        "tocsin_camera_detect_cpu_seconds",
        "CPU time per look in the detectors; quantiles of the last 300.",
        [(one, one.looks.detect) for one in cameras],
    )


def _summary(name: str, text: str, spent: Sequence[tuple[CameraReport, Spent]]) -> Metric:
    # The library's own summary family knows no quantiles.
    family = Metric(name, text, "summary")
    for one, cost in spent:
        for quantile, value in zip(QUANTILES, (cost.median_s, cost.p95_s), strict=True):
            if value is not None:
                family.add_sample(name, {"camera": one.camera, "quantile": str(quantile)}, value)
        family.add_sample(f"{name}_sum", {"camera": one.camera}, cost.total_s)
        family.add_sample(f"{name}_count", {"camera": one.camera}, one.looks.looks)
    return family


def _troubles(cameras: Sequence[CameraReport]) -> Iterator[Metric]:
    failures = CounterMetricFamily(
        "tocsin_camera_failures", "Failures of the source, by error code.", labels=("camera", "code")
    )
    failing = GaugeMetricFamily(
        "tocsin_camera_failing",
        "1 while no frame was analysed since a failure with this code.",
        labels=("camera", "code"),
    )
    troubles = GaugeMetricFamily(
        "tocsin_camera_trouble", "1 while this trouble of the camera stands.", labels=("camera", "hazard")
    )
    for one in cameras:
        for code, count in one.looks.failures:
            failures.add_metric((one.camera, code), count)
        if one.looks.failing:
            failing.add_metric((one.camera, one.looks.failing), 1)
        for hazard in dict.fromkeys(one.troubles):
            troubles.add_metric((one.camera, hazard), 1)
    yield from (failures, failing, troubles)
