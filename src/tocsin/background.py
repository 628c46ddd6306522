"""The centre's loops: delivery, the watchman, the live stream. The only places that catch broadly."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import structlog

from tocsin.core.errors import TocsinError
from tocsin.flows.deadman import DeadManSwitch
from tocsin.flows.delivery import Delivery
from tocsin.flows.oversee import Oversee
from tocsin.ports import Clock
from tocsin.web.live import Live

log = structlog.get_logger()

IDLE_S = 0.5
"""Delivery looks for due pages at least this often; a ring makes it look at once."""
TOGETHER_S = 0.03
"""A page that comes alone goes at once; those that come while others have just gone are claimed together."""
OVERSEE_S = 2.0
DRAIN_S = 3.0
"""How long a centre that ends waits for pages that are just being sent."""
SWEEP_S = 3600.0
FAILING_S = 15.0
FIRST_BEAT_S = 5.0


class Background:
    """Starts and ends the loops; a loop that fails says so and goes on."""

    def __init__(
        self,
        delivery: Delivery,
        oversee: Oversee,
        live: Live,
        clock: Clock,
        deadman: DeadManSwitch | None = None,
    ) -> None:
        self._delivery = delivery
        self._oversee = oversee
        self._live = live
        self._clock = clock
        self._deadman = deadman
        self._due = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._fine_s: dict[str, float] = {}

    def ring(self) -> None:
        """Something was committed: there may be pages to send, and consoles to tell."""
        self._due.set()
        self._live.ring()

    def start(self) -> None:
        self._fine_s = dict.fromkeys(("delivery", "oversee"), self._clock.monotonic_s())
        self._tasks = [
            asyncio.create_task(self._deliver(), name="delivery"),
            asyncio.create_task(self._watch(), name="oversee"),
            asyncio.create_task(self._tell(), name="live"),
            asyncio.create_task(self._beat(), name="deadman"),
        ]

    def failing(self) -> list[str]:
        """The loops that have not got through a round for FAILING_S: a live process with dead hands."""
        late_s = self._clock.monotonic_s() - FAILING_S
        return [name for name in ("delivery", "oversee") if self._fine_s.get(name, late_s) < late_s]

    async def stop(self) -> None:
        self._live.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._delivery.drain(DRAIN_S)

    async def _deliver(self) -> None:
        while True:
            self._due.clear()
            worked = await self._guarded("delivery", lambda: self._delivery.pump(self._clock.now()))
            if worked:
                await asyncio.sleep(TOGETHER_S)
            else:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._due.wait(), IDLE_S)

    async def _watch(self) -> None:
        sweep_at = self._clock.monotonic_s()
        while True:
            await self._guarded("oversee", lambda: self._oversee.check(self._clock.now()))
            if self._clock.monotonic_s() >= sweep_at:
                sweep_at = self._clock.monotonic_s() + SWEEP_S
                await self._guarded("sweep", lambda: self._oversee.sweep(self._clock.now()))
            await asyncio.sleep(OVERSEE_S)

    async def _beat(self) -> None:
        """A loop of its own: a switch that hangs holds up nothing, and a watchman that hangs stops the
        beats."""
        switch = self._deadman
        if switch is None:
            return
        # The watchman's first round comes before the first beat.
        await asyncio.sleep(min(FIRST_BEAT_S, switch.every.total_seconds()))
        while True:
            await self._guarded("deadman", lambda: switch.beat(self._clock.now()))
            await asyncio.sleep(switch.every.total_seconds())

    async def _tell(self) -> None:
        while True:
            await self._guarded("live", self._live.run)
            await asyncio.sleep(1.0)

    async def _guarded(self, what: str, act: Callable[[], Awaitable[object]]) -> object:
        """Runs one round; whatever goes wrong is told, and the next round comes after a breath."""
        try:
            done = await act()
            self._fine_s[what] = self._clock.monotonic_s()
            return done
        except TocsinError as error:
            log.error("loop-failed", loop=what, code=error.code, error=str(error))
        except Exception:
            log.exception("loop-failed", loop=what)
        await asyncio.sleep(1.0)
        return None
