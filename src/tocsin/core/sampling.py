"""How to look at a camera about once a second for the least work, and what to set on it for less.

The limits that the decoder keeps to (`sources/lens.py`) stand here, so that advice and deed agree.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from tocsin.core.errors import InvalidInputError

LONG_GAPS: Final = 2.2
"""Key frames further apart than this many patrol looks are too few to live on: then everything is
decoded on patrol too. Cameras send one every 1 to 2 s out of the box, some only every 4 to 20 s."""

MOST_GAP_S: Final = 5.0
"""The same as a time, for slow patrols: hits further apart than 10 s make nothing believed."""

LOOK_LONG_PX: Final = 640
"""Long side of the pictures that are looked at. Nothing needs more: detectors work at 320x240 or so, and
of the evidence at most 160 px are left."""

SNAPSHOT_MS_PER_MPX: Final = 7.0
"""CPU of decoding a JPEG, quality 85, OpenCV in one thread, median of 15, 2026-11-24, a shared core:
VGA 2.0 ms (6.4 per megapixel), 1080p 13 ms (6.2), 2160p 65 ms (7.9)."""

GOOD_GAP_S: Final = 1.25
"""Key frames up to this far apart are one look a second; between this and `longest_gap_s` looks are fewer."""

DENSE_GAP_S: Final = 0.7
"""Key frames closer than this are left out by turns; they only cost the network."""

STARE_FRAMES_PER_S: Final = 10.0
"""A stare looks ten times a second; frames beyond it are decoded and thrown away."""

UNSTEADY: Final = 1.6
"""The longest gap is so many times the usual one: the camera places key frames as it likes."""

ENOUGH_PX: Final = 1920 * 1088
"""1080p, with the rows that H.264 pads it by. Decoding costs by the pixel, and 640 px are looked at."""


def longest_gap_s(patrol_looks_per_s: float) -> float:
    """Seconds between key frames up to which a patrol lives on them alone."""
    return min(LONG_GAPS / patrol_looks_per_s, MOST_GAP_S)


class Way(StrEnum):
    """How a camera is looked at on patrol."""

    KEY_FRAMES = "key-frames"
    EVERY_FRAME = "every-frame"
    SNAPSHOTS = "snapshots"


@dataclass(frozen=True, slots=True)
class Stream:
    """What was measured of a stream. `None` is what could not be: no second key frame came, none decoded."""

    codec: str
    profile: str
    width_px: int
    height_px: int
    watched_s: float
    frames_per_s: float
    kbit_per_s: float
    key_gap_median_s: float | None
    key_gap_max_s: float | None
    keys_whole: bool
    """A key frame gives a whole picture by itself; not so where a camera refreshes line by line."""
    b_frames: bool
    stamp_faults: tuple[str, ...]
    key_cpu_ms: float | None
    frame_cpu_ms: float | None

    @property
    def long_px(self) -> int:
        return max(self.width_px, self.height_px)


@dataclass(frozen=True, slots=True)
class Offer:
    """One stream of a camera by its name there: main, sub, Profile_1..."""

    name: str
    stream: Stream


@dataclass(frozen=True, slots=True)
class Choice:
    """A way to look at one stream. `cost_ms_per_s` is CPU; None where it could not be measured."""

    way: Way
    offer: Offer
    cost_ms_per_s: float | None
    looks_per_s: float

    @property
    def sort_key(self) -> tuple[float, int]:
        """Cheapest first; of equals the one with more to see."""
        cost = math.inf if self.cost_ms_per_s is None else self.cost_ms_per_s
        return cost, -self.offer.stream.long_px


@dataclass(frozen=True, slots=True)
class Setting:
    """One thing to set on the camera, and the CPU that it would save on patrol, if it can be told."""

    code: str
    text: str
    saves_ms_per_s: float | None = None


@dataclass(frozen=True, slots=True)
class SamplingAdvice:
    """The choice, why, what lost, and what would be better."""

    choice: Choice
    why: str
    others: tuple[Choice, ...]
    settings: tuple[Setting, ...]


def advise(offers: Sequence[Offer], *, snapshot: bool = False, looks_per_s: float = 1.0) -> SamplingAdvice:
    """The cheapest way that keeps about `looks_per_s`, over all streams of one camera.

    `snapshot`: the camera gives single JPEGs, of the size of its largest stream. Streams smaller than what
    is looked at (640 px) are taken only if no other can be watched by its key frames.
    Raises InvalidInputError without any stream.
    """
    if not offers:
        raise InvalidInputError("there is no stream to choose from", hint="probe at least one")
    choices = [_choice(offer, looks_per_s) for offer in offers]
    largest = max(offers, key=lambda offer: offer.stream.width_px * offer.stream.height_px)
    if snapshot:
        cost = SNAPSHOT_MS_PER_MPX * largest.stream.width_px * largest.stream.height_px / 1e6
        choices.append(Choice(Way.SNAPSHOTS, largest, cost * looks_per_s, looks_per_s))
    enough_px = min(LOOK_LONG_PX, largest.stream.long_px)
    by_keys = [c for c in choices if c.way is Way.KEY_FRAMES and c.offer.stream.long_px >= enough_px]
    choice = min(by_keys or choices, key=lambda c: c.sort_key)
    others = tuple(sorted((c for c in choices if c is not choice), key=lambda c: c.sort_key))
    return SamplingAdvice(
        choice, _why(choice, others, looks_per_s, enough_px), others, _settings(choice, offers, looks_per_s)
    )


def lives_on_keys(stream: Stream, looks_per_s: float = 1.0) -> bool:
    """Whether a patrol may look at key frames alone, as `sources/lens.py` decides it."""
    gap_s = stream.key_gap_max_s
    return stream.keys_whole and gap_s is not None and gap_s <= longest_gap_s(looks_per_s)


def _choice(offer: Offer, looks_per_s: float) -> Choice:
    stream = offer.stream
    if stream.codec == "jpeg":
        looks = min(looks_per_s, stream.frames_per_s)
        cost = None if stream.key_cpu_ms is None else stream.key_cpu_ms * looks
        return Choice(Way.SNAPSHOTS, offer, cost, looks)
    if lives_on_keys(stream, looks_per_s) and stream.key_gap_median_s is not None:
        looks = min(looks_per_s, 1.0 / max(stream.key_gap_median_s, 1e-3))
        cost = None if stream.key_cpu_ms is None else stream.key_cpu_ms * looks
        return Choice(Way.KEY_FRAMES, offer, cost, looks)
    return Choice(Way.EVERY_FRAME, offer, _full_cost(stream), min(looks_per_s, stream.frames_per_s))


def _full_cost(stream: Stream) -> float | None:
    """CPU ms a second of decoding everything."""
    if stream.frame_cpu_ms is None:
        return None
    keys = 0.0
    if stream.key_cpu_ms is not None and stream.key_gap_median_s:
        keys = (stream.key_cpu_ms - stream.frame_cpu_ms) / stream.key_gap_median_s
    return max(0.0, stream.frames_per_s * stream.frame_cpu_ms + keys)


def _why(choice: Choice, others: Sequence[Choice], looks_per_s: float, enough_px: int) -> str:
    stream, name = choice.offer.stream, choice.offer.name
    match choice.way:
        case Way.KEY_FRAMES:
            text = (
                f"{name} has a key frame every {stream.key_gap_median_s:.3g} s: only these are decoded, "
                f"{_rate(choice.looks_per_s)}"
            )
            larger = [c for c in others if c.offer.stream.long_px > stream.long_px]
            if larger:
                text += f"; larger streams show no more, as pictures are looked at {LOOK_LONG_PX} px wide"
        case Way.EVERY_FRAME:
            text = f"{_no_keys(stream, name, looks_per_s)}, so everything in it must be decoded"
            if others:
                text += "; no other way is cheaper"
            if stream.long_px < enough_px:
                text += f". It is only {stream.width_px} px wide: what is small or far away is seen later"
        case Way.SNAPSHOTS if stream.codec == "jpeg":
            text = f"{name} gives single pictures, up to {_rate(stream.frames_per_s)}: each is asked for"
        case Way.SNAPSHOTS:
            text = (
                "no stream has usable key frames, and single pictures are cheaper than decoding everything; "
                "the camera cannot be looked at more closely then, so hazards are confirmed seconds later"
            )
    return text


def _rate(looks_per_s: float) -> str:
    if looks_per_s >= 1.0:
        return f"{looks_per_s:.2g} a second"
    return f"one every {1.0 / looks_per_s:.2g} s" if looks_per_s > 1e-3 else "hardly any"


def _no_keys(stream: Stream, name: str, looks_per_s: float) -> str:
    if not stream.keys_whole:
        return f"the key frames of {name} are no whole pictures"
    if stream.key_gap_max_s is None:
        return f"{name} had no second key frame within {stream.watched_s:.0f} s"
    limit = f"{longest_gap_s(looks_per_s):.2g} s"
    return f"{name} leaves up to {stream.key_gap_max_s:.3g} s between key frames (more than {limit})"


def _settings(choice: Choice, offers: Sequence[Offer], looks_per_s: float) -> tuple[Setting, ...]:
    """What to change on the camera: on the chosen stream, or the largest if that is not by key frames."""
    offer = choice.offer
    if choice.way is not Way.KEY_FRAMES:
        offer = max(offers, key=lambda one: one.stream.long_px)
    stream = offer.stream
    still = stream.codec in ("mjpeg", "jpeg")
    found: list[Setting] = []
    if not still:
        found += _gap_settings(stream, looks_per_s, choice.cost_ms_per_s)
    if stream.codec == "jpeg":
        found.append(
            Setting("codec", "If it has an rtsp:// address too, H.264 takes a tenth of the network.")
        )
    elif still:
        found.append(Setting("codec", "Set it to H.264: the same pictures take a tenth of the network."))
    elif stream.codec not in ("h264", "hevc"):
        found.append(Setting("codec", f"Set it to H.264; it sends {stream.codec}."))
    elif stream.codec == "hevc":
        found.append(Setting("codec", "H.264 costs less to decode than H.265, but more of the network."))
    if stream.width_px * stream.height_px > ENOUGH_PX:
        spared = 1.0 - ENOUGH_PX / (stream.width_px * stream.height_px)
        saves = None if choice.cost_ms_per_s is None else choice.cost_ms_per_s * spared
        found.append(
            Setting(
                "size",
                f"1080p is enough; it sends {stream.width_px}x{stream.height_px}, and {LOOK_LONG_PX} px are "
                "looked at.",
                saves if offer is choice.offer else None,
            )
        )
    if stream.frames_per_s > 1.25 * STARE_FRAMES_PER_S:
        found.append(
            Setting(
                "rate",
                f"{STARE_FRAMES_PER_S:.0f} frames a second are enough; it sends {stream.frames_per_s:.3g}. "
                "That makes close looks cheaper.",
            )
        )
    elif stream.frames_per_s < looks_per_s and stream.codec != "jpeg":
        found.append(Setting("rate", f"Set at least {math.ceil(looks_per_s)} frames a second."))
    if stream.b_frames:
        found.append(Setting("b-frames", "Turn B-frames off: with them pictures come later, and cost more."))
    if stream.stamp_faults:
        faults = ", ".join(stream.stamp_faults)
        found.append(
            Setting("stamps", f"Its time stamps are not to be trusted ({faults}): set its clock, update it.")
        )
    return tuple(found)


def _gap_settings(stream: Stream, looks_per_s: float, cost: float | None) -> list[Setting]:
    if not stream.keys_whole:
        return [Setting("refresh", "Turn intra refresh off, and set an I-frame interval of 1 s.")]
    frames = max(1, round(stream.frames_per_s))
    wish = f"Set the I-frame interval (GOP) to 1 s: {frames} frames at {stream.frames_per_s:.3g} a second."
    median_s, longest_s = stream.key_gap_median_s, stream.key_gap_max_s
    if median_s is None or longest_s is None or longest_s > longest_gap_s(looks_per_s):
        saves = None
        if cost is not None and stream.key_cpu_ms is not None:
            saves = max(0.0, cost - stream.key_cpu_ms * looks_per_s)
        found = [Setting("key-gap", f"{wish} Then only key frames need decoding.", saves)]
    elif median_s > GOOD_GAP_S / looks_per_s:
        found = [Setting("key-gap", f"{wish} Then it is looked at once a second.")]
    elif median_s < DENSE_GAP_S and stream.frames_per_s * median_s > 1.5:
        found = [Setting("key-gap", f"{wish} It takes less of the network; nothing else changes.")]
    else:
        found = []
    if median_s and longest_s and longest_s > UNSTEADY * median_s:
        found.append(
            Setting(
                "smart-codec",
                'Turn "smart" coding off (H.264+, Zipstream, dynamic GOP): its key frames come irregularly.',
            )
        )
    return found
