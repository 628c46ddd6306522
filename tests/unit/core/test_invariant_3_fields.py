"""Invariant 3 in the shape of the values: no field exists for a described person."""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import fields, is_dataclass

import pytest

import tocsin.core
from tocsin.core.alarm import Condition
from tocsin.core.dispatch import Page
from tocsin.core.observation import Edge, FrameInfo, Observation, Region
from tocsin.core.persistence import Look
from tocsin.core.roster import Responder


def _dataclasses() -> list[type]:
    found: list[type] = []
    for module in pkgutil.iter_modules(tocsin.core.__path__, "tocsin.core."):
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, type) and is_dataclass(value) and value.__module__ == module.name:
                found.append(value)
    return found


CLASSES = _dataclasses()

# Parts of a field's name that would describe somebody.
DESCRIBES = """
    account age appearance arm arms badge beard behavior behaviour belief bio biometric biometrics
    birth birthday body child clothes clothing color colour complexion conduct crowd demeanour descr
    description disability dress driver emotion employee ethnicity expression eye eyes face faces
    family female fingerprint gait gender glasses hair hat height human humans identity individual
    individuals intent jacket joint joints keypoints labels language licence license limbs male man
    mask men mood movement name names nationality occupants party passenger people person persons
    phone photo physique plate plates pose posture race reid religion sex shirt skeleton skin subject
    subjects suspect tattoo threat track tracks trajectory uniform vehicle victim visitor voice walk
    wearing who woman women
"""

# A field whose name has such a part, and yet is about a thing or about the staff's own account.
ALLOWED = {
    ("Answerer", "name"): "staff account: who has acknowledged",
    ("CameraHealth", "name"): "the camera's",
    ("Candidate", "name"): "staff account: who may be called",
    ("Allowance", "name"): "the channel's",
    ("Circuit", "name"): "the server's",
    ("Cause", "name"): "the cause's: low sun, steam, a web on the lens",
    ("EscalationStep", "people"): "how many responders are to be assigned",
    ("EscalationStep", "who"): "a class of responders: qualified, on duty, everyone",
    ("FrameInfo", "height_px"): "the picture's",
    ("Gauge", "name"): "the gauge's, for whoever drew it",
    ("Hazard", "family"): "a family of hazards",
    ("Hazard", "name"): "the hazard's",
    ("HazardOverride", "name"): "the hazard's",
    ("Landmark", "name"): "the landmark's: a mast, a chimney",
    ("Landmark", "height_m"): "the landmark's",
    ("Layout", "names"): "the places'",
    ("Mount", "height_m"): "the camera's over the ground",
    ("Need", "people"): "how many responders an alarm calls",
    ("Offer", "name"): "the stream's at its camera: main, sub",
    ("Page", "responder_name"): "staff account: who is called",
    ("Responder", "account"): "staff account: the user name under which they sign in",
    ("Responder", "name"): "staff account: who is called",
    ("Sightline", "height_m"): "the camera's over the ground",
    ("Stream", "height_px"): "the picture's",
    ("Watcher", "name"): "the machine's",
}


def _describing(names: list[str]) -> list[str]:
    parts = set(DESCRIBES.split())
    return [name for name in names if parts.intersection(name.split("_"))]


def test_invariant_3_the_search_finds_the_core() -> None:
    assert {Observation, Edge, Condition, Page, Responder, Look} <= set(CLASSES)
    assert len(CLASSES) >= 25


@pytest.mark.parametrize("kind", CLASSES, ids=[kind.__name__ for kind in CLASSES])
def test_invariant_3_no_field_describes_a_person(kind: type) -> None:
    names = [field.name for field in fields(kind)]
    foreign = [name for name in _describing(names) if (kind.__name__, name) not in ALLOWED]
    assert not foreign, f"{kind.__name__} has {foreign}: if it is about a thing, say so in ALLOWED"


def test_every_exception_is_still_needed() -> None:
    """A known core in which a field was renamed or dropped must not keep a door open for it."""
    known = {kind.__name__: [field.name for field in fields(kind)] for kind in CLASSES}
    stale = [(kind, name) for kind, name in ALLOWED if kind in known and name not in known[kind]]
    assert not stale
    assert not [(kind, name) for kind, name in ALLOWED if not _describing([name])]


@pytest.mark.parametrize(
    "name",
    [
        "person", "person_count", "face", "face_box", "gender", "age", "age_s", "ethnicity", "clothing",
        "clothing_colour", "plate", "license_plate", "hair", "height", "skin", "gait", "subject_name",
        "track", "people", "who", "description",
    ],
)  # fmt: skip
def test_invariant_3_the_list_would_catch(name: str) -> None:
    assert _describing([name]) == [name]


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        (Region, "x0 y0 x1 y1"),
        (FrameInfo, "camera at clock_s index width_px height_px keyframe skipped"),
        (Observation, "hazard confidence region"),
        (Look, "clock_s at confidence region sighted"),
        (
            Edge,
            "id kind hazard source_kind source place captured_at since confidence hits frames "
            "region status reason steady",
        ),
        # `line` is the way from the camera to the hazard: a bearing, not what is there.
        (Condition, "source_kind source place hazard edge_id since seen_at confidence cleared_at line"),
    ],
)
def test_invariant_3_what_is_kept_of_a_sight_is_exactly_this(kind: type, wanted: str) -> None:
    """A new field here is a decision: which thing does it describe?"""
    assert [field.name for field in fields(kind)] == wanted.split()
