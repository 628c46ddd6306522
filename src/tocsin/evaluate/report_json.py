"""The results for programs: one JSON object. What is not a number (no hours, never alarmed) is null."""

from __future__ import annotations

import json
import math
from typing import Any

from tocsin import __version__
from tocsin.evaluate.labels import HAZARDS
from tocsin.evaluate.ranking import BoxFigures, StillFigures
from tocsin.evaluate.results import ClipResult, Failed, Raised, StillResult
from tocsin.evaluate.score import ClipFigures, Cost, Delays, Outcome, Rate, Share


def as_json(outcome: Outcome) -> str:
    """The whole outcome; see docs/reference/labelled-footage.md for the keys."""
    summary = outcome.summary()
    cost = summary.cost
    told = {
        "tocsin": __version__,
        "title": outcome.title,
        "notes": list(outcome.notes),
        "clips": [_clip(one) for one in outcome.clips],
        "images": [_still(one) for one in outcome.stills],
        "failed": [_failed(one) for one in outcome.failed],
        "cpu_ms_per_frame": None if cost is None else round(cost.total_ms, 3),
        "totals": {
            "clips": None if summary.clips is None else _clip_figures(summary.clips),
            "cost": None if cost is None else _cost(cost, summary.still_ms),
            "images": [_still_figures(one) for one in summary.stills],
            "boxes": [_box_figures(one) for one in summary.boxes],
            "images_judged": outcome.judges_stills,
        },
    }
    return json.dumps(_plain(told), indent=1, allow_nan=False) + "\n"


def _plain(value: Any) -> Any:
    """JSON knows neither NaN nor infinity: null says that there is no such number."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, list):
        return [_plain(inner) for inner in value]  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, float):
        return round(value, 6) if math.isfinite(value) else None
    return value


def _clip(one: ClipResult) -> dict[str, Any]:
    return {
        "file": one.clip.file,
        "label": one.clip.label.value,
        "alarmed": one.alarmed,
        "seconds_to_alarm": one.seconds_to_alarm,
        "false_alarms": len(one.false_alarms),
        "hours": one.seconds / 3600.0,
        "clear_hours": one.clear_seconds / 3600.0,
        "split": one.clip.split,
        "scene": one.clip.scene,
        "nominal_rate": one.clip.nominal,
        "looks_to_alarm": one.looks_to_alarm,
        "seconds_to_sign": one.seconds_to_sign,
        "seconds_to": {hazard: one.seconds_to(hazard) for hazard in HAZARDS},
        "false_advice": len(one.false_advice),
        "raised": [_raised(each) for each in one.raised],
        "troubles": [{"hazard": hazard, "at_s": at_s} for hazard, at_s in one.troubles],
        "looks": len(one.looks),
        "stare_looks": sum(look.staring for look in one.looks),
        "decoded_frames": one.decoded,
        "decode_cpu_s": one.decode_cpu_s + one.picture_cpu_s,
        "detect_cpu_s": one.detect_cpu_s,
    }


def _raised(one: Raised) -> dict[str, Any]:
    return {
        "hazard": one.hazard,
        "signal": one.signal.value,
        "at_s": one.at_s,
        "since_s": one.since_s,
        "after_s": one.after_s,
        "new": one.new,
        "false": one.false,
        "confidence": one.confidence,
        "reason": one.reason,
    }


def _still(one: StillResult) -> dict[str, Any]:
    scores = {hazard: one.confidence(hazard) if hazard in one.scores else None for hazard in HAZARDS}
    return {
        "file": one.still.file,
        "label": one.still.label.value,
        **scores,
        "split": one.still.split,
        "scene": one.still.scene,
    }


def _failed(one: Failed) -> dict[str, Any]:
    return {"file": one.file, "kind": one.kind, "label": one.label.value, "what": one.what}


def _share(one: Share) -> dict[str, Any]:
    return {"hits": one.hits, "of": one.of, "share": one.value, "low": one.low, "high": one.high}


def _plain_share(one: Share) -> dict[str, Any]:
    """Without an interval: looks at one clip are not independent of each other."""
    return {"hits": one.hits, "of": one.of, "share": one.value}


def _rate(one: Rate) -> dict[str, Any]:
    value, low, high = one.per_day
    return {
        "count": one.count,
        "hours": one.hours,
        "per_camera_hour": {"value": one.per_hour, "low": one.low, "high": one.high},
        "per_camera_day": {"value": value, "low": low, "high": high},
    }


def _delays(one: Delays) -> dict[str, Any]:
    return {
        "clips": len(one.seconds),
        "misses": one.misses,
        "median_s": one.median_s,
        "p90_s": one.p90_s,
        "curve": [list(step) for step in one.curve()],
    }


def _clip_figures(one: ClipFigures) -> dict[str, Any]:
    return {
        "hazard_clips_alarmed": _share(one.alarmed),
        "hazard_clips_with_any_sign": _share(one.signed),
        "alarmed_by_label": {label.value: _share(these) for label, these in one.by_label},
        "seconds_to_alarm": {name: _delays(these) for name, these in one.delays},
        "clear_clips_falsely_alarmed": _share(one.clear_alarmed),
        "false_alarms": _rate(one.false_alarms),
        "false_alarms_in_nominal_clips": one.false_nominal,
        "false_advice": _rate(one.false_advice),
        "hazard_clips_falsely_alarmed": one.early,
        "clips_with_camera_trouble": _share(one.troubled),
        "frames": {
            look.hazard: {"recall": _plain_share(look.recall), "precision": _plain_share(look.precision)}
            for look in one.looks
        },
    }


def _cost(one: Cost, still_ms: float | None) -> dict[str, Any]:
    return {
        "decode_ms_per_frame": one.decode_ms,
        "detect_ms_per_frame": one.detect_ms,
        "core_share_per_camera": one.core_share,
        "patrol_looks": one.patrol_looks,
        "stare_looks": one.stare_looks,
        "ms_per_image": still_ms,
    }


def _still_figures(one: StillFigures) -> dict[str, Any]:
    return {
        "hazard": one.hazard,
        "positives": one.positives,
        "negatives": one.negatives,
        "precision": one.precision,
        "recall": one.recall,
        "f1": one.f1,
        "false_share": one.false_share,
        "average_precision": one.average_precision,
        "roc_auc": one.roc_auc,
        "recall_at_false_share": {f"{at:g}": recall for at, recall in one.recall_at},
        "other_hazard_reaching": {"hits": one.others, "of": one.others_of},
    }


def _box_figures(one: BoxFigures) -> dict[str, Any]:
    return {
        "hazard": one.hazard,
        "images": one.stills,
        "boxes": one.boxes,
        "average_precision_at_iou_0.5": one.average_precision,
    }
