"""The results for a terminal."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from tocsin.evaluate import words
from tocsin.evaluate.results import ClipResult
from tocsin.evaluate.score import ClipFigures, Outcome, Summary


def show(outcome: Outcome, console: Console) -> None:
    """Clips, stills and the figures over all of them."""
    summary = outcome.summary()
    if outcome.clips:
        console.print(_clip_table(outcome))
        console.print(
            "~ nominal frame rate: its seconds mean little. In brackets: advice, which calls nobody.",
            style="dim",
        )
    if summary.clips is not None:
        console.print(_figure_table(summary.clips, summary))
    if summary.stills:
        console.print(_still_table(summary))
    elif not outcome.judges_stills and outcome.notes:
        console.print(outcome.notes[-1], style="yellow", highlight=False)
    for failed in outcome.failed:
        line = f"[bold red]not looked at[/] {escape(failed.file)}: {escape(failed.what)}"
        console.print(line, highlight=False, soft_wrap=True)


def _clip_table(outcome: Outcome) -> Table:
    table = Table(
        Column("Clip", overflow="fold", min_width=16),
        "Label",
        Column("Alarm after", justify="right"),
        "Confirmed after",
        "False alarm",
        "Trouble",
        Column("Looks", justify="right"),
        Column("ms", justify="right"),
        title="Clips: seconds from the hazard's first frame to the alarm",
    )
    for one in sorted(outcome.clips, key=lambda one: (not one.hazardous, one.clip.file)):
        table.add_row(
            escape(words.name(one.clip.file)) + (" ~" if one.clip.nominal else ""),
            one.clip.label.value,
            _alarm(one),
            words.signs(one),
            f"[bold red]{words.falsely(one)}[/]" if one.false_alarms else words.falsely(one),
            ", ".join(f"{hazard.removeprefix('camera-')} at {at_s:.0f} s" for hazard, at_s in one.troubles),
            str(len(one.looks)),
            f"{1000 * one.detect_cpu_s / max(1, len(one.looks)):.1f}",
        )
    return table


def _alarm(one: ClipResult) -> str:
    if not one.hazardous:
        return ""
    return words.seconds(one.seconds_to_alarm) if one.alarmed else "[bold red]missed[/]"


def _figure_table(figures: ClipFigures, summary: Summary) -> Table:
    table = Table("Figure", "Value", "95 % interval", title="All clips")
    for name, value, interval in figure_rows(figures, summary):
        table.add_row(name, value, interval)
    return table


def figure_rows(figures: ClipFigures, summary: Summary) -> list[tuple[str, str, str]]:
    """(what, value, interval) of all clips together."""
    false = figures.false_alarms
    rows = [("Hazard clips alarmed", words.share(figures.alarmed), words.interval(figures.alarmed))]
    rows += [
        (f"  labelled {label}", words.share(one), words.interval(one)) for label, one in figures.by_label
    ]
    if figures.signed.hits != figures.alarmed.hits:
        rows.append(
            ("Hazard clips with any sign", words.share(figures.signed), words.interval(figures.signed))
        )
    for name, one in figures.delays:
        rows.append((f"Seconds to the alarm, {name}", f"{len(one.seconds)} clips, {one.misses} missed", ""))
        rows.append(("  median", words.seconds(one.median_s), ""))
        rows.append(("  90th percentile", words.seconds(one.p90_s), ""))
    rows += [
        (
            "Clear clips falsely alarmed",
            words.share(figures.clear_alarmed),
            words.interval(figures.clear_alarmed),
        ),
        (
            f"False alarms in {words.hours(false.hours)} without a hazard",
            str(false.count),
            "",
        ),
        ("  per camera-hour", words.short(false.per_hour), _ends(false.low, false.high)),
        ("  per camera-day", words.short(false.per_day[0]), _ends(*false.per_day[1:])),
        ("False alarms in clips with a nominal rate", str(figures.false_nominal), ""),
        ("Hazard clips alarmed before or after the hazard", str(figures.early), ""),
        ("Clips with a camera trouble", words.share(figures.troubled), words.interval(figures.troubled)),
    ]
    if figures.false_advice.count:
        rows.append(("False advice", str(figures.false_advice.count), ""))
    # Without intervals: looks at one clip are not independent of each other.
    for look in figures.looks:
        rows.append((f"Frames: {look.hazard} recall", words.share(look.recall), ""))
        rows.append((f"Frames: {look.hazard} precision", words.share(look.precision), ""))
    if summary.cost is not None:
        cost = summary.cost
        told = f"{cost.total_ms:.1f} ms (decoding {cost.decode_ms:.1f}, detectors {cost.detect_ms:.1f})"
        rows.append(("CPU per analysed frame", told, ""))
        rows.append(("CPU of one core per camera", words.percent(cost.core_share), ""))
        rows.append(("Looks", f"{cost.patrol_looks} on patrol, {cost.stare_looks} in stares", ""))
    return rows


def _ends(low: float, high: float) -> str:
    return f"{words.short(low)} to {words.short(high)}"


def _still_table(summary: Summary) -> Table:
    table = Table("Images", *(str(one.hazard) for one in summary.stills), title="All images, each by itself")
    for name, *values in still_rows(summary):
        table.add_row(name, *values)
    return table


def still_rows(summary: Summary) -> list[tuple[str, ...]]:
    """(what, value of each hazard...) of all stills."""
    stills = summary.stills
    boxes = {one.hazard: one for one in summary.boxes}
    rows: list[tuple[str, ...]] = [
        ("With it, without any", *(f"{one.positives}, {one.negatives}" for one in stills)),
        ("Precision", *(words.percent(one.precision) for one in stills)),
        ("Recall", *(words.percent(one.recall) for one in stills)),
        ("F1", *(words.decimals(one.f1) for one in stills)),
        ("False positives", *(words.percent(one.false_share) for one in stills)),
        ("Average precision", *(words.decimals(one.average_precision) for one in stills)),
        ("Area under the ROC curve", *(words.decimals(one.roc_auc) for one in stills)),
    ]
    for index, (at, _) in enumerate(stills[0].recall_at if stills else ()):
        values = (words.percent(one.recall_at[index][1]) for one in stills)
        rows.append((f"Recall at {100 * at:g} % false positives", *values))
    others = (f"{one.others} of {one.others_of}" for one in stills)
    rows.append(("Reached by images with only the other hazard", *others))
    if boxes:
        told = (
            f"{words.decimals(boxes[one.hazard].average_precision)} ({boxes[one.hazard].boxes} boxes)"
            if one.hazard in boxes
            else "-"
            for one in stills
        )
        rows.append(("Average precision of boxes, IoU 0.5", *told))
    if summary.still_ms is not None:
        rows.append(("CPU per image", f"{summary.still_ms:.1f} ms", *[""] * (len(stills) - 1)))
    return rows
