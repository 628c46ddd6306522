"""A centre killed at each moment that a commit or an answer makes, one by one, over one story.

The story has each kind of commit: an alarm raised, corroborated, cleared; a report by staff; an
acknowledgement by link; an escalation; a page that is sent, refused for now, refused for good, sent by another
channel instead; many edges in one commit; a flood that is told in one page.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from benchmarks.fault_centre import NEVER
from benchmarks.fault_scene import WAIT_S, Database, Scene, Tally, an_edge
from tocsin.core.observation import EdgeId, EdgeKind

FLAKY: Final = "yard-1"
"""The first try of each page of this place is answered with 503."""


@contextmanager
def scene(folder: Path, database: Database, *, centres: int = 1, space: str = "") -> Generator[Scene]:
    """A fresh site in a folder of its own."""
    own = folder / uuid4().hex
    own.mkdir(parents=True)
    with database.fresh(own, space) as url, Scene(own, database, url, centres=centres) as made:
        yield made


def story(site: Scene) -> None:
    """Everything happens once."""
    refused = set[str]()

    def flaky(page: dict[str, Any]) -> int:
        if page["place"] != FLAKY or page["page_id"] in refused:
            return 0
        refused.add(page["page_id"])
        return 503

    site.inbox.refusing = flaky
    smoke = an_edge("overheating", "cam-1", "hall", site.now())
    site.take(smoke)
    flame = an_edge("water", "cam-2", "hall", site.now())
    site.take(flame)
    reported = site.report("power", "dock")
    # More than ten alarms for one on duty, in two batches.
    for half in (range(6), range(6, 12)):
        site.take(*(an_edge("egress", f"cam-y{n}", f"yard-{n}", site.now()) for n in half))
    site.wait(lambda: _flood(site), "the flood's page")
    first = site.alarm_of(smoke)
    site.acknowledge(first)
    # Nobody answers the report: the next step calls all, and Cy by his second channel.
    site.wait(lambda: site.inbox.pages("/ana", reported), "the page of the report")
    site.move(WAIT_S + 1.0)
    for path in ("/ben", "/cy"):
        site.wait(lambda path=path: site.inbox.pages(path, reported), f"the escalation to {path}")
    for edge in (smoke, flame):
        gone = replace(edge, id=EdgeId(str(uuid4())), kind=EdgeKind.CLEARED, captured_at=site.now())
        site.take(gone)
    site.acknowledge(reported, "/ben")


def _flood(site: Scene) -> list[dict[str, Any]]:
    return [page for page in site.inbox.pages("/ana") if page["hazard"] == "alarm-flood"]


def run(folder: Path, database: Database, kill_at: int = NEVER) -> tuple[Tally, list[str]]:
    """The story with one kill; what became of it, and the moments that came, in their order."""
    with scene(folder, database) as site:
        site.start(kill_at=kill_at)
        story(site)
        ended = site.settle()
        tally = site.count()
        if not ended:
            tally.wrong.append("it never came to its end")
        return tally, site.moments.read_text().splitlines()


def each(folder: Path, database: Database, numbers: Iterable[int]) -> Generator[tuple[str, Tally]]:
    """One run for each of these moments: what the kill cut off, and what became of it."""
    for number in numbers:
        tally, moments = run(folder, database, number)
        if tally.kills:
            yield moments[number - 1], tally
        else:
            # Loops look by the clock: a run may have a moment less than the one that was counted.
            yield "", tally
