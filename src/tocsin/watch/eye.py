"""What one camera's frames mean: detectors, persistence, and the edges that come of it. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import uuid4

from tocsin.core.errors import ConfigError
from tocsin.core.hazards import Catalogue, Family, Hazard, HazardCode, Signal
from tocsin.core.observation import (
    CameraId,
    CapStatus,
    Edge,
    EdgeId,
    EdgeKind,
    Observation,
    PlaceId,
    SourceKind,
)
from tocsin.core.persistence import Change, Look, Rule, Track, step
from tocsin.core.zones import NO_ZONES, Zones
from tocsin.masking import mask_out
from tocsin.ports import Detector, Frame
from tocsin.redact import RedactedPicture
from tocsin.watch.guard import Guarded
from tocsin.watch.rules import rule_for
from tocsin.watch.scheduler import SUSPICIOUS
from tocsin.watch.strip import Strip, StripPicture

DETECTOR_FAILED = HazardCode("detector-failed")


@dataclass(frozen=True, slots=True)
class Seen:
    """What one look made: edges first, then pictures.

    `suspicion` (0 to 1, 0.5 is a hit) is how much a closer look is worth; `decided`: an alarm or
    supervisory hazard was confirmed in it. `observed` is what the detectors saw, at most one of each
    hazard; it never leaves the watcher.
    """

    edges: tuple[Edge, ...] = ()
    pictures: tuple[StripPicture, ...] = ()
    suspicion: float = 0.0
    decided: bool = False
    observed: Mapping[str, Observation] = field(default_factory=dict[str, Observation])


@dataclass(slots=True)
class Watched:
    """One hazard on one camera: its rule's track, and the confirmed edge that stands."""

    hazard: Hazard
    enter: float | None = None
    track: Track = field(default_factory=Track)
    standing: Edge | None = None
    unseen: bool = False
    """It was taken over from an earlier reader, and not seen since."""
    rule: Rule = field(init=False)

    def __post_init__(self) -> None:
        self.rule = rule_for(self.hazard, self.enter)

    def resume(self, edge: Edge) -> None:
        """Goes on from an edge that stood when an earlier reader of the camera died.

        Until it is seen again it may be forgotten, but is not said to be over: a detector that has to learn
        anew what is usual here sees nothing at first, and that is no sign (invariant 2).
        """
        known = Change(
            edge.kind,
            edge.captured_at,
            edge.since,
            edge.confidence,
            edge.hits,
            edge.frames,
            edge.region,
            edge.reason,
            edge.steady,
        )
        self.track, self.standing, self.unseen = Track(confirmed=known), edge, True

    def look(self, look: Look) -> Change | None:
        if look.confidence >= self.rule.leave:
            self.unseen = False
        self.track, change = step(self.rule, self.track, look)
        if change is not None and change.kind is EdgeKind.CLEARED and self.unseen:
            self.standing, self.unseen = None, False
            return None
        return change


@dataclass(frozen=True, slots=True)
class Address:
    """Where edges of one camera (or of the watcher itself) say they come from."""

    source_kind: SourceKind
    source: str
    place: PlaceId
    status: CapStatus

    def edge(self, change: Change, hazard: HazardCode) -> Edge:
        return Edge(
            id=EdgeId(str(uuid4())),
            kind=change.kind,
            hazard=hazard,
            source_kind=self.source_kind,
            source=self.source,
            place=self.place,
            captured_at=change.at,
            since=change.since,
            confidence=change.confidence,
            hits=change.hits,
            frames=change.frames,
            region=change.region,
            status=self.status,
            reason=change.reason,
            steady=change.steady,
        )


