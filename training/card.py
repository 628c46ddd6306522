"""Writes the model card's figures: `python -m training.card --run DIR`, from what cross_validate left there.

Everything between the markers of docs/reference/fire-detector.md is written anew; the curve goes to
docs/images/fire-training.png.
"""

from __future__ import annotations

import argparse
import csv
import json
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt

ROOT: Final = Path(__file__).resolve().parents[1]
PAGE: Final = ROOT / "docs" / "reference" / "fire-detector.md"
CURVE: Final = ROOT / "docs" / "images" / "fire-training.png"
BEGIN: Final = "<!-- figures: written by training/card.py -->"
END: Final = "<!-- end of figures -->"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, required=True)
    options = parser.parse_args()
    run: Path = options.run
    report = json.loads((run / "report.json").read_text())
    facts = json.loads((run / "all" / "facts.json").read_text())
    verdicts = json.loads((run / "verdict.json").read_text())
    text = PAGE.read_text(encoding="utf-8")
    head, rest = text.split(BEGIN)
    _, tail = rest.split(END)
    PAGE.write_text(f"{head}{BEGIN}\n\n{figures(report, facts, verdicts)}\n\n{END}{tail}", encoding="utf-8")
    draw(run)


def _of(one: dict[str, Any] | None) -> str:
    if not one or one.get("share") is None:
        return "none labelled"
    span = f" ({one['low']:.2f} to {one['high']:.2f})" if "low" in one else ""
    return f"{one['hits']} of {one['of']}{span}"


def _s(value: float | None) -> str:
    return "never" if value is None else f"{value:.1f} s"


def figures(report: dict[str, Any], facts: dict[str, Any], verdicts: list[dict[str, Any]]) -> str:
    clips, cost = report["totals"]["clips"], report["totals"]["cost"]
    false = clips["false_alarms"]
    day = false["per_camera_day"]
    lines = [
        "| clips | |",
        "|---|---|",
        f"| hazard clips that alarmed | {_of(clips['hazard_clips_alarmed'])} |",
        f"| with any sign, advice included | {_of(clips['hazard_clips_with_any_sign'])} |",
    ]
    for name, one in clips["seconds_to_alarm"].items():
        lines.append(
            f"| time to alarm, {name}: median, 90th percentile | {_s(one['median_s'])}, {_s(one['p90_s'])} |"
        )
    lines += [
        f"| clear clips falsely alarmed | {_of(clips['clear_clips_falsely_alarmed'])} |",
        f"| false alarms a camera-day | {day['value']:.1f} ({day['low']:.1f} to {day['high']:.1f}),"
        f" on {false['hours']:.3f} h of clear footage |",
    ]
    for hazard, one in clips["frames"].items():
        lines.append(f"| frame recall, precision, {hazard} | {_of(one['recall'])}, {_of(one['precision'])} |")
    lines += ["", "| stills | positives, negatives | at 3 % false | at 5 % false | average precision | AUC |"]
    lines.append("|---|---|---|---|---|---|")
    for one in report["totals"]["images"]:
        at = one["recall_at_false_share"]
        lines.append(
            f"| {one['hazard']} | {one['positives']}, {one['negatives']} | {at['0.03']:.3f} |"
            f" {at['0.05']:.3f} | {one['average_precision']:.3f} | {one['roc_auc']:.3f} |"
        )
    lines += ["", "| clip | label | alarm after | falsely |", "|---|---|---|---|"]
    for one in sorted(report["clips"], key=lambda each: (each["label"] == "none", each["file"])):
        shown = _s(one["seconds_to_alarm"]) if one["label"] != "none" else ""
        name = Path(one["file"]).stem + (" ~" if one["nominal_rate"] else "")
        lines.append(f"| {name} | {one['label']} | {shown} | {one['false_alarms'] or ''} |")
    lines += [
        "",
        "~ a sequence of stills with a nominal rate: its seconds mean little.",
        "",
        f"CPU on the machine that measured it: {cost['detect_ms_per_frame']:.1f} ms a look for detectors,"
        f" {cost['decode_ms_per_frame']:.1f} ms for decoding.",
        "",
        f"Made from: seed {facts['seed']}, {facts['samples']} pictures, {sum(facts['pictures_seen'])} looks"
        f" at them, labels sha256 `{facts['manifest_sha256'][:16]}`, PyTorch {facts['torch']}."
        f" Verdict: `{json.dumps({one['hazard']: [*one['weights'], one['bias']] for one in verdicts})}`.",
    ]
    return "\n".join(lines)


def draw(run: Path) -> None:
    figure, axes = plt.subplots(figsize=(7, 3.2), dpi=110)
    for folder in sorted(run.iterdir()):
        if (folder / "curve.csv").is_file():
            with (folder / "curve.csv").open() as file:
                rows = list(csv.DictReader(file))
            axes.plot([int(r["pictures"]) for r in rows], [float(r["loss"]) for r in rows], label=folder.name)
    axes.set_xlabel("pictures seen")
    axes.set_ylabel("loss (training)")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.tight_layout()
    figure.savefig(CURVE)


if __name__ == "__main__":
    main()
