"""What a site has decided: its catalogue, roster, escalation and places. Made from the configuration."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from tocsin.core.causes import Causes
from tocsin.core.dispatch import Escalation, Roster
from tocsin.core.hazards import Catalogue
from tocsin.core.observation import CapStatus

Ring = Callable[[], None]
"""Wakes whoever waits for work or news; called after a commit."""

MAX_RETRY = timedelta(minutes=5)
"""The longest that a page waits between two tries. One that seems to wait longer was planned before
the clock went back, and is due."""


@dataclass(frozen=True, slots=True)
class Policy:
    """The site's decisions, as the flows need them.

    `status` is the site's CAP status: a site that is being set up runs as Exercise or Test.
    `places` maps place ids to names. `url` is where responders find the console.
    """

    site: str
    catalogue: Catalogue
    roster: Roster
    escalation: Escalation
    url: str
    status: CapStatus = CapStatus.ACTUAL
    places: Mapping[str, str] = field(default_factory=dict[str, str])
    keep_pictures_days: int = 30
    keep_alarms_days: int = 400
    causes: Causes = field(default_factory=Causes)

    def place_name(self, place: str) -> str:
        return self.places.get(place, place)
