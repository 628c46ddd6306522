"""The manual says what the product does: commands, keys, codes, tables and links are compared with it."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import json
import pkgutil
import re
import shlex
import tomllib
import types
import typing
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import typer.main
from pydantic import BaseModel
from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings

import tocsin
from tocsin.channels.webhook import signature, signing_key
from tocsin.cli import app
from tocsin.config import Config, HazardSection, Secrets, from_values
from tocsin.core.errors import TocsinError
from tocsin.core.gauge import Gauge, Point
from tocsin.core.hazards import Catalogue, HazardCode
from tocsin.core.observation import CameraId, Edge
from tocsin.core.sight import Heartbeat, Looking, Sight
from tocsin.detectors.fire import FireDetector
from tocsin.detectors.picture import PictureDetector
from tocsin.detectors.waterline import WaterlineDetector
from tocsin.flows.maintenance import REASONS
from tocsin.flows.operate import OUTCOMES, SHELVE_REASONS
from tocsin.watch.figures import CameraReport, LookFigures, Spent, WatcherReport
from tocsin.watch.load import Load
from tocsin.watch.metrics import WatcherCollector
from tocsin.web.metrics import CentreCollector, CentreReport
from tocsin.wire import Codec, edge_codec, heartbeat_codec
from tocsin.wire_onboarding import Figures, Measure, Measured, read_job, read_result

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
SOURCE = ROOT / "src" / "tocsin"
REFERENCE = DOCS / "reference"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


every_page = pytest.mark.parametrize("page", PAGES, ids=_name)


def _blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def _without_blocks(text: str) -> str:
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def _rows(text: str) -> Iterator[list[str]]:
    """The cells of each table row."""
    for line in text.splitlines():
        if line.startswith("|"):
            yield [cell.strip() for cell in line.strip("|").split("|")]


# --- commands -----------------------------------------------------------------------------------------


def _commands() -> dict[str, Any]:
    """Every command by its words: "serve", "user add"..., and "" for tocsin itself."""
    found: dict[str, Any] = {}

    def walk(words: str, command: Any) -> None:
        found[words] = command
        for name, inner in getattr(command, "commands", {}).items():
            walk(f"{words} {name}".strip(), inner)

    walk("", typer.main.get_command(app))
    return found


COMMANDS = _commands()


def _options(command: Any) -> set[str]:
    options = [one for one in command.params if one.param_type_name == "option"]
    return {name for option in options for name in option.opts} | {"--help"}


def _uses(text: str) -> Iterator[str]:
    """What follows each `tocsin` that is a command: in code spans that begin with it, and in shell blocks."""
    plain = text
    for block in re.findall(r"^```.*?^```$", text, re.MULTILINE | re.DOTALL):
        plain = plain.replace(block, "")
        if not block.startswith(("```sh", "```ini")):
            continue
        for line in block.splitlines():
            found = re.match(r"(?:ExecStart=)?(?:\S*/)?tocsin((?: +[^#]*)?)(?:#.*)?$", line.strip())
            if found:
                yield found[1]
    for span in re.findall(r"`(tocsin(?: [^`]*)?)`", plain.replace("\n", " ")):
        yield span.removeprefix("tocsin")


def _check_use(use: str) -> None:
    words = shlex.split(use.replace("...", " "))
    name = ""
    while words and getattr(COMMANDS[name], "commands", None) and not words[0].startswith("-"):
        name = f"{name} {words.pop(0)}".strip()
        assert name in COMMANDS, f"there is no command tocsin {name}"
    for word in words:
        if word.startswith("-"):
            assert word.partition("=")[0] in _options(COMMANDS[name]), f"tocsin {name} has no option {word}"


@every_page
def test_every_command_in_the_docs_exists(page: Path) -> None:
    for use in _uses(page.read_text(encoding="utf-8")):
        _check_use(use)


def test_a_wrong_command_or_option_would_be_found() -> None:
    page = "`tocsin serv` and `tocsin user add --nope`\n```sh\nsudo x\n  tocsin watch --log\n```\n"
    uses = list(_uses(page))
    assert len(uses) == 3
    for use in uses:
        with pytest.raises(AssertionError):
            _check_use(use)


def test_every_command_and_option_is_in_the_reference() -> None:
    text = (REFERENCE / "command-line.md").read_text(encoding="utf-8")
    sections = re.split(r"^## ", text, flags=re.MULTILINE)
    for name, command in COMMANDS.items():
        if not name:
            for option in _options(command):
                assert f"`{option}`" in text or f"tocsin {option}" in text, option
            continue
        mine = [s for s in sections if re.search(rf"`tocsin {name}[ `]", s)]
        assert mine, f"tocsin {name} is not in the reference"
        for option in _options(command) - {"--help"}:
            assert any(f"`{option}`" in section for section in mine), f"tocsin {name} {option}"


def test_no_option_in_the_reference_is_gone() -> None:
    text = (REFERENCE / "command-line.md").read_text(encoding="utf-8")
    known = set[str]().union(*(_options(command) for command in COMMANDS.values()))
    assert set(re.findall(r"`(--?[a-z][a-z-]*)`", text)) <= known


# --- configuration ------------------------------------------------------------------------------------


@every_page
def test_every_toml_block_loads(page: Path) -> None:
    for number, block in enumerate(_blocks(page.read_text(encoding="utf-8"), "toml"), start=1):
        from_values(tomllib.loads(block), f"{_name(page)}, block {number}")


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if typing.get_origin(annotation) in (tuple, dict, types.UnionType, typing.Union):
        return next((m for m in map(_model_in, typing.get_args(annotation)) if m is not None), None)
    return None


def _sections(model: type[BaseModel], path: str = "") -> Iterator[tuple[str, type[BaseModel]]]:
    """Each section that has keys of its own, by its path: site, channel.email, responder.shifts..."""
    for name, field in model.model_fields.items():
        inner = _model_in(field.annotation)
        if inner is not None:
            where = f"{path}.{name}".strip(".")
            if any(_model_in(f.annotation) is None for f in inner.model_fields.values()):
                yield where, inner
            yield from _sections(inner, where)


SECTIONS = dict(_sections(Config))

HEADINGS = {
    "hazard": "## `[hazard.CODE]`",
    "cause": "## `[cause.CODE]`",
    "responder.contacts": "### `contacts`",
    "responder.shifts": "### `shifts`",
    "rotation.hours": "### `shifts`",
    "plan.match": "### `match`",
    "plan.steps": "## `[[escalation.alarm]]`, `[[escalation.trouble]]`",
    "travel.time": "## `[[travel.time]]`",
    "escalation.alarm": "## `[[escalation.alarm]]`, `[[escalation.trouble]]`",
    "escalation.trouble": "## `[[escalation.alarm]]`, `[[escalation.trouble]]`",
}


def _heading(path: str) -> str:
    single = path in ("site", "centre", "watcher", "travel", "keep", "deadman", "drill") or path.startswith("channel.")
    return HEADINGS.get(path) or (f"## `[{path}]`" if single else f"## `[[{path}]]`")


def _documented(path: str) -> dict[str, list[str]]:
    """The rows under the section's heading, by key."""
    text = (REFERENCE / "configuration.md").read_text(encoding="utf-8")
    assert f"{_heading(path)}\n" in text, f"[{path}] has no heading"
    part = re.split(r"^#", text.split(f"{_heading(path)}\n")[1], maxsplit=1, flags=re.MULTILINE)[0]
    return {row[0].strip("`"): row for row in _rows(part) if row[0].startswith("`")}


