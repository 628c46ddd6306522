"""Invariant 4 in the source: pictures are encoded behind one door, and nothing behind it touches pixels."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "tocsin"
FILES = sorted(SOURCE.rglob("*.py"))
DOOR = "redact.py"
DRAWS = "scenes.py"
"""Writes the films of the demonstration and the tests, which it has drawn itself."""

# Calls that turn pixels into bytes or files, by the name that is called.
_ENCODERS = """
    imencode imencodemulti imwrite imwritemulti imsave VideoWriter FileStorage to_image save tofile savez
    savez_compressed savetxt memmap tobytes to_bytes encode_jpeg write_jpeg
"""
ENCODERS = frozenset(_ENCODERS.split())
# Names that are harmless where there are no pixels: a codec's dump, a text's encode.
ENCODERS_OF_PIXELS = ENCODERS | {"dump", "dumps", "encode", "mux"}
PIXELS = frozenset({"cv2", "av", "numpy", "PIL", "imageio", "skimage", "torch", "onnxruntime"})
NO_PIXELS = ("web", "flows", "stores", "channels", "exchange", "core", "telling")


def _name(path: Path) -> str:
    return path.relative_to(SOURCE).as_posix()


def _called(node: ast.Call) -> str:
    if isinstance(node.func, ast.Attribute):
        return node.func.attr
    return node.func.id if isinstance(node.func, ast.Name) else ""


def encodings(text: str) -> list[str]:
    """Calls that could turn a picture into bytes or a file ("3: imwrite")."""
    names = ENCODERS_OF_PIXELS if imported(text) & PIXELS else ENCODERS
    return [
        f"{node.lineno}: {_called(node)}"
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call) and _called(node) in names
    ]


def imported(text: str) -> set[str]:
    """The top-level packages that a file imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


def test_invariant_4_the_search_looks_at_the_whole_source() -> None:
    names = {_name(path) for path in FILES}
    assert {DOOR, DRAWS, "watch/strip.py", "flows/evidence.py", "stores/pictures.py"} <= names


@pytest.mark.parametrize("path", [p for p in FILES if _name(p) not in (DOOR, DRAWS)], ids=_name)
def test_invariant_4_pictures_are_encoded_behind_one_door(path: Path) -> None:
    assert encodings(path.read_text(encoding="utf-8")) == []


def test_invariant_4_the_door_encodes_in_one_place() -> None:
    found = encodings((SOURCE / DOOR).read_text(encoding="utf-8"))
    assert [call.partition(": ")[2] for call in found] == ["imencode", "tobytes"]


@pytest.mark.parametrize("path", [p for p in FILES if _name(p).startswith(NO_PIXELS)], ids=_name)
def test_invariant_4_who_stores_shows_or_sends_has_no_means_to_make_pictures(path: Path) -> None:
    assert imported(path.read_text(encoding="utf-8")) & PIXELS == set()


@pytest.mark.parametrize("path", [p for p in FILES if _name(p) != DOOR], ids=_name)
def test_invariant_4_only_the_door_makes_a_redacted_picture(path: Path) -> None:
    """Neither by its name, nor by copying one with other bytes, nor around its constructor."""
    text = path.read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call):
            assert _called(node) != "RedactedPicture", f"{_name(path)}:{node.lineno}"
            assert _called(node) not in ("__setattr__", "__new__"), f"{_name(path)}:{node.lineno}"
        if isinstance(node, ast.Attribute):
            assert node.attr not in ("_KEY", "imencode", "imwrite"), f"{_name(path)}:{node.lineno}"
        if isinstance(node, ast.ImportFrom) and node.module == "tocsin.redact":
            assert not [alias.name for alias in node.names if alias.name.startswith("_")]


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("import cv2\ncv2.imwrite('x.png', frame)", ["2: imwrite"]),
        ("from cv2 import imencode as e\ne('.jpg', x)\nimencode('.jpg', x)", ["3: imencode"]),
        ("picture.tofile(path)", ["1: tofile"]),
        ("import numpy as np\nnp.save(path, picture)", ["2: save"]),
        ("Image.fromarray(x).save(path)", ["1: save"]),
        ("path.write_bytes(picture.tobytes())", ["1: tobytes"]),
        ("import numpy\npicture.dump(path)", ["2: dump"]),
        ("import av\nstream.encode(frame)", ["2: encode"]),
        ("path.write_bytes(redacted.jpeg)", []),
        ("codec.dump(edge).encode()", []),
    ],
)
def test_invariant_4_the_search_finds_what_it_should(code: str, found: list[str]) -> None:
    assert encodings(code) == found


def test_invariant_4_core_dumps_are_off_before_any_command_runs() -> None:
    tree = ast.parse((SOURCE / "cli.py").read_text(encoding="utf-8"))
    (main,) = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "main"]
    calls = [_called(node) for node in ast.walk(main) if isinstance(node, ast.Call)]
    assert calls.index("no_core_dumps") < calls.index("app")
    supervisor = (SOURCE / "watch" / "supervisor.py").read_text(encoding="utf-8")
    assert "        no_core_dumps()\n" in supervisor, (
        "also for who runs a supervisor without the command line"
    )
