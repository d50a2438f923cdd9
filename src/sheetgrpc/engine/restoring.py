"""Makes a store of a snapshot: what was under way when it was taken is ended, so that nothing of it goes on by itself.

A snapshot is a moment of the past. What its sessions have done since then is not in it, so their clients must not go
on as if it were: every session that was open is closed as FAILED, every execution that had not ended is INTERRUPTED,
and the store is another incarnation. Request ids that the snapshot remembers stay answered, because what they did is in
it; those of later commands are unknown, because what those did is not.
"""

import msgspec

from sheetgrpc.clock import Draws
from sheetgrpc.engine import endings
from sheetgrpc.planning.model import ErrorCode, Status
from sheetgrpc.session import commands
from sheetgrpc.session.events import Event
from sheetgrpc.session.machine import decide, evolve
from sheetgrpc.session.model import ExecutionState, Lifecycle, Session
from sheetgrpc.store.base import Store
from sheetgrpc.store.opening import restoring_store
from sheetgrpc.store.records import Changes, ExecutionError, ExecutionFilter, ExecutionRow, SessionFilter
from sheetgrpc.store.snapshots import Header

_PAGE = 500
_OPEN = SessionFilter(lifecycles=(Lifecycle.PENDING.value, Lifecycle.ACTIVE.value))
_UNFINISHED = ExecutionFilter(states=(ExecutionState.QUEUED.value, ExecutionState.RUNNING.value))


class Restored(msgspec.Struct, frozen=True):
    """What became of a snapshot: the new store's incarnation, and how much was ended."""

    header: Header
    incarnation: str
    sessions_closed: int
    executions_interrupted: int


async def restore(file: str, url: str, draws: Draws | None = None) -> Restored:
    """Makes the store at `url` of the snapshot `file`. StoreRefused, with what to do, and nothing is there then."""
    draws = draws or Draws()
    async with restoring_store(file, url, draws.now) as (header, store):
        executions = await _interrupt_executions(store, draws)
        sessions = await _close_sessions(store, draws)
        return Restored(header, store.about.incarnation, sessions, executions)


async def _interrupt_executions(store: Store, draws: Draws) -> int:
    ended = 0
    while page := await store.executions(_UNFINISHED, _PAGE, None):  # what is ended is not among the next
        for row in page:
            await _interrupt(store, row, draws)
            ended += 1
    return ended


async def _interrupt(store: Store, row: ExecutionRow, draws: Draws) -> None:
    draw = draws.draw()
    message = "the database was restored from a snapshot before the sheet had run; nothing of it was applied"
    counts = {Status.NOT_RUN.name: row.statements_total}
    ended = msgspec.structs.replace(row, error=ExecutionError(ErrorCode.CANCELLED, message), status_counts=counts)
    ended = endings.finish(ended, ExecutionState.INTERRUPTED, draw.now)
    session = (await store.session(row.session_id)).session
    events: tuple[Event, ...] = ()
    if session.execution_id == row.id:
        command = commands.FinishExecution(
            execution_id=row.id, state=ended.state, completed=0, total=row.statements_total
        )
        events = decide(session, command, draw)
    await _commit(store, Changes(session=_after(session, events), events=events, execution=ended, moved_from=row))


async def _close_sessions(store: Store, draws: Draws) -> int:
    closed = 0
    while page := await store.sessions(_OPEN, _PAGE, None):
        for row in page:
            events = decide(row.session, commands.CloseSession(outcome=Lifecycle.FAILED), draws.draw())
            await _commit(store, Changes(session=_after(row.session, events), events=events))
            closed += 1
    return closed


def _after(session: Session, events: tuple[Event, ...]) -> Session:
    for event in events:
        session = evolve(session, event)
    return session


async def _commit(store: Store, changes: Changes) -> None:
    async with store.begin() as transaction:
        await transaction.open(changes.session.id, None)
        await transaction.commit(changes)
