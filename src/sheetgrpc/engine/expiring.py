"""Ends sessions whose time has run out, each in a transaction of its own, whoever comes across it first.

A command that finds its session due has it expired before it is refused, so what callers see does not hang on when the
sweeper comes by. The end is judged again inside the transaction: of a renewal and an end, whichever is first wins.
"""

from collections.abc import Callable

import msgspec

from sheetgrpc.clock import Draws
from sheetgrpc.engine.lifetimes import Lifetimes
from sheetgrpc.errors import Unavailable
from sheetgrpc.session.commands import ExpireSession
from sheetgrpc.session.machine import decide, evolve
from sheetgrpc.store.base import Store
from sheetgrpc.store.records import Changes, SessionRow


class Expiry:
    """Where sessions end of themselves."""

    def __init__(self, store: Store, draws: Draws, lifetimes: Lifetimes, published: Callable[[Changes], None]) -> None:
        """`published` is told after each commit."""
        self._store = store
        self._draws = draws
        self._lifetimes = lifetimes
        self._published = published

    def due(self, row: SessionRow) -> bool:
        """True if the session is to end now."""
        return self._lifetimes.due(row) is not None

    async def settle(self, row: SessionRow) -> SessionRow:
        """The session as it is now: expired, if it was due. Raises what the store raises."""
        if not self.due(row):
            return row
        async with self._store.begin() as transaction:
            opened = await transaction.open(row.session.id, None)
            current = opened.row
            by = self._lifetimes.due(current) if current is not None else None
            if current is None or by is None:  # purged, or somebody has shown a sign of life
                return current or row
            draw = self._draws.draw()
            events = decide(current.session, ExpireSession(by=by), draw)
            ended = current.session
            for event in events:
                ended = evolve(ended, event)
            changes = Changes(session=ended, events=events, seen_active_at=current.active_at)
            await transaction.commit(changes)
        self._published(changes)
        return msgspec.structs.replace(current, session=ended)

    async def settle_if_possible(self, row: SessionRow) -> SessionRow:
        """The same for a read, which does not fail where the writer cannot be had: then the session is as it was."""
        try:
            return await self.settle(row)
        except Unavailable:
            return row
