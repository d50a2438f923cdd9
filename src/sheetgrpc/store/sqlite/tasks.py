"""Tasks on SQLite: `TaskReads`, and what a transaction reads and writes of them."""

import sqlite3
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from sheetgrpc.errors import Conflict, Reason
from sheetgrpc.session.model import TaskState
from sheetgrpc.session.tasks import Task, TaskEvent, TaskReader
from sheetgrpc.store.queries import load_queries
from sheetgrpc.store.records import Changes
from sheetgrpc.store.sqlite.changes import write_reply, write_state
from sheetgrpc.store.tasks import Belonging, TaskChanges, TaskFilter, TaskKey, missing_task

_SQL = load_queries("sqlite")
_END_OF_TIME = (2**63 - 1, "")
# A list is read from the index of the first of these that is asked for: the one that leaves the fewest, as a rule.
_NARROWED = {
    "session_id": "tasks_of_session",
    "parent_id": "tasks_about",
    "trace_id": "tasks_of_trace",
    "to_role": "tasks_for_role",
}

_encode = msgspec.json.Encoder().encode
_task = msgspec.json.Decoder(Task)
_event = msgspec.json.Decoder(TaskEvent)
_counts = msgspec.json.Decoder(dict[TaskState, int])


class SQLiteTasks:
    """`store.tasks.TaskReads` on SQLite."""

    def __init__(self, read: Callable[..., Awaitable[Any]], read_near: Callable[..., Awaitable[Any]]) -> None:
        """Both run a function of a connection and its arguments, `read_near` on the loop: what they answer is its."""
        self._read = read
        self._read_near = read_near

    async def get(self, task_id: str, reader: TaskReader | None = None) -> Task:
        """By id."""
        found: Task | None = await self._read_near(_find, task_id.upper())
        if found is None or (reader is not None and not reader.sees(found)):
            raise missing_task(task_id)
        return found

    async def of_key(self, key: TaskKey) -> Task | None:
        """By its creator's key."""
        found: Task | None = await self._read_near(open_task, "", key)
        return found

    async def events(self, task_id: str, limit: int) -> list[TaskEvent]:
        """The last changes, by version."""
        found: list[TaskEvent] = await self._read(_read_events, task_id, limit)
        return found

    async def list(
        self, wanted: TaskFilter, limit: int, before: tuple[int, str] | None, reader: TaskReader | None = None
    ) -> list[Task]:
        """A page, newest first."""
        found: list[Task] = await self._read(_list, wanted, limit, before, reader)
        return found

    async def of_session(self, session_id: str, served: str, limit: int, reader: TaskReader | None = None) -> Belonging:
        """Those made for a session, and the one it serves."""
        asked = {"session_id": session_id, "served": served.upper(), "limit": limit} | _eyes(reader)
        found: Belonging = await self._read(_gather, "tasks_around_session", asked)
        return found

    async def of_task(self, task_id: str, limit: int, reader: TaskReader | None = None) -> Belonging:
        """A task and those about it."""
        asked = {"id": task_id, "limit": limit} | _eyes(reader)
        found: Belonging = await self._read(_gather, "tasks_around_task", asked)
        return found


def open_task(connection: sqlite3.Connection, task_id: str, key: TaskKey | None) -> Task | None:
    """By id, or else by key."""
    if task_id:
        return _find(connection, task_id)
    if key is None:
        return None
    row = connection.execute(_SQL["task_of_key"], msgspec.structs.asdict(key)).fetchone()
    return _task.decode(row[0]) if row is not None else None


def write_task(connection: sqlite3.Connection, changes: TaskChanges, now: int) -> None:
    """Everything but the COMMIT. Raises Conflict."""
    task = changes.task
    if changes.session is not None:
        session, events = changes.session.session, changes.session.events
        write_state(connection, Changes(session=session, events=events, active_at=changes.active_at))
    row = {name: getattr(task, name) for name in _COLUMNS} | {"body": _encode(task)}
    if connection.execute(_SQL["add_task" if task.version == 1 else "change_task"], row).rowcount != 1:
        raise Conflict(Reason.CONFLICT, f'task "{task.id}" was changed by another command; read it again')
    event = changes.event
    connection.execute(_SQL["add_task_event"], {"task_id": task.id, "version": event.version, "body": _encode(event)})
    if changes.reply is not None:
        write_reply(connection, changes.reply, now)


_COLUMNS = (
    "id",
    "created_at",
    "updated_at",
    "kind",
    "state",
    "version",
    "from_role",
    "to_role",
    "description",
    "trace_id",
    "created_by",
    "idempotency_key",
    "session_id",
    "parent_id",
)


def _find(connection: sqlite3.Connection, task_id: str) -> Task | None:
    row = connection.execute(_SQL["task"], {"id": task_id}).fetchone()
    return _task.decode(row[0]) if row is not None else None


def _read_events(connection: sqlite3.Connection, task_id: str, limit: int) -> list[TaskEvent]:
    rows = connection.execute(_SQL["task_events"], {"task_id": task_id, "limit": limit}).fetchall()
    return [_event.decode(body) for (body,) in reversed(rows)]


def _list(
    connection: sqlite3.Connection,
    wanted: TaskFilter,
    limit: int,
    before: tuple[int, str] | None,
    reader: TaskReader | None,
) -> list[Task]:
    created_at, task_id = before or _END_OF_TIME
    name = next((query for field, query in _NARROWED.items() if getattr(wanted, field)), "tasks")
    parameters = (
        msgspec.structs.asdict(wanted)
        | _eyes(reader)
        | {
            "kinds": _encode(wanted.kinds).decode(),
            "states": _encode(wanted.states).decode(),
            "created_at": created_at,
            "id": task_id,
            "limit": limit,
        }
    )
    return [_task.decode(body) for (body,) in connection.execute(_SQL[name], parameters).fetchall()]


def _eyes(reader: TaskReader | None) -> dict[str, object]:
    """What the queries take of a reader."""
    if reader is None:
        return {"reader": None, "roles": "[]"}
    return {"reader": reader.name, "roles": _encode(reader.roles).decode()}


def _gather(connection: sqlite3.Connection, query: str, asked: dict[str, object]) -> Belonging:
    rows = connection.execute(_SQL[query], asked).fetchall()
    if not rows:
        return Belonging()
    _, counts, trace_id = rows[0]
    return Belonging(tuple(_task.decode(body) for body, _, _ in rows), _counts.decode(counts), trace_id or "")
