"""Tasks: made, changed, read. Each change is one transaction with its event, its session's event and the stored reply.

No command of a session: the machine is not asked, and a session that moves meanwhile stands in nobody's way, since its
row is held while the event is added to its log.
"""

import hashlib
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from typing import assert_never

import msgspec

from sheetgrpc.clock import Draw
from sheetgrpc.engine.context import Context
from sheetgrpc.engine.expiring import Expiry
from sheetgrpc.engine.handling import Handler, replay
from sheetgrpc.engine.intents import CreateTask, Envelope, TaskIntent, UpdateTask
from sheetgrpc.engine.views import Reply, StatusView
from sheetgrpc.errors import Conflict, FieldViolation, InvalidRequest, NotFound, Reason
from sheetgrpc.session.events import TaskCreated, TaskUpdated
from sheetgrpc.session.machine import check_alive, evolve
from sheetgrpc.session.tasks import (
    Task,
    TaskEvent,
    TaskReader,
    check_data,
    created_event,
    update_task,
    updated_event,
)
from sheetgrpc.store.records import Changes, Moved, Opened, RequestKey, SessionRow, StoredReply
from sheetgrpc.store.tasks import TaskChanges, TaskFilter, TaskKey, missing_task

EMBEDDED = 100
"""Tasks that a status has, and events that go with a task."""
_ATTEMPTS = 3
_TRACE_LENGTH = 32  # hex digits: what W3C's trace context has


class Tasks:
    """The calls about tasks. A `reader` sees what is there for it, none sees all."""

    def __init__(
        self,
        context: Context,
        handler: Handler,
        expiry: Expiry,
        find: Callable[[str, str | None], Awaitable[SessionRow]],
    ) -> None:
        """`find` answers a session of an owner to be shown."""
        self._context = context
        self._store = context.store
        self._handler = handler
        self._expiry = expiry
        self._find = find

    async def handle(self, envelope: Envelope, intent: TaskIntent, encode: Callable[[Task], bytes]) -> Reply:
        """A changing call: its answer, encoded inside its transaction, and the same one for a repeat."""
        return await self._handler.once(envelope, lambda key: self._try(envelope, intent, key, encode))

    async def get(self, task_id: str, reader: TaskReader | None = None) -> tuple[Task, list[TaskEvent]]:
        """A task and the last of its changes."""
        task = await self._store.tasks.get(task_id, reader)
        events = await self._store.tasks.events(task.id, EMBEDDED)
        return task, [event for event in events if event.version <= task.version]

    async def list(
        self,
        wanted: TaskFilter,
        session: str,
        limit: int,
        before: tuple[int, str] | None,
        owner: str | None = None,
        reader: TaskReader | None = None,
    ) -> list[Task]:
        """Newest created first; `session` is named as in any call, "" for no filter."""
        if session:
            named = await self._find(session, owner)
            wanted = msgspec.structs.replace(wanted, session_id=named.session.id)
        return await self._store.tasks.list(wanted, limit, before, reader)

    async def status_of_session(
        self, session: str, owner: str | None = None, reader: TaskReader | None = None
    ) -> StatusView:
        """How far a session is."""
        row = await self._find(session, owner)
        belonging = await self._store.tasks.of_session(row.session.id, row.session.task_id, EMBEDDED, reader)
        return StatusView(belonging, session=self._context.view(row))

    async def status_of_task(self, task_id: str, reader: TaskReader | None = None) -> StatusView:
        """How far a task is; it is among those that belong to it."""
        task = await self._store.tasks.get(task_id, reader)
        return StatusView(await self._store.tasks.of_task(task.id, EMBEDDED, reader), task=task)

    async def _try(
        self, envelope: Envelope, intent: TaskIntent, key: RequestKey | None, encode: Callable[[Task], bytes]
    ) -> Reply:
        for _ in range(_ATTEMPTS):
            try:
                reply = await self._command(envelope, intent, key, encode)
            except Conflict as conflict:
                if conflict.reason is not Reason.CONFLICT:
                    raise
                continue  # another command was first: what it has left is judged anew
            if reply is not None:
                return reply
        raise Conflict(Reason.CONFLICT, "others keep changing what this command is about; try again")

    def _command(
        self, envelope: Envelope, intent: TaskIntent, key: RequestKey | None, encode: Callable[[Task], bytes]
    ) -> Coroutine[None, None, Reply | None]:
        match intent:
            case CreateTask():
                return self._create(envelope, intent, key, encode)
            case UpdateTask():
                return self._update(envelope, intent, key, encode)
            case _:
                assert_never(intent)

    async def _create(
        self, envelope: Envelope, intent: CreateTask, key: RequestKey | None, encode: Callable[[Task], bytes]
    ) -> Reply | None:
        """None if the session's time ran out meanwhile."""
        check_data(intent.data)
        own = TaskKey(envelope.caller, intent.idempotency_key) if intent.idempotency_key else None
        made = await self._store.tasks.of_key(own) if own is not None else None
        if made is not None:
            return _found(made, intent, encode)
        row = await self._handler.find(envelope, intent.session)
        parent = await self._store.tasks.get(intent.parent, envelope.reader) if intent.parent else None
        async with AsyncExitStack() as after, self._store.begin() as transaction:
            opened = await transaction.open(row.session.id if row is not None else None, key)
            if opened.reply is not None:
                return replay(opened.reply, envelope)
            made = await transaction.open_task("", own) if own is not None else None
            if made is not None:
                return _found(made, intent, encode)
            if row is not None:
                if opened.row is None or self._expiry.due(opened.row):
                    return None
                check_alive(opened.row.session)
            draw = self._context.draws.draw()
            task = _new(envelope, intent, opened.row, parent, draw)
            changes, reply = self._changes(envelope, key, task, opened, created_event(task), encode)
            await transaction.commit(changes)
            after.callback(self._publish, changes)
        return reply

    async def _update(
        self, envelope: Envelope, intent: UpdateTask, key: RequestKey | None, encode: Callable[[Task], bytes]
    ) -> Reply | None:
        """None if the session's time ran out meanwhile. A session that has ended is left as it is."""
        known = await self._store.tasks.get(envelope.session, envelope.reader)
        row = await self._session_of(known)
        async with AsyncExitStack() as after, self._store.begin() as transaction:
            opened = await transaction.open(row.session.id if row is not None else None, key)
            if opened.reply is not None:
                return replay(opened.reply, envelope)
            current = await transaction.open_task(known.id, None)
            if current is None:
                raise missing_task(envelope.session)
            _check_version(envelope, current)
            if opened.row is not None and self._expiry.due(opened.row):
                return None
            task = update_task(current, intent.update, self._context.draws.now())
            changes, reply = self._changes(envelope, key, task, opened, updated_event(task), encode)
            await transaction.commit(changes)
            after.callback(self._publish, changes)
        return reply

    def _changes(
        self,
        envelope: Envelope,
        key: RequestKey | None,
        task: Task,
        opened: Opened,
        told: TaskCreated | TaskUpdated,
        encode: Callable[[Task], bytes],
    ) -> tuple[TaskChanges, Reply]:
        body, at = encode(task), task.updated_at
        event = TaskEvent(version=task.version, at=at, state=task.state, caller=envelope.caller, notes=task.notes)
        changes = TaskChanges(task=task, event=event, active_at=at)
        if opened.row is not None and not opened.row.session.lifecycle.terminal:
            told = msgspec.structs.replace(told, actor=envelope.caller)
            changes.session = Moved(evolve(opened.row.session, told), (told,))
        if key is not None:
            expires = at + self._context.settings.request_id_ttl_us
            changes.reply = StoredReply(key, envelope.fingerprint, body, task.session_id, expires)
        return changes, Reply(body, changes.reply, replayed=False)

    def _publish(self, changes: TaskChanges) -> None:
        if changes.session is not None:
            self._context.topics.publish(Changes(session=changes.session.session, events=changes.session.events))

    async def _session_of(self, task: Task) -> SessionRow | None:
        """The task's session, expired if its time has run out; None where it has none, or that is on its way out."""
        if not task.session_id:
            return None
        try:
            return await self._expiry.settle(await self._store.session(task.session_id))
        except NotFound:
            return None


