"""Batches of calls on PostgreSQL: the loop answers what their handlers ask, until they are done or stopped.

Identifiers are of the catalog and the live tables, and quoted; values are bound as texts that the column's type reads.
"""

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING

from sheetgrpc.planning.model import Cell, ErrorCode, Group, Key, Plan, Results, StatementError
from sheetgrpc.store.base import Interrupted
from sheetgrpc.store.batches import Failure
from sheetgrpc.store.calling.asking import MOST_CHANGED, Changed, Delete, End, Find, Insert, Place, Question, Update
from sheetgrpc.store.calling.batch import Calling, failed_all, pieces
from sheetgrpc.store.calling.call import Statement
from sheetgrpc.store.calling.job import Done, Job, Message, Outcome, Stopped
from sheetgrpc.store.postgres.refusals import DATABASE_ERRORS
from sheetgrpc.store.postgres.statements import Live
from sheetgrpc.store.postgres.tables import LiveColumn, quote_table
from sheetgrpc.store.postgres.verbs import failure_of, read_row, text_of
from sheetgrpc.store.shapes import quote

if TYPE_CHECKING:
    from sheetgrpc.store.postgres.connection import Connection


class Calls:
    """The calls of one run."""

    def __init__(
        self, connection: "Connection", calling: Calling, live: Live, plan: Plan, results: Results, *, collect: bool
    ) -> None:
        """`collect`: goes on after a failure."""
        self._connection = connection
        self._calling = calling
        self._live = live
        self._plan = plan
        self._results = results
        self._collect = collect

    async def run(self, group: Group, start: int, stop: int) -> bool:
        """Runs the calls of a batch; True if all went well. Raises Interrupted."""
        well = True
        for begin, end in pieces(start, stop):
            statements = self._calling.statements(group, begin, end, self._results)
            outcomes = await self._run(statements)
            well = self._calling.settle(self._plan, self._results, outcomes) and well
            if not well and not self._collect:
                return False
        return well

    async def _run(self, statements: list[Statement]) -> list[Outcome]:
        loop = asyncio.get_running_loop()
        inbox: asyncio.Queue[Message] = asyncio.Queue()

        def post(message: Message) -> None:
            loop.call_soon_threadsafe(inbox.put_nowait, message)

        if self._results.stop:
            raise Interrupted("the run was told to stop")
        job = Job(statements, self._results, post, collect=self._collect, dry_run=self._results.dry_run)
        try:
            self._calling.threads.run(job)
            return await self._serve(job, inbox)
        except Failure as failure:
            return failed_all(statements, failure.error, collect=self._collect)
        except BaseException:  # `interrupt` cancels the task that waits here
            job.stop()
            raise

    async def _serve(self, job: Job, inbox: asyncio.Queue[Message]) -> list[Outcome]:
        """Answers until the job is done. Where others go on after a failure, each call has a savepoint once it asks."""
        saved = False
        while True:
            message = await inbox.get()
            if isinstance(message, Done):
                if message.error is not None:
                    raise message.error
                return message.outcomes
            if isinstance(message, Stopped) or job.stopped:
                raise Interrupted("the run was told to stop")
            if isinstance(message, End):
                if saved:
                    await self._connection.execute("RELEASE call" if message.well else "ROLLBACK TO call; RELEASE call")
                saved = False
                continue
            if self._collect and not saved:
                await self._connection.execute("SAVEPOINT call")
                saved = True
            try:
                job.answer(await self._answer(message))
            except Failure as failure:
                job.fail(failure)

    async def _answer(self, question: Question) -> object:
        """What a handler gets. Raises Failure for what is its statement's fault."""
        try:
            match question:
                case Find():
                    return await self._find(question)
                case Insert():
                    return await self._insert(question)
                case Update():
                    return await self._update(question)
                case Delete():
                    return await self._delete(question)
        except DATABASE_ERRORS as error:
            failure = failure_of(question.place.reach.table, "call", error)
            if failure is None:
                raise
            raise failure from error

    async def _find(self, question: Find) -> list[dict[str, object]]:
        named = ", ".join(f"t.{quote(name)}" for name in question.columns)
        texts: list[str | None] = []
        sql = (
            f"SELECT row_to_json(s)::text FROM (SELECT {named} FROM {quote_table(question.place.reach.table)} AS t"
            f" WHERE {self._where(question.place, question.where, texts)}{_order(question.place)}"
            f" LIMIT {question.limit}) AS s"
        )
        return [read_row(text) for (text,) in await self._connection.fetch(sql, *texts)]

    async def _insert(self, question: Insert) -> Key | None:
        place, columns = question.place, self._columns(question.place)
        texts = [_text(cell, columns[name]) for name, cell in question.values.items()]
        names = ", ".join(map(quote, question.values))
        values = ", ".join(columns[name].cast(f"${at}::text") for at, name in enumerate(question.values, 1))
        given = f" ({names}) VALUES ({values})" if texts else " DEFAULT VALUES"
        sql = f"INSERT INTO {quote_table(place.reach.table)} AS t{given} RETURNING {_key(place)}"
        made = await self._connection.fetch(sql, *texts)
        if not made:
            raise Failure(_skipped(place.reach.table))
        key: Key | None = made[0][0]
        return key

    async def _update(self, question: Update) -> list[Changed]:
        place, columns = question.place, self._columns(question.place)
        texts = [_text(cell, columns[name]) for name, cell in question.values.items()]
        places = {name: f"${at}::text" for at, name in enumerate(question.values, 1)}
        differs = " OR ".join(columns[name].differs(f"t.{quote(name)}", text) for name, text in places.items())
        found = await self._before(place, question.where, list(question.values), differs, list(texts))
        if any(row.differs for row in found):
            sets = ", ".join(f"{quote(name)} = {columns[name].cast(text)}" for name, text in places.items())
            where = self._where(place, question.where, texts)
            sql = f"UPDATE {quote_table(place.reach.table)} AS t SET {sets} WHERE {where}"
            _require_all(place, await self._connection.execute(sql, *texts), len(found))
        return found

    async def _delete(self, question: Delete) -> list[Changed]:
        place = question.place
        found = await self._before(place, question.where, list(place.columns), "true", [])
        if found:
            texts: list[str | None] = []
            where = self._where(place, question.where, texts)
            sql = f"DELETE FROM {quote_table(place.reach.table)} AS t WHERE {where}"
            _require_all(place, await self._connection.execute(sql, *texts), len(found))
        return found

    async def _before(
        self, place: Place, where: Mapping[str, Cell], columns: list[str], differs: str, texts: list[str | None]
    ) -> list[Changed]:
        """The rows that a change is about, as they are, and locked so that they stay so."""
        named = ", ".join(f"t.{quote(name)}" for name in columns)
        sql = (
            f"SELECT {_key(place)}, {differs}, row_to_json((SELECT s FROM (SELECT {named}) AS s))::text"
            f" FROM {quote_table(place.reach.table)} AS t WHERE {self._where(place, where, texts)}{_order(place)}"
            f" LIMIT {MOST_CHANGED + 1} FOR UPDATE OF t"
        )
        rows = await self._connection.fetch(sql, *texts)
        if len(rows) > MOST_CHANGED:
            message = f"{place.reach.table}: more than {MOST_CHANGED:,} rows are selected"
            raise Failure(StatementError(ErrorCode.INVALID_ARGUMENT, message))
        return [Changed(key, read_row(text), bool(changes)) for key, changes, text in rows]

    def _where(self, place: Place, where: Mapping[str, Cell], texts: list[str | None]) -> str:
        """The condition; its values are added to `texts`."""
        tests: list[str] = []
        columns = self._columns(place)
        for name, cell in where.items():
            if cell is None:
                tests.append(f"t.{quote(name)} IS NULL")
                continue
            texts.append(_text(cell, columns[name]))
            tests.append(f"t.{quote(name)} = {columns[name].cast(f'${len(texts)}::text')}")
        return " AND ".join(tests) or "true"

    def _columns(self, place: Place) -> Mapping[str, LiveColumn]:
        return self._live.columns[place.reach.table]


def _key(place: Place) -> str:
    if place.entity is None or place.key is None:
        return "NULL::text"
    return f"t.{quote(place.key)}::{'bigint' if place.entity.key.type == 'integer' else 'text'}"


def _order(place: Place) -> str:
    return f" ORDER BY {', '.join(f't.{quote(name)}' for name in place.order)}" if place.order else ""


def _text(cell: Cell, column: LiveColumn) -> str | None:
    return cell if cell is None or isinstance(cell, str) else text_of(cell, number=column.category == "N")


def _require_all(place: Place, done: str, count: int) -> None:
    if int(done.rpartition(" ")[2]) < count:
        raise Failure(_skipped(place.reach.table))


def _skipped(table: str) -> StatementError:
    return StatementError(ErrorCode.DB_CONSTRAINT, f"{table}: the table's own rules skipped the row", "trigger")
