"""The figures of the last drill."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily, Metric

from tocsin.core.drills import DrillEnd, DrillReport


def drill_metrics(report: DrillReport | None) -> Iterator[Metric]:
    """Nothing is said of a drill before there was one: a zero would pass for a failure."""
    seconds = GaugeMetricFamily(
        "tocsin_drill_last_seconds",
        "From the time at which the last drill was asked for to each stage that it got to.",
        labels=("stage",),
    )
    ended = GaugeMetricFamily("tocsin_drill_last_end_timestamp_seconds", "When the last drill ended.")
    passed = GaugeMetricFamily("tocsin_drill_last_ok", "1 if the last drill passed, else 0.")
    if report is not None and report.drill.ended_at is not None:
        for stage, _, _, total_s in report.steps():
            seconds.add_metric((stage.value,), total_s)
        ended.add_metric((), report.drill.ended_at.timestamp())
        passed.add_metric((), float(report.drill.result is DrillEnd.OK))
    yield from (seconds, ended, passed)
