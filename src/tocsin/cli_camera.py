"""`tocsin camera`: find cameras, measure their streams, and write them into the configuration."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer
from rich.markup import escape
from rich.table import Column, Table

from tocsin.clocks import SystemClock
from tocsin.config import from_values
from tocsin.config_edit import section_of, trust_of, with_camera, write_over
from tocsin.config_streams import camera_credentials, camera_variables
from tocsin.core.errors import ConfigError, SourceAuthError
from tocsin.core.geometry import LensModel
from tocsin.core.sampling import Choice, Offer, SamplingAdvice, Stream, advise
from tocsin.sources.discovery import Found, discover, target_of
from tocsin.sources.probe import PROBE_S, probe
from tocsin.terminal import ConfigOption, err, out

camera_app = typer.Typer(help="Find cameras, measure them, add them.", no_args_is_help=True)

Seconds = Annotated[float, typer.Option(help="How long to watch each stream.")]
AsJson = Annotated[bool, typer.Option("--json", help="JSON instead of text.")]


@camera_app.command("discover")
def discover_command(
    address: Annotated[
        str, typer.Option(help="Ask only this host (or host:port), where multicast does not get through.")
    ] = "",
    wait_s: Annotated[float, typer.Option(help="How long to wait for answers.")] = 3.0,
    as_json: AsJson = False,
) -> None:
    """List the ONVIF cameras that answer on this network. Nothing is opened, and no password is sent."""
    search = discover(SystemClock(), wait_s=wait_s, address=target_of(address) if address else None)
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in search.found], indent=1))
        return
    table = Table("Host", "Name", "Hardware", Column("Address for `tocsin camera add`", overflow="fold"))
    for one in search.found:
        table.add_row(*map(escape, (one.sender, one.name, one.hardware, _best(one))))
    out.print(table)
    refused = f" {search.refused} replies could not be read." if search.refused else ""
    out.print(f"{len(search.found)} found.{refused}", highlight=False)


@camera_app.command("probe")
def probe_command(
    source: Annotated[
        str, typer.Argument(help="An rtsp:// or http:// address without password, or a video file.")
    ],
    camera: Annotated[str, typer.Option("--id", help="Use the credentials of this camera's variables.")] = "",
    seconds: Seconds = PROBE_S,
    as_json: AsJson = False,
) -> None:
    """Watch a stream for some seconds: what it is made of, and the cheapest way to look at it."""
    username, password = _credentials(camera) if camera else (None, None)
    stream = probe(source, clock=SystemClock(), username=username, password=password, seconds=seconds)
    offer = Offer("the stream", stream)
    advice = advise([offer])
    if as_json:
        typer.echo(json.dumps({"stream": asdict(stream), "advice": _as_json(advice)}, indent=1))
        return
    _print_streams([offer])
    _print_advice(advice)


@camera_app.command("add")
def add(
    address: Annotated[
        str,
        typer.Argument(
            help="A device: host, host:port or URL; or an rtsp:// or http:// address of pictures."
        ),
    ],
    config: ConfigOption = None,
    camera: Annotated[str, typer.Option("--id", help="The camera's id. Default: its host.")] = "",
    name: Annotated[str, typer.Option(help="The name that is shown.")] = "",
    place: Annotated[str, typer.Option(help="The id of the [[place]] that it looks at.")] = "",
    seconds: Seconds = PROBE_S,
    allow_host: Annotated[
        list[str] | None, typer.Option(help="Another host to which the device's addresses may lead.")
    ] = None,
    any_certificate: Annotated[
        bool,
        typer.Option("--any-certificate", help="Over https, take a certificate of its own."),
    ] = False,
    lat: Annotated[float | None, typer.Option(help="Latitude (WGS 84); south is negative.")] = None,
    lon: Annotated[float | None, typer.Option(help="Longitude (WGS 84); west is negative.")] = None,
    height_m: Annotated[float | None, typer.Option(help="Height of the lens over ground.")] = None,
    heading_deg: Annotated[float | None, typer.Option(help="Where it looks: 0 is north, 90 east.")] = None,
    tilt_deg: Annotated[float | None, typer.Option(help="Down from the horizon; negative is up.")] = None,
    roll_deg: Annotated[float | None, typer.Option(help="Turned clockwise, seen from behind.")] = None,
    fov_deg: Annotated[float | None, typer.Option(help="Horizontal field of view.")] = None,
    lens: Annotated[LensModel | None, typer.Option(help="How it draws; most are pinhole.")] = None,
    k1: Annotated[float | None, typer.Option(help="Radial distortion of a pinhole lens.")] = None,
    k2: Annotated[float | None, typer.Option(help="The same, of the fourth power.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the section; write nothing.")] = False,
) -> None:
    """Ask a camera over ONVIF, measure its streams, and write a [[camera]] section for the best one."""
    camera = camera or _host(address)
    section: dict[str, object] = {"id": camera, "source": "rtsp://host/"}
    wanted = {
        "name": name, "place": place, "lat": lat, "lon": lon,
        "height_m": height_m, "heading_deg": heading_deg, "tilt_deg": tilt_deg, "roll_deg": roll_deg,
        "fov_deg": fov_deg, "lens": None if lens is None else lens.value, "k1": k1, "k2": k2,
    }  # fmt: skip
    section |= {key: value for key, value in wanted.items() if value not in (None, "")}
    path = config or Path("tocsin.toml")
    before = None if dry_run and not path.exists() else _text(path)
    # Whatever is wrong with the id or the file is told before the camera is watched for so long.
    _fitted(before, section, path)
    username, password = _credentials(camera)
    from tocsin.sources.survey import survey  # the SOAP library takes a second to load

    try:
        found = asyncio.run(
            survey(
                address, clock=SystemClock(), username=username, password=password, seconds=seconds,
                hosts=allow_host or (), check_tls=not any_certificate,
            )
        )  # fmt: skip
    except SourceAuthError as error:
        variables = " and ".join(camera_variables(camera))
        raise SourceAuthError(error.what, where=error.where, hint=f"set {variables}; {error.hint}") from None
    device = found.described
    if device is not None:
        err.print(escape(f"{device.maker} {device.model}, firmware {device.firmware}"), highlight=False)
        if device.skew_s is not None and abs(device.skew_s) > 5:
            err.print(f"Its clock is {device.skew_s:+.0f} s off: set it, by NTP.", highlight=False)
    _print_streams(found.offers)
    for failed in found.failed:
        err.print(escape(f"Not measured: {failed}"), highlight=False, soft_wrap=True)
    _print_advice(found.advice)
    section["source"] = found.source
    section |= trust_of(found.source, any_certificate=any_certificate)
    after = _fitted(before, section, path)
    if dry_run:
        typer.echo(section_of(section), nl=False)
        return
    assert before is not None
    write_over(path, before, after)
    out.print(
        escape(f"Camera {camera} is in {path}. Its watcher takes it up by itself."),
        highlight=False,
        soft_wrap=True,
    )
    if username is not None or password is not None:
        out.print(
            "Restart that watcher with the same variables:",
            *camera_variables(camera),
            highlight=False,
            soft_wrap=True,
        )


def _best(found: Found) -> str:
    return found.xaddrs[0] if found.xaddrs else found.sender


def _host(address: str) -> str:
    try:
        host = urlsplit(address if "://" in address else f"//{address}").hostname or ""
    except ValueError:
        host = ""
    return host.replace(":", "-").strip("-") or "camera"


def _credentials(camera: str) -> tuple[str | None, str | None]:
    username, password = camera_credentials(camera)
    return username, None if password is None else password.get_secret_value()


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise ConfigError(
            "there is no such file", where=str(path), hint="docs/how-to/first-site.md has one to start from"
        ) from None
    except UnicodeDecodeError:
        raise ConfigError("it is not UTF-8", where=str(path)) from None


def _fitted(before: str | None, section: dict[str, object], path: Path) -> str:
    """The file's text with the section in it, checked as a whole."""
    if before is None:
        from_values({"camera": [section]}, "the new camera")
        return ""
    return with_camera(before, section, str(path))