class Eye:
    """One camera's detectors with what they must remember. Belongs to one thread."""

    def __init__(
        self,
        camera: CameraId,
        address: Address,
        detectors: Sequence[Detector],
        catalogue: Catalogue,
        thresholds: Mapping[str, float] | None = None,
        zones: Callable[[], Zones] = lambda: NO_ZONES,
        standing: Sequence[Edge] = (),
    ) -> None:
        """`thresholds` are this camera's own, by hazard; `zones` tells those of now, at each look.

        `standing` stood when an earlier reader of the camera died: it goes on standing until looks clear it.

        Raises ForeignLabelError for a detector with a label outside the catalogue (invariant 3), and
        ConfigError for a threshold of a hazard that none of the detectors looks for.
        """
        enter = thresholds or {}
        self.camera = camera
        self._address = address
        self._detectors = tuple(Guarded(detector, camera) for detector in detectors)
        self._strip = Strip()
        self._watched: dict[str, Watched] = {}
        for detector in self._detectors:
            for hazard in catalogue.require_labels(detector.name, detector.labels):
                # A disabled trouble raises nothing, but a lens that it would tell of is blind all the same.
                if hazard.enabled or hazard.family is Family.SIGHT:
                    self._watched[hazard.code] = Watched(hazard, enter.get(hazard.code))
        unseen = sorted(set(enter).difference(*(detector.labels for detector in self._detectors)))
        if unseen:
            raise ConfigError(
                f"its detectors do not look for {unseen[0]!r}",
                where=f"camera {camera}: threshold",
                hint="take it out, or add the detector",
            )
        self._failing = Watched(catalogue.get(DETECTOR_FAILED))
        now = zones()
        for edge in standing:
            watched = self._failing if edge.hazard == DETECTOR_FAILED else self._watched.get(edge.hazard)
            hidden = now.ignored(edge.hazard, edge.region) or now.hides(edge.region)
            # What lies under a mask that was drawn meanwhile is not looked for any more: it is forgotten.
            if watched is not None and (
                watched is self._failing or watched.hazard.family is Family.SIGHT or not hidden
            ):
                watched.resume(edge)
        self._zones_now = zones
        self._zones = zones()
        self.ignored = 0
        """Looks in which something suspicious lay in an ignore zone, since the start."""

    @property
    def standing(self) -> tuple[Edge, ...]:
        """The confirmed edges that still stand."""
        watched = (*self._watched.values(), self._failing)
        return tuple(w.standing for w in watched if w.standing and w.hazard.enabled)

    @property
    def troubled(self) -> bool:
        blind = any(w.standing and w.hazard.family is Family.SIGHT for w in self._watched.values())
        return blind or self._failing.standing is not None

    @property
    def failing(self) -> str:
        """Which detectors failed in the last look; empty when none did. Why stands in the watcher's log."""
        names = [repr(detector.name) for detector in self._detectors if detector.failing]
        return f"failing: detector {', '.join(names)}" if names else ""

    def interrupted(self) -> None:
        """The stream was lost: what detectors remember of earlier frames is void; what stands, stands."""
        for detector in self._detectors:
            detector.reset()

    def look(self, frame: Frame) -> Seen:
        """One frame through detectors and persistence; the camera's masks are painted into it first."""
        frame = self._masked(frame)
        best = self._observe(frame)
        # What a failed detector would have seen, nobody has looked for.
        unseen = {label for one in self._detectors if one.failing for label in one.labels}
        blind = any(
            w.hazard.family is Family.SIGHT
            and (code in unseen or w.standing is not None or _confidence(best, code) >= w.rule.enter)
            for code, w in self._watched.items()
        )
        edges: list[Edge] = []
        pictures: list[StripPicture] = self._strip.due(frame)
        for code, watched in self._watched.items():
            observation = best.get(code)
            look = Look(
                frame.info.clock_s,
                frame.info.at,
                _confidence(best, code),
                observation.region if observation else None,
                # A covered lens shows no fire: that is no sign that there is none (invariant 2).
                sighted=code not in unseen and (not blind or watched.hazard.family is Family.SIGHT),
            )
            change = watched.look(look)
            if change is None:
                continue
            edge = self._address.edge(change, watched.hazard.code)
            if watched.hazard.enabled:
                edges.append(edge)
            if change.kind is EdgeKind.CONFIRMED:
                watched.standing = edge
                if watched.hazard.enabled:
                    pictures.extend(self._strip.confirmed(edge.id, frame, edge.region, edge.since))
            else:
                watched.standing = None
        decided = any(
            edge.kind is EdgeKind.CONFIRMED and self._watched[edge.hazard].hazard.signal is not Signal.TROUBLE
            for edge in edges
        )
        edges.extend(self._failure_edge(frame))
        self._strip.remember(frame)
        return Seen(tuple(edges), tuple(pictures), self._suspicion(best), decided, best)

    def still(self) -> RedactedPicture | None:
        """How the camera's picture looks now, masked and redacted; None before the first look."""
        return self._strip.latest(self._zones_now().masks)

    def _masked(self, frame: Frame) -> Frame:
        zones = self._zones_now()
        if zones is not self._zones:
            self._change(zones)
        return replace(frame, picture=mask_out(frame.picture, zones.masks), zones=zones) if zones else frame

    def _change(self, zones: Zones) -> None:
        """Goes by other zones from now on; what was remembered of the picture under a new mask is dropped."""
        before, self._zones = self._zones, zones
        if zones == before:
            return
        self.interrupted()
        if zones.masks == before.masks:
            hidden = NO_ZONES
        else:
            self._strip.forget()
            hidden = Zones(tuple(mask for mask in zones.masks if mask not in before.masks))
        for watched in self._watched.values():
            edge = watched.standing
            if edge is None or watched.hazard.family is Family.SIGHT:
                continue
            newly = zones.ignored(edge.hazard, edge.region) and not before.ignored(edge.hazard, edge.region)
            if newly or hidden.hides(edge.region):
                # That it will not be seen there any more is no sign that it is over: nothing is said of it,
                # neither that it stands nor that it cleared, and its alarm stays for people (invariant 2).
                watched.track, watched.standing = Track(), None

    def _suspicion(self, best: Mapping[str, Observation]) -> float:
        """The worst of what would be news: not what stands already, nor a lesser sign of the same thing."""
        standing = [one.hazard for one in self._watched.values() if one.standing]
        worst = 0.0
        for code, observation in best.items():
            watched = self._watched.get(code)  # a disabled hazard is not watched
            if watched is None or watched.hazard.signal is Signal.TROUBLE:
                continue
            alike = [known for known in standing if known.family is watched.hazard.family]
            if all(watched.hazard.graver_than(known) for known in alike):
                worst = max(worst, suspicion_of(observation.confidence, watched.rule))
        return worst

    def _failure_edge(self, frame: Frame) -> Sequence[Edge]:
        """A detector that keeps failing is a trouble of the camera; one that failed once is not."""
        look = Look(frame.info.clock_s, frame.info.at, 1.0 if self.failing else 0.0)
        change = self._failing.look(look)
        if change is None:
            return ()
        edge = self._address.edge(change, DETECTOR_FAILED)
        self._failing.standing = edge if change.kind is EdgeKind.CONFIRMED else None
        return (edge,) if self._failing.hazard.enabled else ()

    def _observe(self, frame: Frame) -> Mapping[str, Observation]:
        best: dict[str, Observation] = {}
        ignored = False
        for detector in self._detectors:
            for seen in detector.look(frame) or ():
                if seen.hazard not in detector.labels:
                    # Promised labels were checked at load; one that comes all the same is not let in.
                    continue
                if self._zones.ignored(seen.hazard, seen.region):
                    watched = self._watched.get(seen.hazard)
                    ignored |= watched is not None and (
                        suspicion_of(seen.confidence, watched.rule) >= SUSPICIOUS
                    )
                    continue
                known = best.get(seen.hazard)
                if known is None or seen.confidence > known.confidence:
                    best[seen.hazard] = seen
        self.ignored += ignored
        return best


def suspicion_of(confidence: float, rule: Rule) -> float:
    """The confidence by the measure of its rule: 0.5 where a hit begins, 1 where the detector is certain."""
    if confidence < rule.enter:
        return 0.5 * confidence / rule.enter
    return 0.5 + 0.5 * (confidence - rule.enter) / (1.0 - rule.enter) if rule.enter < 1.0 else 1.0


def _confidence(best: Mapping[str, Observation], code: str) -> float:
    seen = best.get(code)
    return seen.confidence if seen else 0.0
