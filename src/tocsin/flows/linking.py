"""Answering by a link of a message, without signing in: what it shows, and the one thing that it does."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from tocsin.core.alarm import Alarm
from tocsin.core.dispatch import Page, Stage
from tocsin.core.errors import LinkOverError, LinkRefusedError
from tocsin.core.handling import Answerer, Handled, HandlingStage
from tocsin.core.links import Claim, Purpose
from tocsin.flows.answering import Answering, note_reached
from tocsin.flows.handling import go, has_it, paged, take, who_has_it
from tocsin.flows.policy import Policy, Ring
from tocsin.flows.refusals import Refusals
from tocsin.ports_store import Store, Unit

KEEP_USED: Final = timedelta(days=2)
"""A used link is remembered for so long after its end: the clock may be set back by a day."""

_STAGE = {Purpose.ON_THE_WAY: HandlingStage.ON_THE_WAY, Purpose.ON_SITE: HandlingStage.ON_SITE}
SIGN_IN: Final = "sign in to the console to see the alarm"


@dataclass(frozen=True, slots=True)
class LinkLook:
    """What a link shows. `mine`: whoever holds it has the alarm; `taken`: somebody else has, in words."""

    purpose: Purpose
    page: Page
    alarm: Alarm
    by: Answerer
    mine: bool
    taken: str
    handled: tuple[Handled, ...]

    def has_told(self, stage: HandlingStage) -> bool:
        return any(one.stage is stage and one.by.id == self.by.id for one in self.handled)


class Linking:
    """Links. Each raises LinkRefusedError for one that is not ours, LinkOverError for one that is over."""

    def __init__(
        self, store: Store, policy: Policy, answering: Answering, refusals: Refusals, ring: Ring
    ) -> None:
        self._store = store
        self._policy = policy
        self._answering = answering
        self._refusals = refusals
        self._ring = ring

    async def look(self, token: str, now: datetime) -> LinkLook:
        """What the link's page shows. Changes nothing: mail programs and chat previews look at links."""
        claim = await self._genuine(token, now)
        async with self._store.reading() as unit:
            return await self._standing(unit, claim, now)

    async def seen(self, token: str, now: datetime) -> None:
        """Whoever holds the link has its page before them."""
        claim = await self._genuine(token, now)
        async with self._store.reading() as unit:
            look = await self._standing(unit, claim, now)
        await self._answering.seen(look.page.id, now)

    async def use(self, token: str, now: datetime) -> LinkLook:
        """Does what the link is for, once. What then stands: theirs, or whose it is."""
        claim = await self._genuine(token, now)
        try:
            async with self._store.deciding() as unit:
                look = await self._standing(unit, claim, now)
                if look.taken:
                    return look
                if not await unit.used_links.use(claim.mark, claim.ends_at):
                    raise self._used(look.alarm)
                look = await self._do(unit, look, now)
        except LinkOverError as error:
            await self._refusals.note("a link", error.what, now)
            raise
        self._ring()
        return look

    async def _do(self, unit: Unit, look: LinkLook, now: datetime) -> LinkLook:
        page = await unit.pages.reached(look.page.id, Stage.SEEN, now)
        if page is not None:
            # Who presses its button has seen it, with the page's script or without.
            await note_reached(unit, page, Stage.SEEN, "the link", now)
            self._answering.count(page, Stage.SEEN)
        stage = _STAGE.get(look.purpose)
        if stage is not None:
            await go(unit, look.alarm, stage, look.by, "by link", now)
            return replace(look, handled=tuple(await unit.handling.of([look.alarm.id])))
        after = await take(unit, self._policy, look.alarm, look.by, "by link", now, look.page.id)
        if after is not look.alarm:
            self._answering.count(look.page, Stage.ACKNOWLEDGED)
        return replace(look, alarm=after, mine=True)

    async def _genuine(self, token: str, now: datetime) -> Claim:
        links = self._policy.links
        if links is None:
            raise LinkRefusedError("this centre makes no links", hint=SIGN_IN)
        try:
            return links.read(token)
        except LinkRefusedError as error:
            await self._refusals.note("a link", error.what, now)
            raise

    async def _standing(self, unit: Unit, claim: Claim, now: datetime) -> LinkLook:
        """What the link is about, if it still holds."""
        page = await unit.pages.get(claim.page_id)
        alarm = None if page is None else await unit.alarms.get(page.alarm_id)
        if page is None or alarm is None:
            raise LinkOverError("the alarm of this link is not kept any more", hint=SIGN_IN)
        if await unit.used_links.used(claim.mark):
            raise self._used(alarm)
        if not now < claim.ends_at:
            raise LinkOverError(
                "the time of this link is over: it lasts 24 hours", alarm_id=alarm.id, hint=SIGN_IN
            )
        if not alarm.open:
            raise LinkOverError("this alarm is closed", alarm_id=alarm.id, hint=SIGN_IN)
        if claim.purpose is Purpose.ACKNOWLEDGE and alarm.round != page.round:
            raise LinkOverError(
                "since this message the alarm has got graver, or has come back, and has called anew",
                alarm_id=alarm.id,
                hint="use the link of the newest message, or sign in to the console",
            )
        by = paged(page, self._policy.roster.responders)
        mine = has_it(alarm, by)
        taken = ""
        if claim.purpose is Purpose.ACKNOWLEDGE and not mine and not alarm.state.owes_acknowledgement:
            taken = who_has_it(alarm, self._policy)
        handled = tuple(await unit.handling.of([alarm.id]))
        return LinkLook(claim.purpose, page, alarm, by, mine, taken, handled)

    def _used(self, alarm: Alarm) -> LinkOverError:
        """That it was used, and by now who has it."""
        has = f"; {who_has_it(alarm, self._policy)}" if alarm.acknowledged_by else ""
        return LinkOverError(f"this link was used already{has}", alarm_id=alarm.id, hint=SIGN_IN)
