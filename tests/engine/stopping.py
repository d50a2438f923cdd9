"""Stops an engine at a chosen call of its store, so that a test does something at exactly that moment.

The store behind is the real one; the gate only holds a call before it is made, or its answer after.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from tests.engine.driving import Driver, drive

from sheetgrpc.engine import intents
from sheetgrpc.engine.engine import Engine
from sheetgrpc.engine.intents import Envelope
from sheetgrpc.engine.runs import Run
from sheetgrpc.engine.views import CancelView, Reply, SessionView
from sheetgrpc.store.records import ExecutionRow

ANY = "*"  # any method
_TURNS = 100_000  # of the loop: some seconds
PATIENCE = 60_000_000  # microseconds: the wait of a cancel whose end is certain to come


@dataclass
class Gate:
    """Holds the nth call of a method since the gate was set, before it is made or after."""

    method: str = ""
    number: int = 1
    after: bool = False
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    opened: asyncio.Event = field(default_factory=asyncio.Event)
    calls: int = 0

    def set(self, method: str, number: int = 1, *, after: bool = False) -> None:
        """Stops at this call from now on."""
        self.method, self.number, self.after, self.calls = method, number, after, 0
        self.reached, self.opened = asyncio.Event(), asyncio.Event()

    async def passing(self, method: str, call: Any) -> Any:
        """Makes the call, and waits where that is wanted."""
        mine = self.method in (method, ANY)
        self.calls += mine
        holds = mine and self.calls == self.number
        before, after = holds and not self.after, holds and self.after  # the gate may be set anew meanwhile
        if before:
            await self.hold()
        try:
            return await call()
        finally:
            if after:
                await self.hold()

    async def hold(self) -> None:
        self.reached.set()
        await self.opened.wait()


class Gated:
    """A store or a transaction whose calls go through the gate."""

    def __init__(self, inner: Any, gate: Gate) -> None:
        self._inner = inner
        self._gate = gate

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._inner, name)
        if not asyncio.iscoroutinefunction(method) or name == "close":
            return method

        async def call(*args: Any, **kwargs: Any) -> Any:
            return await self._gate.passing(name, lambda: method(*args, **kwargs))

        return call

    @asynccontextmanager
    async def begin(self) -> AsyncIterator["Gated"]:
        async with self._inner.begin() as transaction:
            yield Gated(transaction, self._gate)


@asynccontextmanager
async def gated(path: Path, **settings: Any) -> AsyncIterator[tuple[Driver, Gate]]:
    """An engine behind a gate that runs nothing yet; `run` begins."""
    async with drive(path, start=False, **settings) as fleet:
        gate = Gate()
        store: Any = Gated(fleet.engine.store, gate)
        fleet.engine = Engine(msgspec.structs.replace(fleet.engine._context, store=store))
        try:
            yield fleet, gate
        finally:
            gate.opened.set()
            await fleet.engine.stop()


def run(fleet: Driver) -> None:
    """Begins to run what is queued."""
    fleet.engine._executor.start()


def run_of(fleet: Driver, execution: str) -> Run:
    """What the engine knows of an execution that is not over."""
    found = fleet.engine._context.runs.get(execution)
    assert found is not None
    return found


async def waited_for(fleet: Driver, execution: str) -> None:
    """Until somebody waits for the run's end."""
    found = run_of(fleet, execution)
    for _ in range(_TURNS):
        if found._waiting:
            return
        await asyncio.sleep(0)
    raise AssertionError("nobody waits")


@dataclass(frozen=True)
class Answered:
    """The answer to a cancel."""

    outcome: str
    execution: ExecutionRow
    session: SessionView
    reply: Reply


async def cancel(
    fleet: Driver, execution: str, *, wait: int = 0, request_id: str = "", by: str = "olga", fingerprint: bytes = b""
) -> Answered:
    """Cancels; of a repeat the outcome is "" and the execution the one that is there."""
    found: list[CancelView] = []

    def keep(view: CancelView) -> bytes:
        found.append(view)
        return msgspec.json.encode([view.outcome, view.execution, view.session.row.session])

    envelope = Envelope(by, "CancelExecution", execution, request_id, fingerprint)
    reply = await fleet.engine.cancel(envelope, intents.CancelExecution(execution, wait), keep)
    if not found:
        row = await fleet.engine.get_execution(execution)
        return Answered("", row, await fleet.engine.get_session(row.session_id), reply)
    return Answered(found[-1].outcome.value, found[-1].execution, found[-1].session, reply)
