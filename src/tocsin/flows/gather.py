"""Many who wait for the same kind of commit are served by one: a disk takes its time for each."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from tocsin.core.errors import StoreError, StoreRefusedError

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")


@dataclass(slots=True)
class _Waiting(Generic[Asked, Answer]):
    asked: Asked
    answer: asyncio.Future[Answer]


class Gather(Generic[Asked, Answer]):
    """Whoever asks while others are being served is served with all who have come meanwhile.

    One who asks alone is served at once, by himself: nobody ever waits for others to come.
    """

    def __init__(self, serve: Callable[[Sequence[Asked]], Awaitable[Sequence[Answer]]], most: int) -> None:
        """`serve` answers at most `most` at a time, in their order, all of them or, by raising, none."""
        self._serve = serve
        self._most = most
        self._waiting: list[_Waiting[Asked, Answer]] = []
        self._serving: asyncio.Task[None] | None = None

    async def ask(self, asked: Asked) -> Answer:
        """The answer, or what `serve` raised over it."""
        waiting = _Waiting[Asked, Answer](asked, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        if self._serving is None:
            # A task of its own: whoever asked first may give up, and the others must not go with him.
            self._serving = asyncio.create_task(self._run(), name="gather")
        return await waiting.answer

    async def _run(self) -> None:
        try:
            while self._waiting:
                some, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
                if not await self._all_at_once(some):
                    for one in some:
                        await self._all_at_once([one], alone=True)
        finally:
            self._serving = None

    async def _all_at_once(self, some: Sequence[_Waiting[Asked, Answer]], *, alone: bool = False) -> bool:
        """False when one of them may be to blame, and the others would be taken without it."""
        try:
            answers = await self._serve([one.asked for one in some])
        except asyncio.CancelledError:
            for one in some:
                one.answer.cancel()
            raise
        except Exception as error:  # noqa: BLE001 - it is raised again, to each who asked
            if len(some) > 1 and not alone and _blames_one(error):
                return False
            for one in some:
                if not one.answer.done():
                    one.answer.set_exception(error)
            return True
        for one, answer in zip(some, answers, strict=True):
            if not one.answer.done():
                one.answer.set_result(answer)
        return True


def _blames_one(error: Exception) -> bool:
    """A database that is full, busy or gone takes none of them; trying each would only take longer."""
    return isinstance(error, StoreRefusedError) or not isinstance(error, StoreError)
