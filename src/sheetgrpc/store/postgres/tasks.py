"""Tasks on PostgreSQL: `TaskReads`, and what a transaction reads and writes of them."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import msgspec

from sheetgrpc.errors import Conflict, Reason
from sheetgrpc.session.model import TaskState
from sheetgrpc.session.tasks import Task, TaskEvent, TaskReader
from sheetgrpc.store.postgres.changes import write_reply, write_state
from sheetgrpc.store.postgres.queue import row_count
from sheetgrpc.store.postgres.texts import storable
from sheetgrpc.store.queries import load_queries
from sheetgrpc.store.records import Changes
from sheetgrpc.store.tasks import Belonging, TaskChanges, TaskFilter, TaskKey, missing_task

if TYPE_CHECKING:
    from sheetgrpc.store.postgres.connection import Connection

_SQL = load_queries("postgres")
_END_OF_TIME = (2**63 - 1, "")
# A list is read by the query of the first of these that is asked for: the one that leaves the fewest, as a rule.
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


class PostgresTasks:
    """`store.tasks.TaskReads` on PostgreSQL."""

    def __init__(self, read: Callable[..., Awaitable[Any]]) -> None:
        """`read` runs a function of a connection and its arguments: what it answers is that function's."""
        self._read = read

    async def get(self, task_id: str, reader: TaskReader | None = None) -> Task:
        """By id."""
        found: Task | None = await self._read(_find, "task", storable(task_id.upper()))
        if found is None or (reader is not None and not reader.sees(found)):
            raise missing_task(task_id)
        return found

    async def of_key(self, key: TaskKey) -> Task | None:
        """By its creator's key."""
        found: Task | None = await self._read(open_task, "", key)
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
        asked = session_id, storable(served.upper()), limit, *_eyes(reader)
        found: Belonging = await self._read(_gather, "tasks_around_session", *asked)
        return found

    async def of_task(self, task_id: str, limit: int, reader: TaskReader | None = None) -> Belonging:
        """A task and those about it."""
        found: Belonging = await self._read(_gather, "tasks_around_task", task_id, limit, *_eyes(reader))
        return found


async def open_task(connection: "Connection", task_id: str, key: TaskKey | None) -> Task | None:
    """By id, held until the transaction ends; or else by key, which no command ever changes."""
    if task_id:
        return await _find(connection, "lock_task", storable(task_id))
    if key is None:
        return None
    return await _find(connection, "task_of_key", storable(key.created_by), storable(key.idempotency_key))


async def write_task(connection: "Connection", changes: TaskChanges, now: int) -> None:
    """Everything but the COMMIT. Raises Conflict."""
    task = changes.task
    if changes.session is not None:
        session, events = changes.session.session, changes.session.events
        await write_state(connection, Changes(session=session, events=events, active_at=changes.active_at))
    if task.version == 1:
        done = await connection.execute(_SQL["add_task"], *_columns(task))
    else:
        kept = task.id, task.updated_at, task.state, task.version, _encode(task)
        done = await connection.execute(_SQL["change_task"], *kept)
    if not row_count(done):
        raise Conflict(Reason.CONFLICT, f'task "{task.id}" was changed by another command; read it again')
    await connection.execute(_SQL["add_task_event"], task.id, changes.event.version, _encode(changes.event))
    if changes.reply is not None:
        await write_reply(connection, changes.reply, now)


def _columns(task: Task) -> list[object]:
    texts = task.from_role, task.to_role, task.description, task.trace_id, task.created_by, task.idempotency_key
    times = task.created_at, task.updated_at
    belongs = task.session_id, task.parent_id
    return [task.id, *times, task.kind, task.state, task.version, *map(storable, texts), *belongs, _encode(task)]


async def _find(connection: "Connection", query: str, *values: str) -> Task | None:
    body = await connection.fetchval(_SQL[query], *values)
    return _task.decode(body) if body is not None else None


async def _read_events(connection: "Connection", task_id: str, limit: int) -> list[TaskEvent]:
    rows = await connection.fetch(_SQL["task_events"], task_id, limit)
    return [_event.decode(body) for (body,) in reversed(rows)]


async def _list(
    connection: "Connection",
    wanted: TaskFilter,
    limit: int,
    before: tuple[int, str] | None,
    reader: TaskReader | None,
) -> list[Task]:
    name = next((query for field, query in _NARROWED.items() if getattr(wanted, field)), "tasks")
    texts = wanted.from_role, wanted.to_role, wanted.trace_id, wanted.session_id, wanted.parent_id, wanted.created_by
    asked = *(before or _END_OF_TIME), wanted.kinds, wanted.states, *map(storable, texts), limit, *_eyes(reader)
    return [_task.decode(body) for (body,) in await connection.fetch(_SQL[name], *asked)]


def _eyes(reader: TaskReader | None) -> tuple[str | None, list[str]]:
    """What the queries take of a reader: name and roles."""
    return (None, []) if reader is None else (storable(reader.name), list(map(storable, reader.roles)))


async def _gather(connection: "Connection", query: str, *asked: object) -> Belonging:
    rows = await connection.fetch(_SQL[query], *asked)
    if not rows:
        return Belonging()
    _, counts, trace_id = rows[0]
    return Belonging(tuple(_task.decode(body) for body, _, _ in rows), _counts.decode(counts), trace_id or "")
