"""Which claimed pages may be sent now: not over a channel that rests, and no faster than a channel takes.

Decided in the transaction that claims, so that workers on one database agree. A page that must wait is
given back, and the next channel of its responder is tried at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from tocsin.core.alarm import Alarm
from tocsin.core.circuit import allowed, turn
from tocsin.core.dispatch import Page, next_fallback
from tocsin.core.drills import drill_of
from tocsin.core.journal import Entry, JournalEntry
from tocsin.ports import Channel, ManyServers
from tocsin.ports_store import ClaimedPage, Unit

PATIENCE: Final = timedelta(seconds=10)
"""A page that waits longer than this for its channel's allowance has its responder tried by the next one."""

CIRCUIT_CHARS: Final = 120
"""As long as the column; two receivers whose names begin alike for so long would share a rest."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """A page that may go. `trying`: it tries whether a server that rested is back."""

    claimed: ClaimedPage
    circuit: str
    trying: bool = False


def wanted(alarm: Alarm, page: Page, now: datetime) -> bool:
    """Whether anybody still has to be told by this page."""
    return alarm.wants_pages(now) and alarm.round == page.round


def circuit_of(page: Page, channels: Mapping[str, Channel]) -> str:
    """The server that the page is handed to: one for the whole channel unless the channel says otherwise."""
    channel = channels.get(page.channel)
    server = channel.server(page.address) if isinstance(channel, ManyServers) else ""
    return f"{page.channel} {server}".strip()[:CIRCUIT_CHARS]


async def admit(
    unit: Unit,
    claimed: Sequence[ClaimedPage],
    channels: Mapping[str, Channel],
    limits: Mapping[str, float],
    now: datetime,
) -> list[Admitted]:
    """Those of the claimed pages that may go now; the others are given back with a reason and a time.

    `limits` are pages a minute, by channel.
    """
    # Held in the order of their names: two workers never wait for each other.
    circuits = {
        name: await unit.sending.circuit(name)
        for name in sorted({circuit_of(one.page, channels) for one in claimed})
    }
    limited = sorted({one.page.channel for one in claimed if one.page.channel in limits})
    left = {name: await unit.sending.allowance(name) for name in limited}
    queued = dict.fromkeys(limited, 0)
    admitted: list[Admitted] = []
    # The least tried first: a page that cannot go through must not be the one that tries, again and again,
    # whether its server takes any. What is real goes before a drill.
    for one in sorted(claimed, key=lambda one: (drill_of(one.alarm) is not None, one.page.attempts)):
        page, name = one.page, circuit_of(one.page, channels)
        if not wanted(one.alarm, page, now):
            admitted.append(Admitted(one, name))  # it is not sent, and keeps nobody waiting
            continue
        circuit = circuits[name]
        until = circuit.waits_until(now)
        if until is not None:
            await _wait(unit, page, until, f"channel {page.channel} rests after failures", now, skip=True)
            continue
        per_minute = limits.get(page.channel)
        if per_minute is not None:
            go, allowance = allowed(left[page.channel], page.channel, per_minute, 1, now)
            left[page.channel] = allowance
            if not go:
                wait = turn(allowance, per_minute, queued[page.channel])
                queued[page.channel] += 1
                why = f"channel {page.channel} takes {per_minute:g} pages a minute"
                await _wait(unit, page, now + wait, why, now, skip=wait > PATIENCE)
                continue
        trying = circuit.open_until is not None
        if trying:
            circuits[name] = circuit.tried(now)
            await unit.sending.put_circuit(circuits[name])
        admitted.append(Admitted(one, name, trying))
    for allowance in left.values():
        if allowance is not None:
            await unit.sending.put_allowance(allowance)
    return admitted


async def _wait(unit: Unit, page: Page, until: datetime, why: str, now: datetime, *, skip: bool) -> None:
    if not page.last_error:
        await unit.journal.write(
            JournalEntry(
                now, Entry.PAGE_DELAYED, page.alarm_id, f"channel {page.channel}", why, page.responder_name
            )
        )
    # What it says it waits for also tells the store that its time is to be kept.
    await unit.pages.put(replace(page, run_at=until, last_error=page.last_error or why))
    if skip:
        await fall_back(unit, page, why, now)


async def fall_back(unit: Unit, page: Page, why: str, now: datetime) -> None:
    """Lets the next held page to this responder go, if there is one and nothing has reached them."""
    found = next_fallback(await unit.sending.beside(page))
    if found is not None and await unit.sending.let_go(found.id, now):
        await unit.journal.write(
            JournalEntry(
                now,
                Entry.FALLBACK,
                page.alarm_id,
                f"channel {found.channel}",
                f"{page.channel} did not go through: {why}",
                page.responder_name,
            )
        )


async def succeeded(unit: Unit, circuit: str, channel: str, now: datetime) -> None:
    """A page left: its server is back if it was away, and what waits for it goes at once."""
    known = await unit.sending.circuit(circuit)
    if known.failures:
        await unit.sending.close_circuit(circuit)
        if known.open_until is not None:
            await unit.sending.hasten(channel, now)


async def failed_once(unit: Unit, admitted: Admitted, now: datetime) -> None:
    """A page failed for now: enough of that in a row, and its server is given a rest."""
    after = (await unit.sending.circuit(admitted.circuit)).failed(now, trying=admitted.trying)
    await unit.sending.put_circuit(after)