@pytest.mark.parametrize("path", SECTIONS)
def test_every_key_of_the_configuration_is_documented_and_no_other(path: str) -> None:
    assert set(_documented(path)) == set(SECTIONS[path].model_fields)


@pytest.mark.parametrize("path", SECTIONS)
def test_every_documented_default_is_the_real_one(path: str) -> None:
    rows = _documented(path)
    for key, field in SECTIONS[path].model_fields.items():
        said = rows[key][2]
        if field.default is PydanticUndefined:
            assert said == "required", key
        elif SECTIONS[path] is HazardSection:
            assert field.default is None
            assert said == "the catalogue's", key
        elif field.default is None:
            assert said == "not known", key
        else:
            real = json.loads(json.dumps(field.default, default=str))  # tuples as lists, paths as text
            assert tomllib.loads(f"x = {said.strip('`')}")["x"] == real, key


def test_every_secret_is_documented() -> None:
    text = (REFERENCE / "configuration.md").read_text(encoding="utf-8")
    assert issubclass(Secrets, BaseSettings)
    for name in Secrets.model_fields:
        assert f"| `TOCSIN_{name.upper()}` |" in text


@every_page
def test_every_environment_variable_in_the_docs_is_read_by_the_code(page: Path) -> None:
    code = "\n".join(path.read_text(encoding="utf-8") for path in SOURCE.rglob("*.py"))
    secrets = {f"TOCSIN_{name.upper()}" for name in Secrets.model_fields}
    for name in set(re.findall(r"\bTOCSIN_[A-Z0-9_]*[A-Z0-9]\b", page.read_text(encoding="utf-8"))):
        known = name in secrets or re.fullmatch(
            r"TOCSIN_CAMERA(_[A-Z0-9_]+_(USERNAME|PASSWORD(_FILE)?))?|TOCSIN_APPRISE_[A-Z0-9_]+", name
        )
        assert known or f'"{name}"' in code, f"nothing reads {name}"


