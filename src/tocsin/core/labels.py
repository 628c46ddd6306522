"""What a model's class names may mean: closed lists, so that no configuration makes an alarm of a person.

A class counts only if its name is on a list below. Some names mean their hazard by themselves; others
only where the site says so. A name on neither list refuses the whole model: it would look for something
that is no hazard (invariant 3), and mapping "person" to "smoke" would hide that, not change it.
"""

from __future__ import annotations

import ast
import difflib
import re
import unicodedata
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, cast

from tocsin.core.errors import ForeignLabelError, ModelLabelsError
from tocsin.core.hazards import HazardCode


def _lists(**names: str) -> Mapping[str, frozenset[str]]:
    return MappingProxyType(
        {code.replace("_", "-"): frozenset(text.split(", ")) for code, text in names.items()}
    )


WELL_KNOWN: Final = _lists(
    flame="flame, flames, open flame, fire, fires, visible fire, blaze",
    smoke="smoke, smoke plume, fire smoke, visible smoke",
    overheating="overheating",
    water="water, flood, flooding, flood water, floodwater, standing water, rising water",
    egress="egress, blocked exit, blocked emergency exit, blocked fire exit, exit blocked",
    weather="weather, severe weather",
    camera_covered="camera covered",
    camera_blurred="camera blurred",
    camera_moved="camera moved",
    camera_frozen="camera frozen",
    camera_dark="camera dark",
    camera_bright="camera bright",
)
"""Names that mean a hazard by themselves, as `same_name` writes them. Every hazard's own code is there."""

IF_SAID: Final = _lists(
    flame="burning, burn, wildfire, wild fire, forest fire, bush fire, bushfire, house fire, building fire,"
    " electrical fire, fire outbreak, ignition, ember, embers, spark, sparks, feu, flamme, flammes, incendie,"
    " feuer, flammen, brand, fuego, incendio, fogo, fuoco, fiamma, vuur, ogień, пожар, огонь, 火, 火焰, 明火",
    smoke="smog, haze, plume, fume, fumes, vapour, vapor, steam, white smoke, grey smoke, gray smoke,"
    " black smoke, light smoke, dense smoke, wildfire smoke, fumée, fumee, rauch, humo, fumaça, fumaca, fumo,"
    " rook, dym, дым, 烟, 烟雾",
    overheating="overheat, hot spot, hotspot, steam, steam leak, steam release, vapour, vapor",
    water="flooded, flooded area, flooded road, inundation, water leak, leak, leakage, puddle, spill,"
    " waterlogging, water logging, inondation, überschwemmung, hochwasser, inundación, inundação",
    egress="blocked, obstruction, obstructed exit, blocked route, blocked door, blocked path",
    weather="storm, thunderstorm, lightning, hail, tornado, funnel cloud, heavy rain, heavy snow",
    camera_covered="covered, occluded, occlusion, lens covered, dirty lens, obstructed lens",
    camera_blurred="blur, blurred, blurry, out of focus, defocus",
    camera_moved="moved, camera shift",
    camera_frozen="frozen, freeze",
    camera_dark="dark, too dark, underexposed",
    camera_bright="bright, too bright, glare, overexposed",
)
"""Names that may be said to mean that hazard: they are about things, but not surely about that one."""

_NOTHING = """
    background, nothing, none, normal, neutral, clear, negative, no fire, nofire, non fire, not fire,
    no flame, no smoke, nosmoke, non smoke, no fire no smoke, no hazard
"""
NOTHING: Final = frozenset(" ".join(_NOTHING.split()).split(", "))
"""A classifier's name for a picture without a hazard: an empty answer, and nothing that is looked for."""

NAME_KEYS: Final = ("names", "classes", "class_names", "labels", "id2label")
"""Where exporters keep class names in a model's metadata; ultralytics writes a Python dict to "names"."""
MAX_NAMES_TEXT: Final = 100_000
"""Characters. 1,203 classes of LVIS are 25,000; what is longer is no list of names."""
MAX_NAME: Final = 100


def same_name(name: str) -> str:
    """The name as the lists have it: small letters, and one space for all that is no letter or digit."""
    return re.sub(r"[\W_]+", " ", unicodedata.normalize("NFKC", name).casefold()).strip()


