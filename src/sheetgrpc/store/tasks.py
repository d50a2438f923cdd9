"""Tasks as a store has them: what a command writes of them, what lists ask for, and the reads.

Nothing here knows a database. Times are microseconds since 1970 UTC.
"""

from typing import Protocol

import msgspec

from sheetgrpc.errors import NotFound, Reason
from sheetgrpc.session.model import TaskKind, TaskState
from sheetgrpc.session.tasks import Task, TaskEvent, TaskReader
from sheetgrpc.store.records import Moved, StoredReply

_SHOWN = 80  # characters of a caller's text in a message


class TaskKey(msgspec.Struct, frozen=True):
    """Under which a caller makes a task once."""

    created_by: str
    idempotency_key: str


class TaskChanges(msgspec.Struct, kw_only=True):
    """All that one command about a task writes, in one transaction; the event makes it what it is.

    `session` is the one it belongs to, if its log has the change too.
    """

    task: Task
    event: TaskEvent
    session: Moved | None = None
    active_at: int | None = None  # the sign of life that it is for the session
    reply: StoredReply | None = None


class TaskFilter(msgspec.Struct, frozen=True):
    """Which tasks to list; empty means all. Newest created first."""

    kinds: tuple[TaskKind, ...] = ()
    states: tuple[TaskState, ...] = ()
    from_role: str = ""
    to_role: str = ""
    trace_id: str = ""
    session_id: str = ""
    parent_id: str = ""
    created_by: str = ""


class Belonging(msgspec.Struct, frozen=True):
    """The tasks of a session or of a task, as of one moment: the newest of them, and how many are in each state.

    `trace_id` is that of the task, or of the one that the session serves.
    """

    tasks: tuple[Task, ...] = ()
    counts: dict[TaskState, int] = {}
    trace_id: str = ""


class TaskReads(Protocol):
    """The reads, with the eyes of a reader or, without one, of everybody. Errors are those of `store.base`."""

    async def get(self, task_id: str, reader: TaskReader | None = None) -> Task:
        """By id, in any case; NotFound(TASK_NOT_FOUND), where the reader may not see it too."""
        ...

    async def of_key(self, key: TaskKey) -> Task | None:
        """The one that a caller made under a key."""
        ...

    async def events(self, task_id: str, limit: int) -> list[TaskEvent]:
        """The last `limit` changes, by version."""
        ...

    async def list(
        self, wanted: TaskFilter, limit: int, before: tuple[int, str] | None, reader: TaskReader | None = None
    ) -> list[Task]:
        """Newest created first, (created_at, id) before `before`."""
        ...

    async def of_session(self, session_id: str, served: str, limit: int, reader: TaskReader | None = None) -> Belonging:
        """Those made for a session, and the one it serves; `served` is its id, or another text that means nothing."""
        ...

    async def of_task(self, task_id: str, limit: int, reader: TaskReader | None = None) -> Belonging:
        """A task and those about it."""
        ...


def missing_task(task_id: str) -> NotFound:
    """The refusal where there is no such task."""
    shown = task_id if len(task_id) <= _SHOWN else task_id[:_SHOWN] + "..."
    return NotFound(Reason.TASK_NOT_FOUND, f'there is no task "{shown}"', resource=("task", shown))
