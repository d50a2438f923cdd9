"""One command's or one run's transaction on a connection of its own.

It begins with the first call and is over with `commit`, or when its holder lets go. Where the database makes it give
way to another (a deadlock, a serialization failure), a command that has only read is begun again here; a run is told to
come back and starts anew. Nothing is ever sent outside of the transaction: after an error the server itself refuses.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from sheetgrpc.errors import Reason, Unavailable
from sheetgrpc.planning.model import Plan, Results
from sheetgrpc.session.tasks import Task
from sheetgrpc.store.base import ConstraintViolated, Interrupted
from sheetgrpc.store.packing import Piece
from sheetgrpc.store.postgres import effects, reads, tasks, writes
from sheetgrpc.store.postgres.changes import write_changes, write_queue
from sheetgrpc.store.postgres.connection import ANSWER_SECONDS, answering, drop
from sheetgrpc.store.postgres.queue import row_count
from sheetgrpc.store.postgres.refusals import DATABASE_ERRORS, Repeat, conflict, is_lost, refusal_of
from sheetgrpc.store.postgres.texts import storable
from sheetgrpc.store.queries import load_queries
from sheetgrpc.store.queue import QueueChange
from sheetgrpc.store.records import Changes, ExecutionRow, Held, Opened, RequestKey, Seen
from sheetgrpc.store.tasks import TaskChanges, TaskKey
from sheetgrpc.store.waiting import RETRY_AFTER, busy, closed, settled

if TYPE_CHECKING:
    from sheetgrpc.store.postgres.connection import Connection
    from sheetgrpc.store.postgres.statements import Compiled

T = TypeVar("T")
_SQL = load_queries("postgres")
_ATTEMPTS = 5
_ROLL_BACK_SECONDS = 10.0


class PostgresTransaction:
    """`store.base.Transaction` on PostgreSQL."""

    def __init__(
        self,
        connection: "Connection",
        compiled: "Compiled | None",
        now: Callable[[], int],
        query_timeout: float,
        lease: float = 0.0,
    ) -> None:
        """`compiled` is the catalog's, needed for runs; `now` answers microseconds since 1970 UTC.

        `query_timeout` is how long, in seconds, the commit of a run may take; `lease` how long a claim holds before it
        is renewed.
        """
        self._connection = connection
        self._compiled = compiled
        self._now = now
        self._lease = lease
        self._query_timeout = query_timeout
        self.committed = False
        self._begun = False
        self._over = False
        self._closed = False
        self._aborting: asyncio.Future[None] | None = None
        self._committing = False
        self._touched = False  # something was done that cannot simply be done again
        self._locked: tuple[str | None, str] = None, ""  # what `open` was asked for: a second try locks the same
        self._holder: str | None = None  # who had the label then
        self._locked_task = ""  # of `open_task`, likewise
        self._task: asyncio.Task[Any] | None = None  # whatever the call under way answers

    async def open(
        self,
        session_id: str | None,
        key: RequestKey | None,
        label: str = "",
        seen: Seen | None = None,  # noqa: ARG002  # locking reads what is there
    ) -> Opened:
        """Begins; locks the session and who has the label, and reads."""
        self._locked = session_id, label

        async def read(connection: "Connection") -> Opened:
            opened = await _lock(connection, session_id, label, key, self._now())
            self._holder = opened.holder.session.id if opened.holder is not None else None
            return opened

        return await self._run(self._brief(read))

    async def claim(self, execution: ExecutionRow) -> bool:
        """True if the stored execution still has this state and epoch."""
        return await self._run(self._brief(lambda connection: reads.is_as_read(connection, execution)))

    async def hold(self, execution: ExecutionRow, *, lapsed: bool = False) -> Held | None:
        """As `claim`, with the row locked."""
        return await self._run(self._brief(lambda connection: reads.hold(connection, execution, lapsed=lapsed)))

    async def ask(self, execution: ExecutionRow, by: str, at: int) -> bool:
        """Asks whoever runs it to stop."""
        values = execution.id, execution.epoch, storable(by), at
        done = await self._touch(self._brief(lambda connection: connection.execute(_SQL["ask"], *values)))
        return row_count(done) > 0

    async def recheck(self, plan: Plan, results: Results) -> None:
        """Dooms statements whose resolved keys have no row any more."""
        await self._touch(lambda connection: writes.recheck(connection, self._catalog, plan, results))

    async def apply(self, plan: Plan, first: int, last: int, results: Results, *, collect: bool) -> int:
        """Writes batches of the plan."""
        batches = writes.Batches(self._connection, self._catalog, plan, results, collect=collect)
        return await self._touch(lambda _: batches.apply(first, last))

    async def record(self, execution: ExecutionRow, plan: Plan, results: Results) -> None:
        """Writes the result rows."""
        catalog = self._catalog.catalog
        await self._touch(lambda connection: writes.record(connection, execution, plan, results, catalog))

    async def open_task(self, task_id: str, key: TaskKey | None) -> Task | None:
        """Locks a task that is meant by its id, and reads."""
        self._locked_task = task_id
        return await self._run(self._brief(lambda connection: tasks.open_task(connection, task_id, key)))

    async def record_effects(self, execution: ExecutionRow, pieces: Sequence[Piece]) -> None:
        """Writes what the statements did to rows."""
        await self._touch(lambda connection: effects.record_effects(connection, execution, pieces))

    async def check_deferred(self) -> None:
        """Raises what the commit would raise."""
        await self._touch(effects.check_deferred)

    async def commit(self, changes: Changes | TaskChanges | QueueChange) -> None:
        """Writes the changes and commits; the transaction is over."""

        async def write(connection: "Connection") -> None:
            match changes:
                case Changes():
                    await write_changes(connection, changes, self._now(), self._lease)
                case TaskChanges():
                    await tasks.write_task(connection, changes, self._now())
                case QueueChange():
                    await write_queue(connection, changes, self._now())

        await self.finish(write)

    async def run_script(self, sql: str) -> None:
        """Runs the statements of a script and commits; the transaction is over. One such at a time."""

        async def run(connection: "Connection") -> None:
            await connection.execute(_SQL["lock_migrations"])
            await connection.execute(sql)

        await self.finish(run)

    async def finish(self, work: "Callable[[Connection], Awaitable[T]]") -> T:
        """Has `work` do all there is to do, and commits; the transaction is over."""
        try:
            return await self._run(lambda connection: self._finish(connection, work), again=self._lock_again)
        finally:
            self._over = True

    async def execute(self, work: "Callable[[Connection], Awaitable[T]]") -> T:
        """Does `work` within the transaction; for tests and programs beside the service."""
        return await self._touch(work)

    def interrupt(self) -> None:
        """Makes the running statement fail; nothing between statements, nor once the commit is on its way."""
        if self._task is not None and not self._over and not self._committing:
            self._task.cancel()

    async def end(self) -> None:
        """Rolls back whatever was not committed."""
        self._over = True
        if not self._begun and self._aborting is None:
            return
        # While `abort` rolls back, the connection is not free to be given back.
        await settled(self._aborting or asyncio.ensure_future(self._roll_back()))

    async def abort(self) -> None:
        """Ends it from outside, when the call under way is done or has had its time: the store closes."""
        self._closed = True
        if self._aborting is None:
            self._aborting = asyncio.ensure_future(self._abort())
        await asyncio.shield(self._aborting)

    @property
    def _catalog(self) -> "Compiled":
        assert self._compiled is not None, "prepare() comes before the first run"
        return self._compiled

    async def _abort(self) -> None:
        if self._task is not None:
            done, _ = await asyncio.wait([self._task], timeout=_ROLL_BACK_SECONDS)
            if not done:
                drop(self._connection)
                await asyncio.wait([self._task])
        await self._roll_back()

    def _brief(self, work: "Callable[[Connection], Awaitable[T]]") -> "Callable[[Connection], Awaitable[T]]":
        """`work` with a limit. A run's has none: it takes as long as it takes, and whoever runs it interrupts it."""

        async def limited(connection: "Connection") -> T:
            with answering(connection, ANSWER_SECONDS):
                return await work(connection)

        return work if self._touched else limited

    async def _touch(self, work: "Callable[[Connection], Awaitable[T]]") -> T:
        self._touched = True
        return await self._run(work)

    async def _run(
        self,
        work: "Callable[[Connection], Awaitable[T]]",
        again: "Callable[[Connection], Awaitable[None]] | None" = None,
    ) -> T:
        """What `work` answers, in a task that the caller's cancellation does not reach. See `_within`."""
        if self._closed:
            raise closed()
        if self._over:
            raise RuntimeError("the transaction is over")
        task = asyncio.ensure_future(self._within(work, again))
        self._task = task
        try:
            return await settled(task)
        except asyncio.CancelledError:
            caller = asyncio.current_task()
            if task.cancelled() and (caller is None or not caller.cancelling()):
                # By `interrupt`, before it had so much as begun: it is the statement that ends, not who waits for it.
                raise Interrupted("the statement was interrupted") from None
            raise
        finally:
            self._task = None

    async def _within(
        self,
        work: "Callable[[Connection], Awaitable[T]]",
        again: "Callable[[Connection], Awaitable[None]] | None",
    ) -> T:
        """Begins if need be. Where the transaction had to give way: begins again, `again` first, then `work`."""
        for _ in range(_ATTEMPTS):
            try:
                return await self._once(work, again)
            except Repeat:
                if self._touched:
                    raise busy() from None
                await self._roll_back()
            except BaseException:
                if not self._touched:
                    await self._roll_back()
                raise
        raise conflict()

    async def _once(
        self,
        work: "Callable[[Connection], Awaitable[T]]",
        again: "Callable[[Connection], Awaitable[None]] | None",
    ) -> T:
        connection = self._connection
        try:
            if not self._begun:
                with answering(connection, ANSWER_SECONDS):
                    await connection.execute("BEGIN")
                    self._begun = True
                    if again is not None:
                        await again(connection)
            return await work(connection)
        except asyncio.CancelledError:  # by `interrupt`: nobody else has this task
            raise Interrupted("the statement was interrupted") from None
        except DATABASE_ERRORS as error:
            refusal = refusal_of(error)
            if refusal is None:
                raise
            raise refusal from error

    async def _lock_again(self, connection: "Connection") -> None:
        """What changed meanwhile, the changes' own guards see: versions, replies, the execution's epoch."""
        session_id, label = self._locked
        holder = (await _lock(connection, session_id, label, None, 0)).holder
        if label and (holder.session.id if holder is not None else None) != self._holder:
            raise conflict()
        if self._locked_task:
            await tasks.open_task(connection, self._locked_task, None)

    async def _finish(self, connection: "Connection", work: "Callable[[Connection], Awaitable[T]]") -> T:
        try:
            done = await self._brief(work)(connection)
            await self._commit(connection)
        except BaseException:
            await self._roll_back()  # here and now: nothing half written may be committed by a second try
            raise
        return done

    async def _commit(self, connection: "Connection") -> None:
        self._committing = True
        try:
            with answering(connection, max(ANSWER_SECONDS, self._query_timeout if self._touched else 0)):
                done = await connection.execute("COMMIT")
        except DATABASE_ERRORS as error:
            self._begun = not is_lost(error)
            raise _commit_failure(error) from error
        finally:
            self._committing = False
        self._begun = False
        if done != "COMMIT":  # the server says ROLLBACK where an earlier statement had failed
            raise Interrupted("the database ended the transaction")
        self.committed = True

    async def _roll_back(self) -> None:
        if not self._begun:
            return
        self._begun = False
        try:
            async with asyncio.timeout(_ROLL_BACK_SECONDS):
                await self._connection.execute("ROLLBACK")
        except DATABASE_ERRORS:
            drop(self._connection)  # the server rolls back what has no connection


async def _lock(
    connection: "Connection", session_id: str | None, label: str, key: RequestKey | None, now: int
) -> Opened:
    """The session and who has the label, both held until the transaction ends, the label before them; and the reply."""
    holder = await reads.hold_label(connection, label, session_id) if label and session_id is not None else None
    ids = [one for one in dict.fromkeys((session_id, holder)) if one is not None]
    if not ids:
        return Opened(row=None, reply=await reads.read_reply(connection, key, now) if key is not None else None)
    found, reply = await reads.lock_sessions(connection, ids, key, now)
    return Opened(row=found.get(session_id or ""), reply=reply, holder=found.get(holder or ""))


def _commit_failure(error: BaseException) -> Exception:
    """What a COMMIT that failed means."""
    if is_lost(error):
        return Unavailable(
            Reason.OUTCOME_UNKNOWN,
            "the connection was lost while the change was committed; send the same request again to learn what became"
            " of it",
            retry_after=RETRY_AFTER,
        )
    refusal = refusal_of(error)
    if refusal is not None:
        return refusal
    table = getattr(error, "table_name", None) or "a table"
    name = getattr(error, "constraint_name", None)
    return ConstraintViolated(f"constraint {name} of {table}" if name else f"a rule of {table}")
