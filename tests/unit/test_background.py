"""A live process with dead hands is told apart: which of the centre's loops fail, and since when."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.support.site import Site, a_policy

from tocsin.background import FAILING_S, Background
from tocsin.core.errors import StoreError
from tocsin.stores.sql import SqlStore
from tocsin.web.board import Board
from tocsin.web.live import Live
from tocsin.web.render import Renderer

pytestmark = pytest.mark.anyio


async def test_a_loop_that_goes_on_failing_is_named_and_forgotten_when_it_works(
    store: SqlStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = a_policy()
    site = Site(store, tmp_path, policy)
    live = Live(store, Board(store, policy), Renderer(policy, site.clock), site.clock)
    background = Background(site.delivery, site.oversee, live, site.clock)
    rounds = asyncio.Event()

    async def broken(_now: object) -> int:
        rounds.set()
        raise StoreError("out of reach")

    monkeypatch.setattr(site.delivery, "pump", broken)
    site.now(0)
    background.start()
    try:
        await asyncio.wait_for(rounds.wait(), 10)
        assert background.failing() == []
        # The watchman's loop went through a round just now or will; delivery's did not for too long.
        site.now(FAILING_S + 1)
        async with asyncio.timeout(20):
            while background.failing() != ["delivery"]:
                await asyncio.sleep(0.05)
        monkeypatch.undo()
        async with asyncio.timeout(20):
            while background.failing():
                await asyncio.sleep(0.05)
    finally:
        await background.stop()
