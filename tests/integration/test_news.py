"""What `tocsin run` tells in the terminal: what happens to alarms from now on, and nothing before."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.support.site import Site, an_edge

from tocsin.config import Secrets, from_values
from tocsin.launch import News
from tocsin.stores.sql import SqlStore


def test_what_happens_from_now_on_is_told_once(tmp_path: Path) -> None:
    config = from_values({"centre": {"data_dir": str(tmp_path)}}, "test")
    news = News(config, Secrets())
    assert news.lines() == [], "there is no database yet: nothing to tell, and no error"

    async def raise_alarm(hazard: str, at_s: float) -> None:
        store = SqlStore(config.centre.database_url)
        await store.migrate()
        await Site(store, tmp_path).take(an_edge(hazard, source=hazard, place=hazard, at_s=at_s))
        await store.close()

    asyncio.run(raise_alarm("water", 0))
    assert news.lines() == [], "what was there before the first look is no news"
    asyncio.run(raise_alarm("flame", 5))
    first, second = news.lines()
    assert first.startswith("12:00:05  alarm 2 Open flame: raised, first sign of it here")
    assert second.startswith("12:00:05  alarm 2 Open flame: dispatched, ")
    assert news.lines() == []
