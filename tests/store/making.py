"""Makes what the contract suite writes into stores."""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from sheetgrpc.clock import Draws
from sheetgrpc.session.events import SessionCreated
from sheetgrpc.session.model import ExecutionState, Mode, Session
from sheetgrpc.store.base import Transaction
from sheetgrpc.store.postgres.transaction import PostgresTransaction
from sheetgrpc.store.records import Changes, ExecutionRow, RequestKey, SheetRow, StoredReply
from sheetgrpc.store.sqlite.transaction import SQLiteTransaction

Commit: TypeAlias = Callable[[Changes], Awaitable[None]]
FAR = 2**60  # beyond every clock


class Made:
    """Makes sessions, sheets, executions with fresh ids."""

    def __init__(self) -> None:
        self._draws = Draws()

    def id(self) -> str:
        return self._draws.draw().id

    def session(self, **fields: object) -> Session:
        draw = self._draws.draw()
        return Session(**{"id": draw.id, "version": 1, "created_at": draw.now, "updated_at": draw.now} | fields)  # type: ignore[arg-type]  # any of Session's

    def created(self, session: Session, **more: object) -> Changes:
        event = SessionCreated(at=session.created_at, id=session.id)
        return Changes(session=session, events=(event,), created=True, **more)  # type: ignore[arg-type]  # any of Changes'

    def sheet(self, session: Session, source: bytes = b"(cbu.ensure)") -> SheetRow:
        return SheetRow(self.id(), session.id, "d" * 64, source, 1, session.created_at)

    def execution(self, session: Session, sheet: SheetRow, **fields: object) -> ExecutionRow:
        draw = self._draws.draw()
        known = {
            "id": draw.id,
            "session_id": session.id,
            "sheet_id": sheet.id,
            "sheet_digest": sheet.digest,
            "mode": Mode.ATOMIC,
            "state": ExecutionState.QUEUED,
            "submitted_at": draw.now,
            "statements_total": 1,
            "phases_total": 1,
        }
        return ExecutionRow(**known | fields)  # type: ignore[arg-type]  # any of ExecutionRow's

    def reply(self, session: Session, request_id: str = "r-1", expires_at: int = FAR) -> StoredReply:
        key = RequestKey("anonymous", "CreateSession", "", request_id)
        return StoredReply(key, b"fingerprint", b"\x00reply\xff", session.id, expires_at)


async def add(transaction: Transaction, thing: str, parent: str | None = None) -> None:
    """Inserts a row into the user's table `things`: what a batch of a plan does, in short."""
    if isinstance(transaction, PostgresTransaction):
        await transaction.execute(lambda c: c.execute("INSERT INTO things (id, parent) VALUES ($1, $2)", thing, parent))
    else:
        assert isinstance(transaction, SQLiteTransaction)
        await transaction._run(lambda c: c.execute("INSERT INTO things (id, parent) VALUES (?, ?)", (thing, parent)))