def names_of(metadata: Mapping[str, str], *, where: str) -> tuple[str, ...] | None:
    """The class names that a model carries, by class number; None where it carries none.

    Raises ModelLabelsError for names that cannot be read, have gaps, or are there twice and differ:
    taking one of them would be a choice of what to hide.
    """
    found = {key: _read(metadata[key], f"{where}, metadata {key!r}") for key in NAME_KEYS if key in metadata}
    if len(set(found.values())) > 1:
        raise ModelLabelsError(
            f"its metadata has different class names under {' and '.join(map(repr, found))}",
            where=where,
            hint="export it again with one list of names",
        )
    return next(iter(found.values()), None)


def _read(text: str, where: str) -> tuple[str, ...]:
    unreadable = ModelLabelsError(
        "these class names cannot be read",
        where=where,
        hint="a Python dict or list of names, as ultralytics exports it: {0: 'fire', 1: 'smoke'}",
    )
    if len(text) > MAX_NAMES_TEXT:
        raise unreadable
    try:
        # literal_eval runs nothing. What is nested too deep for it ends in one of these.
        names: object = ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        raise unreadable from None
    if isinstance(names, dict):
        numbered: dict[int, object] = {}
        for key, name in cast("dict[object, object]", names).items():
            number = int(key) if isinstance(key, str) and key.isascii() and key.isdigit() else key
            if not isinstance(number, int) or isinstance(number, bool) or number in numbered:
                raise unreadable
            numbered[number] = name
        if sorted(numbered) != list(range(len(numbered))):
            raise unreadable
        names = [numbered[number] for number in range(len(numbered))]
    if not isinstance(names, list | tuple) or not names:
        raise unreadable
    listed = cast("Sequence[object]", names)
    if not all(isinstance(name, str) and name.strip() and len(name) <= MAX_NAME for name in listed):
        raise unreadable
    return tuple(str(name) for name in listed)


def hazards_named(
    names: Sequence[str], said: Mapping[str, str], *, where: str, may_be_nothing: bool = False
) -> tuple[HazardCode | None, ...]:
    """The hazard of each class, in order; None for a classifier's "nothing".

    `said` is what the site says of names: class name to hazard code. Raises ForeignLabelError for the
    model as a whole, naming every class that is no hazard, and for a saying that the lists do not allow.
    """
    own = {same_name(name): code for name, code in said.items()}
    for name, code in said.items():
        if same_name(name) not in map(same_name, names):
            near = difflib.get_close_matches(name, names, n=1)
            raise ForeignLabelError(
                f"labels speaks of {name!r}, which is no class of the model",
                where=where,
                hint=f"did you mean {near[0]!r}?" if near else f"its classes are {_shown(names)}",
            )
        if not _may_mean(same_name(name), code):
            raise ForeignLabelError(
                f"labels says that {name!r} means {code!r}, and that cannot be said",
                where=where,
                hint="only names of that hazard itself: see the list in docs/reference/plug-in-labels.md",
            )
    found: list[HazardCode | None] = []
    foreign: list[str] = []
    for name in names:
        plain = same_name(name)
        code = own.get(plain) or _by_itself(plain)
        if code is not None:
            found.append(HazardCode(code))
        elif may_be_nothing and plain in NOTHING:
            found.append(None)
        else:
            foreign.append(name)
    if foreign:
        raise ForeignLabelError(
            f"its classes {_shown(foreign)} are not hazards that a model may report",
            where=where,
            hint=_hint(foreign),
        )
    if not any(found):
        raise ForeignLabelError(
            "none of its classes is a hazard", where=where, hint="`tocsin hazards` lists them"
        )
    return tuple(found)


def _by_itself(plain: str) -> str | None:
    return next((code for code, names in WELL_KNOWN.items() if plain in names), None)


def _may_mean(plain: str, code: str) -> bool:
    return plain in WELL_KNOWN.get(code, ()) or plain in IF_SAID.get(code, ())


def _hint(foreign: Sequence[str]) -> str:
    could = [
        f'"{name}" = "{code}"'
        for name in foreign
        for code, names in IF_SAID.items()
        if same_name(name) in names
    ]
    if len({same_name(name) for name in foreign} - frozenset().union(*IF_SAID.values())) == 0:
        return f"say what they mean, if it is so: labels = {{ {', '.join(could)} }}"
    return "Tocsin watches things, not people: use a model that was trained on hazards only"


def _shown(names: Sequence[str], most: int = 8) -> str:
    """Names from a model for an error: escaped, and not all of a thousand."""
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(repr(name) for name in names[:most]) + rest
