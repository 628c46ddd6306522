"""What a site has decided: its catalogue, roster, escalation and places. Made from the configuration."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from tocsin.core.allocation import Solver, nearest_first
from tocsin.core.causes import Causes
from tocsin.core.correlation import NO_LAYOUT, Layout
from tocsin.core.geometry import Position
from tocsin.core.hazards import Catalogue
from tocsin.core.links import LinkSigner
from tocsin.core.locating import Eye
from tocsin.core.observation import CapStatus
from tocsin.core.plans import Escalation
from tocsin.core.roster import Roster
from tocsin.core.travel import Travel

Ring = Callable[[], None]
"""Wakes whoever waits for work or news; called after a commit."""

MAX_RETRY = timedelta(minutes=5)
"""The longest that a page waits between two tries. One that seems to wait longer was planned before
the clock went back, and is due."""


@dataclass(frozen=True, slots=True)
class Policy:
    """The site's decisions, as the flows need them.

    `status` is the site's CAP status: a site that is being set up runs as Exercise or Test.
    `places` maps place ids to names, `positions` those that say where they are.
    `travel` are the ways between stations and places, `solve` what spreads responders over open alarms.
    `layout` says which places are neighbours, `eyes` how cameras stand that nobody has calibrated, as far as
    the configuration tells; by the source that edges name. `url` is where responders find the console.
    `drill_responders` are the only ones whom a drill calls; with none it is the plan's.
    `links` signs the links of messages; without it they lead to the console only.
    """

    site: str
    catalogue: Catalogue
    roster: Roster
    escalation: Escalation
    url: str
    status: CapStatus = CapStatus.ACTUAL
    places: Mapping[str, str] = field(default_factory=dict[str, str])
    positions: Mapping[str, Position] = field(default_factory=dict[str, Position])
    keep_pictures_days: int = 30
    keep_alarms_days: int = 400
    causes: Causes = field(default_factory=Causes)
    travel: Travel = field(default_factory=Travel)
    solve: Solver = nearest_first
    links: LinkSigner | None = None
    layout: Layout = NO_LAYOUT
    eyes: Mapping[str, Eye] = field(default_factory=dict[str, Eye])
    drill_responders: frozenset[str] = frozenset()

    def place_name(self, place: str) -> str:
        return self.places.get(place, place)
