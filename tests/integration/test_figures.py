"""Figures of a site on both databases: counted right, drills apart, and nobody named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.support.site import Site, a_policy, a_responder, an_edge

from tocsin.core.errors import InvalidInputError
from tocsin.core.handling import HandlingStage
from tocsin.core.observation import CapStatus
from tocsin.flows.figures import FigureReading, plain
from tocsin.stores.sql import SqlStore
from tocsin.telling.figures_files import figures_csv, figures_html

pytestmark = pytest.mark.anyio


async def test_figures_of_a_day(store: SqlStore, tmp_path: Path) -> None:
    site = Site(store, tmp_path, a_policy(a_responder("Xaverine")))
    for number in range(12):
        await site.take(an_edge("smoke", source=f"cam-{number}", place=f"place-{number}", at_s=number))
    await site.take(an_edge("smoke", place="elsewhere", status=CapStatus.EXERCISE, at_s=20))
    async with store.reading() as unit:
        alarms = [one for one in await unit.alarms.open() if one.status is CapStatus.ACTUAL]
    for one in alarms[:6]:
        await site.operate.acknowledge(one.id, "xaverine", site.now(40))
    await site.operate.handle(alarms[0].id, HandlingStage.ON_SITE, "xaverine", site.now(80))
    await site.operate.shelve(alarms[7].id, "xaverine", "works", "ask Xaverine", 60, site.now(100))
    await site.operate.resolve(alarms[1].id, "xaverine", "false", "Xaverine", site.now(120), cause="steam")
    found = await FigureReading(store, site.policy).over(1, site.now(3700))
    value = {one.key: one.value for one in found.load}
    assert (found.alarms, found.drills) == (len(alarms), 1)
    assert value["peak"] == len(alarms)
    assert found.causes == (("Steam", 1),)
    assert [(one.reason, one.times, round(one.hours, 3)) for one in found.quiet] == [
        ("Permitted works in view", 1, 1.0)
    ]
    answered = next(one for one in found.stages if one.key == "answered")
    assert (answered.of, answered.never, answered.held[0].within) == (len(alarms), len(alarms) - 6, 6)
    for text in (json.dumps(plain(found)), figures_csv(found).decode(), figures_html(found).decode()):
        assert "xaverine" not in text.lower()


async def test_a_span_that_cannot_be_is_refused(store: SqlStore, tmp_path: Path) -> None:
    site = Site(store, tmp_path)
    with pytest.raises(InvalidInputError, match="0 days"):
        await FigureReading(store, site.policy).over(0, site.now(0))
