"""A centre with a duty officer who never sleeps: triage as in production, on a throw-away database.

Every edge goes through `flows.intake`. The officer acknowledges what is raised at once and closes it when
it is gone: if nobody ever answered, one false alarm would stand there and hide all that come after it.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Final

from tocsin.config import from_values
from tocsin.core.alarm import Alarm, AlarmState
from tocsin.core.hazards import Catalogue, Signal
from tocsin.core.observation import Edge
from tocsin.core.triage import Ruling
from tocsin.flows.intake import Intake
from tocsin.flows.operate import Operate
from tocsin.stores.sql import SqlStore
from tocsin.wiring import policy_of

OFFICER: Final = "evaluation"
OUTCOME: Final = "drill"


@dataclass(frozen=True, slots=True)
class Taken:
    """What triage made of an edge. `signal` is its alarm's own from then on; `new`: somebody is called now
    who was not before. None for both where it raised nothing."""

    ruling: Ruling
    signal: Signal | None
    new: bool
    reason: str


class Duty:
    """Takes edges one by one, in the order of their times. To be used as a context; not from async code."""

    def __init__(self, catalogue: Catalogue) -> None:
        # No roster: pages are planned for nobody, and there is no loop here that would send one.
        policy = replace(policy_of(from_values({}, "defaults")), catalogue=catalogue)
        self._folder = TemporaryDirectory(prefix="tocsin-evaluate-")
        self.folder = Path(self._folder.name)
        self._runner = asyncio.Runner()
        self._store = SqlStore(f"sqlite:///{self.folder / 'triage.sqlite'}")
        self._intake = Intake(self._store, policy, _nobody_listens)
        self._operate = Operate(self._store, policy, _nobody_listens)

    def __enter__(self) -> Duty:
        self._runner.run(self._store.migrate())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._runner.run(self._store.close())
        finally:
            self._runner.close()
            self._folder.cleanup()

    def take(self, edge: Edge) -> Taken:
        """As if it had reached the centre the moment it was captured."""
        return self._runner.run(self._take(edge))

    async def _take(self, edge: Edge) -> Taken:
        now = edge.captured_at
        before = await self._alarms()
        receipt = await self._intake.take(edge, now, watcher=OFFICER)
        if receipt.alarm_id is None:
            return Taken(receipt.ruling, None, new=False, reason=receipt.reason)
        async with self._store.reading() as unit:
            alarm = await unit.alarms.get(receipt.alarm_id)
        assert alarm is not None, "intake has just committed it"
        known = before.get(alarm.id)
        if alarm.state.owes_acknowledgement:
            alarm = await self._operate.acknowledge(alarm.id, OFFICER, now)
        if alarm.state is AlarmState.LATCHED:
            alarm = await self._operate.resolve(alarm.id, OFFICER, OUTCOME, "", now)
        new = known is None or (known.signal is not Signal.ALARM and alarm.signal is Signal.ALARM)
        return Taken(receipt.ruling, alarm.signal, new=new, reason=receipt.reason)

    async def _alarms(self) -> dict[str, Alarm]:
        async with self._store.reading() as unit:
            return {alarm.id: alarm for alarm in await unit.alarms.open()}


def _nobody_listens() -> None:
    """Flows ring for delivery and for consoles; there are none."""
