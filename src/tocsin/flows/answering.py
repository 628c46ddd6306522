"""Answers over channels: a reply by text or key, and the receipts that tell how far a page has got."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

from tocsin.core.alarm import Alarm, AlarmId
from tocsin.core.dispatch import Page, PageId, Stage
from tocsin.core.errors import ForeignReplyError, IllegalMoveError
from tocsin.core.journal import Entry, JournalEntry
from tocsin.core.replies import HINT, Reply, masked, plain_address, read_reply
from tocsin.flows.handling import paged, since, take, who_has_it
from tocsin.flows.policy import Policy, Ring
from tocsin.flows.refusals import Refusals
from tocsin.ports_store import Store, Unit

LISTED: Final = 4
"""Alarms that are named where one has to be chosen: what fits into a text message."""


class Answering:
    """See `ports.Answers`."""

    def __init__(self, store: Store, policy: Policy, refusals: Refusals, ring: Ring) -> None:
        self._store = store
        self._policy = policy
        self._refusals = refusals
        self._ring = ring
        self._reached: Counter[tuple[str, str]] = Counter()

    def reached(self) -> Mapping[tuple[str, str], int]:
        """Pages since the start by channel and by a stage that they have got to, each counted at each."""
        return dict(self._reached)

    def count(self, page: Page, stage: Stage) -> None:
        self._reached[page.channel, stage.value] += 1

    async def reply(self, channel: str, address: str, text: str, now: datetime) -> str:
        """See `ports.Answers.reply`."""
        people = self._policy.roster.responders
        where = plain_address(address)
        ours = any(
            contact.channel == channel and plain_address(contact.address) == where
            for person in people
            for contact in person.contacts
        )
        async with self._store.deciding() as unit:
            open_alarms = {alarm.id: alarm for alarm in await unit.alarms.open()}
            pages = [
                page
                for page in await unit.pages.over(channel, list(open_alarms))
                if plain_address(page.address) == where
            ]
            if ours or pages:
                said = await self._answer(unit, read_reply(text), open_alarms, pages, now)
            else:
                said = ""
        if not said:
            await self._refusals.note(f"{channel} {masked(address)}", "it is no responder's address", now)
            raise ForeignReplyError(
                "this address is no responder's", where=channel, hint="is the roster up to date?"
            )
        self._ring()
        return said

    async def _answer(
        self,
        unit: Unit,
        reply: Reply,
        open_alarms: Mapping[AlarmId, Alarm],
        pages: Sequence[Page],
        now: datetime,
    ) -> str:
        """Acknowledges the alarm that is meant. Raises IllegalMoveError where that cannot be told or done."""
        # The newest page of each alarm: it says for which round they were called, and who.
        newest = {page.alarm_id: page for page in pages}
        called = [(open_alarms[alarm_id], page) for alarm_id, page in newest.items()]
        if reply.number is not None:
            called = [(alarm, page) for alarm, page in called if alarm.number == reply.number]
            if not called:
                raise IllegalMoveError(
                    f"no open alarm {reply.number} was sent to you",
                    where="reply",
                    hint=self._listed([open_alarms[one] for one in newest]),
                )
        owed = [(a, p) for a, p in called if a.state.owes_acknowledgement and a.round == p.round]
        if len(owed) > 1:
            raise IllegalMoveError(
                f"{len(owed)} alarms wait for an answer: {self._named(a for a, _ in owed)}",
                where="reply",
                hint=f'answer "ack" and the number of one, such as "ack {owed[0][0].number}"',
            )
        if owed:
            alarm, page = owed[0]
        elif called:
            # Nothing waits: of the newest they learn who has it, or that it is theirs already.
            alarm, page = max(called, key=lambda one: one[0].number)
            if not alarm.acknowledged_by:
                raise IllegalMoveError(
                    f"alarm {alarm.number} has begun a new round of calls since then",
                    where="reply",
                    hint="wait for its new message, or open the console",
                )
        else:
            raise IllegalMoveError(
                "no open alarm waits for your answer", where="reply", hint="it may be over"
            )
        by = paged(page, self._policy.roster.responders)
        after = await take(unit, self._policy, alarm, by, f"by reply over {page.channel}", now, page.id)
        if after is not alarm:
            self.count(page, Stage.ACKNOWLEDGED)
        return f"Alarm {alarm.number}: {who_has_it(after, self._policy)}. {self._words(alarm)}."

    def _words(self, alarm: Alarm) -> str:
        name = self._policy.catalogue.get(alarm.hazard).name
        return f"{name} at {self._policy.place_name(alarm.place)}"

    def _named(self, alarms: Iterable[Alarm]) -> str:
        some = sorted(alarms, key=lambda alarm: (alarm.priority, -alarm.number))
        text = "; ".join(f"{alarm.number} {self._words(alarm)}" for alarm in some[:LISTED])
        return f"{text}; and {len(some) - LISTED} more" if len(some) > LISTED else text

    def _listed(self, called: Iterable[Alarm]) -> str:
        waiting = [alarm for alarm in called if alarm.state.owes_acknowledgement]
        return f"waiting: {self._named(waiting)}" if waiting else HINT

    async def receipt(self, page_id: PageId, stage: Stage, now: datetime) -> None:
        """See `ports.Answers.receipt`. "acknowledged" acknowledges the alarm, where it still can be."""
        if stage is Stage.ACKNOWLEDGED:
            await self._acknowledged(page_id, now)
            return
        async with self._store.writing() as unit:
            page = await unit.pages.reached(page_id, stage, now)
            if page is None:
                return
            await note_reached(unit, page, stage, f"channel {page.channel}", now)
        self.count(page, stage)
        self._ring()

    async def _acknowledged(self, page_id: PageId, now: datetime) -> None:
        async with self._store.deciding() as unit:
            page = await unit.pages.get(page_id)
            alarm = None if page is None else await unit.alarms.get(page.alarm_id)
            if page is None or alarm is None or page.round != alarm.round:
                return
            by = paged(page, self._policy.roster.responders)
            try:
                after = await take(
                    unit, self._policy, alarm, by, f"by answer over {page.channel}", now, page.id
                )
            except IllegalMoveError:
                return  # nothing was changed, and there is nobody here to tell
        if after is not alarm:
            self.count(page, Stage.ACKNOWLEDGED)
        self._ring()

    async def seen(self, page_id: PageId, now: datetime) -> None:
        """The responder has opened the page's link."""
        async with self._store.writing() as unit:
            page = await unit.pages.reached(page_id, Stage.SEEN, now)
            if page is None:
                return
            await note_reached(unit, page, Stage.SEEN, "the link", now)
        self.count(page, Stage.SEEN)
        self._ring()


async def note_reached(unit: Unit, page: Page, stage: Stage, by: str, now: datetime) -> None:
    """Journals it: who was reached, and how long after the alarm was raised."""
    alarm = await unit.alarms.get(page.alarm_id)
    entry = Entry.PAGE_SEEN if stage is Stage.SEEN else Entry.PAGE_DELIVERED
    reason = since(alarm, now) if alarm else ""
    await unit.journal.write(JournalEntry(now, entry, page.alarm_id, by, reason, page.responder_name))
