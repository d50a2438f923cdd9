"""Batches of calls on SQLite: the writer's thread answers what their handlers ask, until they are done or stopped.

Identifiers are of the catalog and the live tables, and quoted; values are bound.
"""

import sqlite3
from collections.abc import Mapping
from queue import SimpleQueue

from sheetgrpc.planning.model import Cell, ErrorCode, Group, Key, Plan, Results, StatementError
from sheetgrpc.store.base import Interrupted
from sheetgrpc.store.batches import Failure
from sheetgrpc.store.calling.asking import MOST_CHANGED, Changed, Delete, End, Find, Insert, Question, Update
from sheetgrpc.store.calling.batch import Calling, failed_all, pieces
from sheetgrpc.store.calling.call import Statement
from sheetgrpc.store.calling.job import Done, Job, Message, Outcome, Stopped
from sheetgrpc.store.shapes import quote
from sheetgrpc.store.sqlite.verbs import failures, plain


class Desk:
    """Where whoever interrupts a transaction finds the job that its thread waits for."""

    def __init__(self) -> None:
        self.job: Job | None = None

    def stop(self) -> None:
        """Stops the job, if there is one; from any thread."""
        job = self.job
        if job is not None:
            job.stop()


def run_calls(
    connection: sqlite3.Connection,
    calling: Calling,
    desk: Desk,
    plan: Plan,
    group: Group,
    start: int,
    stop: int,
    results: Results,
    *,
    collect: bool,
) -> bool:
    """Runs the calls of a batch; True if all went well. Raises Interrupted."""
    well = True
    for begin, end in pieces(start, stop):
        statements = calling.statements(group, begin, end, results)
        outcomes = _run(connection, calling, desk, statements, results, collect=collect)
        well = calling.settle(plan, results, outcomes) and well
        if not well and not collect:
            return False
    return well


def _run(
    connection: sqlite3.Connection,
    calling: Calling,
    desk: Desk,
    statements: list[Statement],
    results: Results,
    *,
    collect: bool,
) -> list[Outcome]:
    inbox: SimpleQueue[Message] = SimpleQueue()
    job = desk.job = Job(statements, results, inbox.put, collect=collect, dry_run=results.dry_run)
    try:
        if results.stop:  # looked at once the job can be found: whoever stops sets this first
            raise Interrupted("the run was told to stop")
        calling.threads.run(job)
        return _serve(connection, job, inbox, collect=collect)
    except Failure as failure:
        return failed_all(statements, failure.error, collect=collect)
    except BaseException:
        job.stop()
        raise
    finally:
        desk.job = None


def _serve(connection: sqlite3.Connection, job: Job, inbox: SimpleQueue[Message], *, collect: bool) -> list[Outcome]:
    """Answers until the job is done. Where others go on after a failure, each call that changes has a savepoint."""
    saved = False
    while True:
        message = inbox.get()
        if isinstance(message, Done):
            if message.error is not None:
                raise message.error
            return message.outcomes
        if isinstance(message, Stopped) or job.stopped:  # who stopped it may have come before what is asked now
            raise Interrupted("the run was told to stop")
        if isinstance(message, End):
            _end(connection, message, saved=saved)
            saved = False
            continue
        if collect and not saved and not isinstance(message, Find):
            connection.execute("SAVEPOINT call")
            saved = True
        try:
            job.answer(_answer(connection, message))
        except Failure as failure:
            job.fail(failure)


def _end(connection: sqlite3.Connection, end: End, *, saved: bool) -> None:
    if saved and not end.well:
        connection.execute("ROLLBACK TO call")
    if saved:
        connection.execute("RELEASE call")


def _answer(connection: sqlite3.Connection, question: Question) -> object:
    """What a handler gets. Raises Failure for what is its statement's fault."""
    with failures(connection, question.place.reach.table, "call"):
        match question:
            case Find():
                return _find(connection, question)
            case Insert():
                return _insert(connection, question)
            case Update():
                return _update(connection, question)
            case Delete():
                return _delete(connection, question)