def _print_streams(offers: list[Offer] | tuple[Offer, ...]) -> None:
    table = Table(
        "Stream", "Codec", "Size", "Frames/s", "Key frame every", "kbit/s", "B-frames", "Decoding: key, other"
    )
    for offer in offers:
        table.add_row(escape(offer.name), *map(escape, _cells(offer.stream)))
    out.print(table)


def _cells(stream: Stream) -> Iterator[str]:
    yield f"{stream.codec} {stream.profile}".strip()
    yield f"{stream.width_px}x{stream.height_px}"
    yield f"{stream.frames_per_s:.1f}"
    if stream.key_gap_median_s is None or stream.key_gap_max_s is None:
        yield f"not twice in {stream.watched_s:.0f} s"
    else:
        yield f"{stream.key_gap_median_s:.2f} s, at most {stream.key_gap_max_s:.2f} s"
    yield f"{stream.kbit_per_s:.0f}"
    yield "yes" if stream.b_frames else "no"
    yield f"{_ms(stream.key_cpu_ms)}, {_ms(stream.frame_cpu_ms)}"


def _ms(value: float | None) -> str:
    return "?" if value is None else f"{value:.1f} ms"


def _print_advice(advice: SamplingAdvice) -> None:
    def line(text: str) -> None:
        out.print(escape(text), highlight=False, soft_wrap=True)

    line(f"Advice: {_choice(advice.choice)}: {advice.why}.")
    for other in advice.others:
        line(f"  instead of {_choice(other)}")
    if advice.settings:
        line("On the camera:")
    for setting in advice.settings:
        saves = "" if not setting.saves_ms_per_s else f" Saves {setting.saves_ms_per_s:.0f} ms CPU a second."
        line(f"  {setting.text}{saves}")


def _choice(choice: Choice) -> str:
    cost = "" if choice.cost_ms_per_s is None else f", {choice.cost_ms_per_s:.1f} ms CPU a second"
    return f"{choice.way.value} of {choice.offer.name}{cost}"


def _as_json(advice: SamplingAdvice) -> dict[str, object]:
    return {
        "way": advice.choice.way.value,
        "stream": advice.choice.offer.name,
        "cost_ms_per_s": advice.choice.cost_ms_per_s,
        "why": advice.why,
        "settings": [asdict(setting) for setting in advice.settings],
    }