# --- error codes --------------------------------------------------------------------------------------


def _error_codes() -> set[str]:
    for module in pkgutil.walk_packages(tocsin.__path__, "tocsin."):
        if not module.name.endswith("__main__") and ".migrations" not in module.name:
            importlib.import_module(module.name)

    def tree(kind: type[TocsinError]) -> Iterator[type[TocsinError]]:
        yield kind
        for inner in kind.__subclasses__():
            yield from tree(inner)

    ours = {kind.code for kind in tree(TocsinError) if kind.__module__.startswith("tocsin.")}
    return ours | _constants("cli.py", "_complain", 0) | _constants("web/app.py", "_answer", 2)


def _constants(file: str, function: str, position: int) -> set[str]:
    """The texts that stand at that position in calls of the function."""
    found: set[str] = set()
    for node in ast.walk(ast.parse((SOURCE / file).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == function:
            argument = node.args[position] if position < len(node.args) else None
            if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                found.add(argument.value)
    return found


def _codes_under(heading: str) -> set[str]:
    text = (REFERENCE / "errors.md").read_text(encoding="utf-8")
    part = text.split(f"## {heading}\n")[1].split("\n## ")[0]
    return {row[0].strip("`") for row in _rows(part) if row[0].startswith("`")}


def test_the_error_codes_of_the_code_and_of_the_manual_are_the_same() -> None:
    assert _codes_under("Errors") == _error_codes()


def test_the_findings_of_the_doctor_and_of_the_manual_are_the_same() -> None:
    found = _constants("doctor.py", "Finding", 1)
    assert _codes_under("What the doctor finds") == {"config"} | (found - _error_codes())


# --- generated pages ----------------------------------------------------------------------------------


def _script(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, ROOT / "script" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_hazards_page_is_what_the_script_writes() -> None:
    text = (REFERENCE / "hazards.md").read_text(encoding="utf-8")
    script = _script("hazards_page")
    assert text == script.rewritten(text, script.tables(Catalogue())), "run script/hazards_page.py"


def test_the_states_page_is_what_the_script_writes() -> None:
    from tocsin.core.alarm import diagram

    text = (DOCS / "alarm-states.md").read_text(encoding="utf-8")
    assert text == _script("diagram").rewritten(text, diagram()), "run script/diagram.py"


@pytest.mark.parametrize("times", [0, 2])
def test_a_page_without_its_markers_is_refused(times: int) -> None:
    text = (REFERENCE / "hazards.md").read_text(encoding="utf-8")
    with pytest.raises(ValueError, match="needs"):
        _script("hazards_page").rewritten(text * times, "")


def test_the_hazards_page_names_what_the_detectors_look_for() -> None:
    text = (REFERENCE / "hazards.md").read_text(encoding="utf-8")
    gauge = Gauge(Point(0.5, 0.9), Point(0.5, 0.1), 0.05, 0.6)
    for detector in (FireDetector(), PictureDetector(), WaterlineDetector([gauge])):
        item = re.search(rf"- the `{detector.name}` detector[^:]*: (.*?);", text, re.DOTALL)
        assert item is not None, detector.name
        assert set(re.findall(r"`([a-z-]+)`", item[1])) == set(detector.labels)


# --- the interfaces -----------------------------------------------------------------------------------


def test_the_json_examples_of_the_watchers_api_can_be_read() -> None:
    blocks = _blocks((REFERENCE / "watcher-api.md").read_text(encoding="utf-8"), "json")
    edge = next(block for block in blocks if '"kind"' in block)
    beat = next(block for block in blocks if '"sight"' in block)
    codecs: list[tuple[Codec[Any], str, type[Any]]] = [
        (edge_codec, edge, Edge),
        (heartbeat_codec, beat, Heartbeat),
    ]
    for codec, block, kind in codecs:
        assert isinstance(codec.load(block), kind)
        for field in kind.__dataclass_fields__:
            assert f'"{field}"' in block, field


def test_the_json_examples_of_adding_a_camera_can_be_read() -> None:
    blocks = _blocks((REFERENCE / "watcher-api.md").read_text(encoding="utf-8"), "json")
    (job,) = [block for block in blocks if '"kind": "measure"' in block]
    (result,) = [block for block in blocks if '"kind": "measured"' in block]
    for kind, block, read in ((Measure, job, read_job), (Measured, result, read_result)):
        assert isinstance(read(block), kind)
        for field in kind.model_fields:
            assert f'"{field}"' in block, field
    for field in Figures.model_fields:
        assert f'"{field}"' in result, field


def test_the_outcomes_and_reasons_are_all_listed() -> None:
    text = (REFERENCE / "watcher-api.md").read_text(encoding="utf-8")
    for code in (*OUTCOMES, *SHELVE_REASONS, *REASONS):
        assert f"`{code}`" in text, code


def test_the_receiver_in_the_manual_takes_our_signature_and_no_other() -> None:
    from pydantic import SecretStr

    page = (DOCS / "how-to" / "receive-webhooks.md").read_text(encoding="utf-8")
    names: dict[str, Any] = {"__name__": "receiver"}
    exec(compile(_blocks(page, "python")[0], "receive-webhooks.md", "exec"), names)
    secret, body = "whsec_" + "QUJD" * 8, b'{"type": "page"}'
    signed = signature(signing_key(SecretStr(secret)), "p1", "1700000000", body)
    headers = {"webhook-id": "p1", "webhook-timestamp": "1700000000", "webhook-signature": signed}
    genuine = names["genuine"]
    assert genuine(secret, headers, body, 1_700_000_010.0)
    assert genuine(secret, headers | {"webhook-signature": f"v1,x {signed}"}, body, 1_700_000_010.0)
    assert not genuine(secret, headers, body + b" ", 1_700_000_010.0)
    assert not genuine(secret, headers | {"webhook-id": "p2"}, body, 1_700_000_010.0)
    assert not genuine(secret, headers, body, 1_700_000_000.0 + 301)
    assert not genuine("whsec_" + "QUJE" * 8, headers, body, 1_700_000_010.0)
    assert not genuine(secret, {}, body, 1_700_000_010.0)


# --- links and words ----------------------------------------------------------------------------------


def _anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as code hosts make them."""
    found: set[str] = set()
    for heading in re.findall(r"^#+ (.*)$", _without_blocks(text), re.MULTILINE):
        kept = re.sub(r"[^\w\- ]", "", heading.lower())
        found.add(kept.strip().replace(" ", "-"))
    return found


@every_page
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    text = _without_blocks(page.read_text(encoding="utf-8"))
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        there = (page.parent / file).resolve() if file else page
        assert there.exists(), f"{target} is not there"
        assert there.is_relative_to(ROOT), f"{target} leads out of the repository"
        if anchor:
            assert anchor in _anchors(there.read_text(encoding="utf-8")), f"{target}: no such heading"


def test_the_index_leads_to_every_page() -> None:
    text = (DOCS / "index.md").read_text(encoding="utf-8")
    linked = {(DOCS / target).resolve() for target in re.findall(r"\]\(([^)#\s]+)", text)}
    for page in DOCS.rglob("*.md"):
        there = page in linked or page.parent in linked or page.name == "index.md"
        assert there, f"{_name(page)} is not linked"


FORBIDDEN = re.compile(
    r"\b(?:agents?|sandbox\w*|LLM|chatbot)\b"
    r"|(?<![\w.])/(?:work|root|home|tmp|mnt)/|pypi\.org|registry\.npmjs|/simple\b",
    re.IGNORECASE,
)
SESSION = re.compile(r"\bsessions?\b", re.IGNORECASE)


@every_page
def test_no_page_speaks_of_the_place_where_it_was_written(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert FORBIDDEN.search(text) is None
    # Decisions may speak of the console's signed-in sessions; readers of the manual are "signed in".
    assert page.is_relative_to(DOCS / "decisions") or SESSION.search(text) is None


# --- metrics ------------------------------------------------------------------------------------------


def _metric_names() -> Iterator[tuple[str, str]]:
    """Every metric of ours with its type, from reports in which everything is there."""
    looks = LookFigures(
        1, 1.0, 1.0, Spent(1.0, 1.0, 1.0), Spent(1.0, 1.0, 1.0), 1, 1, 1, 1, 1, "bug", (("bug", 1),)
    )
    camera = CameraReport(CameraId("c"), Sight.SEEING, 5.0, looks, (HazardCode("camera-covered"),), 60.0)
    looking = Looking(1.0, 1.0, 1, 1, 1, 1, 1.0, 1.0, 1.0)
    report = WatcherReport("w", (camera,), looking, Load(2, 1.0, 1.0), 1, 1, 1, 0.5)
    now = datetime(2026, 3, 2, tzinfo=UTC)
    centre = CentreReport([], 1, 1.0, {("email", "sent"): 1}, [], [], 0, now, 20.0, {("email", "seen"): 1})
    for collector in (WatcherCollector(lambda: report), CentreCollector(lambda: centre)):
        for family in collector.collect():
            yield family.name + ("_total" if family.type == "counter" else ""), family.type


def test_every_metric_is_documented_with_its_type_and_no_other() -> None:
    text = (REFERENCE / "metrics.md").read_text(encoding="utf-8")
    said = {row[0].strip("`"): row[1].split(",")[0] for row in _rows(text) if row[0].startswith("`tocsin_")}
    assert said == dict(_metric_names())


def test_every_metric_in_the_manual_exists() -> None:
    known = dict(_metric_names()).keys()
    for page in PAGES:
        for name in re.findall(
            r"\btocsin_(?:camera|watcher|centre)_[a-z_]+", page.read_text(encoding="utf-8")
        ):
            assert name in known, f"{_name(page)}: {name}"
