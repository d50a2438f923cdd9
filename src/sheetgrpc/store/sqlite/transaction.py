"""One command's or one run's hold on the writer: every method but `open` is one hop to the writer's thread.

The transaction begins with the first of them and is over with `commit`, or when its holder lets go. `open` alone needs
none: while somebody holds the writer nobody else changes our tables, so the last commit is what a transaction would
see, and the writes themselves are guarded (by version, request id and label). Should SQLite itself end the transaction
on the way (an interrupt rolls back, and so may a constraint of the user's own), nothing more is written: outside of a
transaction every statement would be its own.
"""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Concatenate, ParamSpec, TypeVar

from sheetgrpc.planning.model import Plan, Results
from sheetgrpc.session.tasks import Task
from sheetgrpc.store.base import Interrupted
from sheetgrpc.store.packing import Piece
from sheetgrpc.store.queries import load_queries, statements
from sheetgrpc.store.queue import QueueChange
from sheetgrpc.store.records import Changes, ExecutionRow, Held, Opened, RequestKey, Seen
from sheetgrpc.store.sqlite import effects, tasks, writes
from sheetgrpc.store.sqlite.calls import Desk
from sheetgrpc.store.sqlite.changes import commit, write_changes, write_queue
from sheetgrpc.store.sqlite.reads import find_labelled, is_as_read, read_opened
from sheetgrpc.store.sqlite.statements import Compiled
from sheetgrpc.store.sqlite.worker import Worker
from sheetgrpc.store.tasks import TaskChanges, TaskKey

_SQL = load_queries("sqlite")
_AGAIN_SECONDS = 0.02
P = ParamSpec("P")
T = TypeVar("T")


