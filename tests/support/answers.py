"""A site whose messages have links, and the flows that answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from tests.support.site import Site, a_policy, after

from tocsin.core.alarm import AlarmId
from tocsin.core.dispatch import Page
from tocsin.core.links import LinkSigner, Purpose
from tocsin.core.roster import Responder
from tocsin.flows.answering import Answering
from tocsin.flows.linking import Linking
from tocsin.flows.refusals import Refusals
from tocsin.flows.storytelling import Storytelling
from tocsin.ports import Channel
from tocsin.stores.sql import SqlStore

KEY = b"the key of the tests, and no other one's"


class AnsweredSite(Site):
    """See `site.Site`."""

    def __init__(
        self,
        store: SqlStore,
        folder: Path,
        *responders: Responder,
        channels: Mapping[str, Channel] | None = None,
    ) -> None:
        self.links = LinkSigner(KEY)
        super().__init__(store, folder, replace(a_policy(*responders), links=self.links), channels)
        self.refusals = Refusals(store)
        self.answering = Answering(store, self.policy, self.refusals, self._ring)
        self.linking = Linking(store, self.policy, self.answering, self.refusals, self._ring)
        self.telling = Storytelling(store, self.pictures, self.policy)

    def link(self, page: Page, at_s: float = 0.0, purpose: Purpose = Purpose.ACKNOWLEDGE) -> str:
        """The token that a message of that time holds."""
        return self.links.token(page.id, purpose, after(at_s))

    async def page_of(self, alarm_id: AlarmId, name: str = "Ana") -> Page:
        """Their newest page of this alarm."""
        return [page for page in await self.pages(alarm_id) if page.responder_name == name][-1]