def _find(connection: sqlite3.Connection, question: Find) -> list[dict[str, object]]:
    columns = ", ".join(map(quote, question.columns))
    table = quote(question.place.reach.table)
    order = ", ".join(map(quote, question.place.order)) or "1"
    sql = f"SELECT {columns} FROM {table} WHERE {_where(question.where)} ORDER BY {order} LIMIT ?"
    rows = connection.execute(sql, [*_values(question.where), question.limit]).fetchall()
    return [dict(zip(question.columns, map(plain, row), strict=True)) for row in rows]


def _insert(connection: sqlite3.Connection, question: Insert) -> Key | None:
    place = question.place
    sql = f"INSERT INTO {quote(place.reach.table)}"
    if question.values:
        names = ", ".join(map(quote, question.values))
        sql += f" ({names}) VALUES ({', '.join('?' * len(question.values))})"
    else:
        sql += " DEFAULT VALUES"
    sql += f" RETURNING {quote(place.key) if place.key is not None else 'NULL'}"
    made = connection.execute(sql, list(question.values.values())).fetchall()
    if not made:
        raise Failure(_skipped(place.reach.table))
    (key,) = made[0]
    return key if isinstance(key, (str, int)) else None


def _update(connection: sqlite3.Connection, question: Update) -> list[Changed]:
    table, where = quote(question.place.reach.table), _where(question.where)
    differs = " OR ".join(f"{quote(name)} IS NOT ?" for name in question.values)
    found = _before(connection, question, list(question.values), differs, list(question.values.values()))
    if any(row.differs for row in found):
        sets = ", ".join(f"{quote(name)} = ?" for name in question.values)
        values = [*question.values.values(), *_values(question.where)]
        done = connection.execute(f"UPDATE {table} SET {sets} WHERE {where}", values)
        if done.rowcount < len(found):
            raise Failure(_skipped(question.place.reach.table))
    return found


def _delete(connection: sqlite3.Connection, question: Delete) -> list[Changed]:
    found = _before(connection, question, [*question.place.columns], "1", [])
    if found:
        table, where = quote(question.place.reach.table), _where(question.where)
        done = connection.execute(f"DELETE FROM {table} WHERE {where}", _values(question.where))
        if done.rowcount < len(found):
            raise Failure(_skipped(question.place.reach.table))
    return found


def _before(
    connection: sqlite3.Connection, question: Update | Delete, columns: list[str], differs: str, values: list[Cell]
) -> list[Changed]:
    """The rows that a change is about, as they are."""
    place = question.place
    key = quote(place.key) if place.key is not None else "NULL"
    named = "".join(f", {quote(name)}" for name in columns)
    order = ", ".join(map(quote, place.order)) or "1"
    sql = (
        f"SELECT {key}, {differs}{named} FROM {quote(place.reach.table)}"
        f" WHERE {_where(question.where)} ORDER BY {order} LIMIT {MOST_CHANGED + 1}"
    )
    rows = connection.execute(sql, [*values, *_values(question.where)]).fetchall()
    if len(rows) > MOST_CHANGED:
        message = f"{place.reach.table}: more than {MOST_CHANGED:,} rows are selected"
        raise Failure(StatementError(ErrorCode.INVALID_ARGUMENT, message))
    return [
        Changed(found, dict(zip(columns, map(plain, cells), strict=True)), bool(changes))
        for found, changes, *cells in rows
    ]


def _where(where: Mapping[str, Cell]) -> str:
    tests = (f"{quote(name)} {'IS NULL' if cell is None else '= ?'}" for name, cell in where.items())
    return " AND ".join(tests) or "1"


def _values(where: Mapping[str, Cell]) -> list[Cell]:
    return [cell for cell in where.values() if cell is not None]


def _skipped(table: str) -> StatementError:
    return StatementError(ErrorCode.DB_CONSTRAINT, f"{table}: the table's own rules skipped the row", "trigger")
