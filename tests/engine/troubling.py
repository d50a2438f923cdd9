"""A database that gives trouble when it is told to: the next calls of a method raise what the real store would.

The store behind is the real one. The queue is stepped by hand, and the clocks stand still between two moves, so that
nothing hangs on timing.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec
from tests.engine.driving import Driver, drive
from tests.engine.hands import Hands
from tests.engine.places import Place
from tests.engine.stopping import Gate, Gated

from sheetgrpc.engine.engine import Engine
from sheetgrpc.store.queue import ReceiptRow
from sheetgrpc.store.records import ExecutionFilter, ExecutionRow
from sheetgrpc.store.waiting import away, busy

BUSY, AWAY = busy, away
"""No writer or lock to be had; the database does not answer."""

_LEASE = 0.01  # seconds: nobody renews, so that what a dead engine ran can be taken over at once


@dataclass
class Trouble:
    """What is to go wrong: the errors of a method's next calls, None for a call that goes well."""

    errors: dict[str, list[Any]] = field(default_factory=dict)

    def give(self, method: str, *makers: Any) -> None:
        """The next calls of this method raise these."""
        self.errors[method] = list(makers)

    def strike(self, method: str) -> None:
        """Raises where that is wanted."""
        waiting = self.errors.get(method)
        maker = waiting.pop(0) if waiting else None
        if maker is not None:
            raise maker()


class Troubled:
    """A store or a transaction that gives trouble."""

    def __init__(self, inner: Any, trouble: Trouble) -> None:
        self._inner = inner
        self._trouble = trouble

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._inner, name)
        if not asyncio.iscoroutinefunction(method):
            return method

        async def call(*args: Any, **kwargs: Any) -> Any:
            self._trouble.strike(name)
            return await method(*args, **kwargs)

        return call

    @asynccontextmanager
    async def begin(self) -> AsyncIterator["Troubled"]:
        self._trouble.strike("begin")
        async with self._inner.begin() as transaction:
            yield Troubled(transaction, self._trouble)


class Stepped(Driver):
    """An engine whose queue is stepped by hand."""

    def __init__(self, engine: Engine, path: Place, hands: Hands, trouble: Trouble) -> None:
        super().__init__(engine, path)
        self.hands = hands
        self.trouble = trouble

    async def step(self) -> bool:
        """Whoever is next is begun and run to the end of the attempt, or put off; False where nobody is."""
        executor = self.engine._executor
        begun = await executor._step()
        if executor._running:
            await asyncio.wait(set(executor._running))
        return begun

    async def row(self, execution: str) -> ExecutionRow:
        return await self.engine.get_execution(execution)

    async def outcomes(self, execution: str) -> list[str]:
        return [receipt.outcome.value for receipt in await self.receipts(execution)]

    async def receipts(self, execution: str) -> list[ReceiptRow]:
        return await self.engine.list_receipts(execution, 0, 1000)

    async def queued(self, sheet: str) -> str:
        """An execution that waits."""
        return await self.submit(await self.ready(sheet))


@asynccontextmanager
async def stepped(
    path: Place, hands: Hands | None = None, gate: Gate | None = None, **settings: Any
) -> AsyncIterator[Stepped]:
    """An engine in hand, that has recovered what the one before left; its calls that go well pass the gate."""
    hands = hands or Hands()
    async with drive(path, start=False, draws=hands.draws(), **{"replica_lease": _LEASE, **settings}) as fleet:
        trouble = Trouble()
        real: Any = fleet.engine.store
        store: Any = Troubled(real if gate is None else Gated(real, gate), trouble)
        engine = Engine(msgspec.structs.replace(fleet.engine._context, store=store))
        await recover(engine)
        try:
            yield Stepped(engine, path, hands, trouble)
        finally:
            trouble.errors.clear()
            await engine.stop()


async def recover(engine: Engine) -> None:
    """As a start does; where servers share the database, what ran is taken over, once its lease has run out."""
    await engine._executor.recover()
    takeover = engine._replica._takeover
    running = ExecutionFilter(states=("RUNNING",))
    while takeover is not None and await engine.store.executions(running, 1, None):
        await takeover.sweep()
