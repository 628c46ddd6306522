"""When a beat goes to the dead-man switch outside: only while everything that Tocsin promises is true."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from tocsin.core.errors import DeliveryError
from tocsin.flows.audit import BEAT, Verdict
from tocsin.ports_store import Store
from tocsin.ports_watchman import Mark


@dataclass(frozen=True, slots=True)
class Beats:
    """How the switch fares; `configured` is false where nobody has named one."""

    configured: bool = False
    last_at: datetime | None = None
    failed: int = 0
    withheld: int = 0
    said: str = ""


class DeadManSwitch:
    """One beat at a time; whoever runs the loop says when."""

    def __init__(
        self,
        store: Store,
        verdict: Callable[[], Verdict],
        send: Callable[[], Awaitable[str]] | None,
        *,
        every: timedelta,
    ) -> None:
        """`send` raises DeliveryError; None where no switch is configured."""
        self._store = store
        self._verdict = verdict
        self._send = send
        self.every = every
        self._beats = Beats(configured=send is not None)

    @property
    def beats(self) -> Beats:
        return self._beats

    async def beat(self, now: datetime) -> bool:
        """Whether a beat went out. Raises DeliveryError where it was due and did not get there."""
        if self._send is None:
            return False
        old = self._beats
        verdict = self._verdict()
        if not verdict.holds(now):
            why = "; ".join(one.why for one in verdict.breaches) or "no round of the watchman of late"
            self._beats = Beats(True, old.last_at, old.failed, old.withheld + 1, f"withheld: {why}")
            return False
        try:
            said = await self._send()
        except DeliveryError as error:
            self._beats = Beats(True, old.last_at, old.failed + 1, old.withheld, str(error))
            raise
        self._beats = Beats(True, now, old.failed, old.withheld, said)
        async with self._store.writing() as unit:
            await unit.watchman.put(BEAT, Mark(now, said))
        return True
