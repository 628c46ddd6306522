"""A site that is being set up (status Exercise or Test): nothing on it is ever a real alarm."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.site import Site, a_policy, an_edge

from tocsin.core.observation import CapStatus
from tocsin.stores.sql import SqlStore

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("status", [CapStatus.EXERCISE, CapStatus.TEST])
async def test_an_edge_that_believes_itself_real_is_a_drill_on_a_drill_site(
    store: SqlStore, tmp_path: Path, status: CapStatus
) -> None:
    site = Site(store, tmp_path, a_policy(status=status))
    alarm = await site.raised(an_edge("flame", status=CapStatus.ACTUAL))
    assert alarm.status is status


@pytest.mark.parametrize("status", list(CapStatus))
async def test_a_live_site_takes_an_edges_own_word(
    store: SqlStore, tmp_path: Path, status: CapStatus
) -> None:
    site = Site(store, tmp_path, a_policy())
    alarm = await site.raised(an_edge("flame", status=status))
    assert alarm.status is status
