"""Clocks that tests move by hand: a wall clock, and a monotonic one that a jump of the wall clock leaves alone."""

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.engine.driving import Driver, drive

from sheetgrpc.clock import Draws
from sheetgrpc.engine import intents
from sheetgrpc.errors import NotAllowed, Reason
from sheetgrpc.session.evolution import fold
from sheetgrpc.session.model import Session
from sheetgrpc.store.records import SessionRow

SECOND = 1_000_000
DAY = 86_400 * SECOND
NOON = 1_800_000_000 * SECOND


class Hands:
    """Both clocks; they stand still between two moves."""

    def __init__(self, at: int = NOON) -> None:
        self.at = at
        self._even = 0
        self._entropy = itertools.count(1)

    def go(self, seconds: float) -> None:
        """Time passes."""
        self.stand(self.at + round(seconds * SECOND))

    def stand(self, at: int) -> None:
        """Time passes until then."""
        self._even += at - self.at
        self.at = at

    def jump(self, seconds: float) -> None:
        """Somebody sets the wall clock."""
        self.at += round(seconds * SECOND)

    def draws(self) -> Draws:
        return Draws(now=lambda: self.at, entropy=self._draw, monotonic=lambda: self._even / SECOND)

    def _draw(self, bits: int) -> int:
        """Far apart where ids begin: of several processes in one millisecond each counts up from one of its own."""
        return next(self._entropy) << max(0, bits - 24)


@asynccontextmanager
async def drive_by(hands: Hands, path: Path, **settings: Any) -> AsyncIterator[Driver]:
    """An engine that lives by these clocks; its sweeper sweeps when it is told to."""
    async with drive(path, draws=hands.draws(), **settings) as driver:
        yield driver


async def open_leased(fleet: Driver, seconds: float | None, name: str = "") -> str:
    lease = None if seconds is None else round(seconds * SECOND)
    outcome = await fleet.call("", intents.CreateSession(name=name, lease=lease))
    return outcome.session.row.session.id


async def stored(fleet: Driver, session: str) -> SessionRow:
    """The session as the database has it: reading it so expires nothing."""
    return await fleet.engine.store.session(session)


async def fold_of(fleet: Driver, session: str) -> Session:
    """What base and log of a session amount to."""
    rows = await fleet.engine.store.events(session, 0, 1_000_000)
    return fold([row.event for row in rows], await fleet.engine.store.base(session))


async def refusal(fleet: Driver, session: str, intent: intents.Intent | None = None) -> Reason | None:
    """Why a command is refused; None if it is accepted."""
    try:
        await fleet.call(session, intent or intents.RenewSession())
    except NotAllowed as refused:
        return refused.reason
    return None