def _new(envelope: Envelope, intent: CreateTask, session: SessionRow | None, parent: Task | None, draw: Draw) -> Task:
    chance = hashlib.sha256(f"{draw.id} {draw.seed}".encode()).hexdigest()
    return Task(
        id=draw.id,
        kind=intent.kind,
        description=intent.description,
        from_role=intent.from_role,
        to_role=intent.to_role,
        data=dict(intent.data),
        trace_id=intent.trace_id or chance[:_TRACE_LENGTH],
        created_at=draw.now,
        updated_at=draw.now,
        created_by=envelope.caller,
        session_id=session.session.id if session is not None else "",
        parent_id=parent.id if parent is not None else "",
        idempotency_key=intent.idempotency_key,
        fingerprint=intent.fingerprint,
    )


def _found(made: Task, intent: CreateTask, encode: Callable[[Task], bytes]) -> Reply:
    """The answer to who sends again what a task was made of. Raises InvalidRequest(REQUEST_ID_REUSED)."""
    if made.fingerprint != intent.fingerprint:
        text = f'"{intent.idempotency_key}" was used for another task; choose a new one'
        raise InvalidRequest(
            Reason.REQUEST_ID_REUSED,
            f"idempotency key {text}",
            metadata={"idempotencyKey": intent.idempotency_key, "task": made.id},
            violations=(FieldViolation("idempotency_key", text),),
        )
    return Reply(encode(made), None, replayed=True)


def _check_version(envelope: Envelope, task: Task) -> None:
    if envelope.expected_version is None or envelope.expected_version == task.version:
        return
    raise Conflict(
        Reason.VERSION_CONFLICT,
        f"the task is at version {task.version}, not {envelope.expected_version}; read it again",
        metadata={"expectedVersion": str(envelope.expected_version), "actualVersion": str(task.version)},
    )