class SQLiteTransaction:
    """`store.base.Transaction` on SQLite."""

    def __init__(
        self,
        writer: Worker,
        compiled: Compiled | None,
        now: Callable[[], int],
        read: Callable[..., Awaitable[Any]],
    ) -> None:
        """`compiled` is the catalog's, needed for runs; `now` answers microseconds since 1970 UTC.

        `read` runs a function on a connection that sees the last commit, and answers what that does.
        """
        self._writer = writer
        self._read = read
        self._compiled = compiled
        self._now = now
        self.committed = False
        self._begun = False
        self._over = False
        self._desk = Desk()
        self._last: list[Callable[[sqlite3.Connection], None]] = []  # what goes with the commit: a trip less

    async def open(
        self, session_id: str | None, key: RequestKey | None, label: str = "", seen: Seen | None = None
    ) -> Opened:
        """Reads; nothing of it again where nothing was committed since it was `seen`."""
        if seen is not None and seen.commits == self._writer.commits and not self._begun:
            if not label or seen.row is None:
                return Opened(seen.row, None)
            finding = partial(find_labelled, label=label, owner=seen.row.session.owner)
            return Opened(seen.row, None, await self._read(finding))
        reading = partial(read_opened, session_id=session_id, key=key, now=self._now(), label=label)
        opened: Opened = await self._look(reading)
        return opened

    async def claim(self, execution: ExecutionRow) -> bool:
        """True if the stored execution still has this state and epoch."""
        claimed: bool = await self._look(partial(is_as_read, execution=execution))
        return claimed

    async def hold(self, execution: ExecutionRow, *, lapsed: bool = False) -> Held | None:
        """As `claim`: nobody else writes meanwhile, and there are no leases."""
        return Held() if not lapsed and await self.claim(execution) else None

    async def ask(self, execution: ExecutionRow, by: str, at: int) -> bool:  # noqa: ARG002  # the protocol's form
        """Nobody: whatever runs, runs in this process."""
        return False

    async def apply(self, plan: Plan, first: int, last: int, results: Results, *, collect: bool) -> int:
        """Writes batches of the plan."""
        return await self._run(writes.apply, self._catalog, plan, first, last, results, self._desk, collect=collect)

    async def recheck(self, plan: Plan, results: Results) -> None:
        """Dooms statements whose resolved keys have no row any more."""
        await self._run(writes.recheck, self._catalog.catalog, plan, results)

    async def record(self, execution: ExecutionRow, plan: Plan, results: Results) -> None:
        """Writes the result rows, with the commit."""
        self._check_not_over()
        self._last.append(
            partial(writes.record, execution=execution, plan=plan, results=results, catalog=self._catalog.catalog)
        )

    async def open_task(self, task_id: str, key: TaskKey | None) -> Task | None:
        """Reads, as `open` does."""
        reading = partial(tasks.open_task, task_id=task_id, key=key)
        found: Task | None = await self._look(reading)
        return found

    async def record_effects(self, execution: ExecutionRow, pieces: Sequence[Piece]) -> None:
        """Writes what the statements did to rows, with the commit."""
        self._check_not_over()
        self._last.append(partial(effects.record_effects, execution=execution, pieces=pieces))

    async def check_deferred(self) -> None:
        """Raises what the commit would raise."""
        await self._run(effects.check_deferred)

    async def commit(self, changes: Changes | TaskChanges | QueueChange) -> None:
        """Writes the changes and commits; the transaction is over."""
        await self._run(self._commit, changes)

    async def run_script(self, sql: str) -> None:
        """Runs the statements of a script and commits; the transaction is over."""
        await self.finish(lambda connection: [connection.execute(statement) for statement in statements(sql)])

    async def finish(self, write: Callable[[sqlite3.Connection], T]) -> T:
        """Has `write` do all there is to do, and commits; the transaction is over."""
        return await self._run(self._finish, write)

    async def touch(self) -> None:
        """Writes something that means nothing and commits, so that a sick disk shows; the transaction is over."""
        await self.finish(lambda connection: connection.execute(_SQL["touch"], {"now": self._now()}))

    def interrupt(self) -> None:
        """Fails the running statement; nothing once the transaction is over, when the writer is somebody else's."""
        if not self._over:
            self._desk.stop()
            self._writer.interrupt()
            # One that is about to begin is not hit, and nothing else would end it.
            asyncio.get_running_loop().call_later(_AGAIN_SECONDS, self.interrupt)

    async def end(self) -> None:
        """Rolls back whatever was begun and not committed."""
        ended, self._over = self._over, True
        if self._begun and not ended and not self._writer.closed:  # closed: the transaction went with the connection
            await self._writer.run(_roll_back)

    @property
    def _catalog(self) -> Compiled:
        assert self._compiled is not None, "prepare() comes before the first run"
        return self._compiled

    async def _look(self, reading: Callable[[sqlite3.Connection], T]) -> T:
        """What our own tables hold: as of the last commit that is, begun or not, until `commit` writes to them."""
        self._check_not_over()
        found: T = await self._read(reading)
        return found

    def _check_not_over(self) -> None:
        if self._over:
            raise RuntimeError("the transaction is over")

    async def _run(
        self, function: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        self._check_not_over()
        return await self._writer.run(self._within, lambda connection: function(connection, *args, **kwargs))

    def _within(self, connection: sqlite3.Connection, function: Callable[[sqlite3.Connection], T]) -> T:
        if not self._begun:
            _roll_back(connection)  # what a failing disk kept an earlier holder from
            connection.execute("BEGIN IMMEDIATE")
            self._begun = True
        _check_open(connection)
        outcome = function(connection)
        if not self._over:
            _check_open(connection)
        return outcome

    def _commit(self, connection: sqlite3.Connection, changes: Changes | TaskChanges | QueueChange) -> None:
        self._finish(connection, partial(_write, changes=changes, now=self._now()))

    def _finish(self, connection: sqlite3.Connection, write: Callable[[sqlite3.Connection], T]) -> T:
        try:
            for also in self._last:
                also(connection)
            done = write(connection)
            _check_open(connection)
            try:
                commit(connection)
            finally:  # whether one that fails took effect is not always known; before, it would count what is not there
                self._writer.commits += 1
            self.committed = True
            self._writer.failed = False
        except BaseException:
            _roll_back(connection)  # here and now: nothing half written may be committed by a second try
            raise
        finally:
            self._over = True
        return done


def _write(connection: sqlite3.Connection, changes: Changes | TaskChanges | QueueChange, now: int) -> None:
    match changes:
        case Changes():
            write_changes(connection, changes, now)
        case TaskChanges():
            tasks.write_task(connection, changes, now)
        case QueueChange():
            write_queue(connection, changes, now)


def _check_open(connection: sqlite3.Connection) -> None:
    if not connection.in_transaction:
        raise Interrupted("the database ended the transaction")


def _roll_back(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:
        connection.execute("ROLLBACK")
