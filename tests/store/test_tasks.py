"""Tasks in every store: kept as they are, listed in order, changed by compare-and-set, made once under a key."""

import itertools
import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Any, TypeAlias

import asyncpg
import msgspec
import pytest
from tests.store.making import Commit, Made

from sheetgrpc.errors import Conflict, NotFound, Reason
from sheetgrpc.session.model import Lifecycle, TaskKind, TaskState
from sheetgrpc.session.tasks import Task, TaskEvent, TaskReader, TaskUpdate, update_task
from sheetgrpc.store.base import Store
from sheetgrpc.store.opening import open_store
from sheetgrpc.store.tasks import TaskChanges, TaskFilter, TaskKey

Ask: TypeAlias = Callable[..., Any]
_ODD = "O'Brien \u00e9\U0001f600"


@pytest.fixture
def ask(made: Made) -> Callable[..., Task]:
    """Makes tasks with fresh ids, a microsecond apart."""
    ticks = itertools.count(1_000)

    def make(kind: TaskKind = TaskKind.ROUTING, **fields: object) -> Task:
        at = next(ticks)
        known = {"description": "d", "from_role": "a", "to_role": "b", "trace_id": "t", "created_by": "anna"}
        times = {"created_at": at, "updated_at": at}
        return Task(**{"id": made.id(), **known, **times, "kind": kind, **fields})  # type: ignore[arg-type]  # Task's

    return make


async def write(store: Store, task: Task, **more: Any) -> Task:
    event = TaskEvent(version=task.version, at=task.updated_at, state=task.state, caller="anna", notes=task.notes)
    async with store.begin() as transaction:
        await transaction.open_task(task.id if task.version > 1 else "", None)
        await transaction.commit(TaskChanges(task=task, event=event, **more))
    return task


async def test_a_task_is_kept_as_it_is(store: Store, ask: Ask) -> None:
    """A1. Found in any case; times, texts and data come back as they were."""
    task = await write(store, ask(description=_ODD, data={"a": [1, None, {"b": _ODD}]}, fingerprint=b"\0\xff"))
    assert await store.tasks.get(task.id.lower()) == task
    with pytest.raises(NotFound) as refused:
        await store.tasks.get("no\0ne")
    assert refused.value.reason is Reason.TASK_NOT_FOUND


async def test_changes_follow_each_other_and_each_is_an_event(store: Store, ask: Ask) -> None:
    """U1, P1."""
    task = await write(store, ask(TaskKind.APPROVAL))
    decided = await write(store, update_task(task, TaskUpdate(state=TaskState.REJECTED, notes="no"), 77))
    assert await store.tasks.get(task.id) == decided
    assert decided.ended_at == 77
    events = await store.tasks.events(task.id, 10)
    assert [(event.version, event.state, event.notes) for event in events] == [
        (1, "PENDING", ""),
        (2, "REJECTED", "no"),
    ]
    assert [event.version for event in await store.tasks.events(task.id, 1)] == [2]


async def test_a_change_of_what_has_changed_meanwhile_is_refused(store: Store, ask: Ask) -> None:
    """O2: compare and set, no lost update."""
    task = await write(store, ask())
    await write(store, update_task(task, TaskUpdate(state=TaskState.ACTIVE), 5))
    with pytest.raises(Conflict):
        await write(store, update_task(task, TaskUpdate(state=TaskState.CANCELLED), 6))
    assert (await store.tasks.get(task.id)).state is TaskState.ACTIVE
    assert len(await store.tasks.events(task.id, 10)) == 2


async def test_one_caller_has_one_task_under_a_key(store: Store, ask: Ask) -> None:
    """O8: the database itself sees to it. Other callers have keys of their own, and no key is none."""
    first = await write(store, ask(idempotency_key=_ODD))
    with pytest.raises(Conflict):
        await write(store, ask(idempotency_key=_ODD))
    other = await write(store, ask(idempotency_key=_ODD, created_by="ben"))
    await write(store, ask())
    await write(store, ask())
    assert await store.tasks.of_key(TaskKey("anna", _ODD)) == first
    assert await store.tasks.of_key(TaskKey("ben", _ODD)) == other
    assert await store.tasks.of_key(TaskKey("anna", "")) is None
    async with store.begin() as transaction:
        assert await transaction.open_task("", TaskKey("anna", _ODD)) == first
        assert await transaction.open_task("", TaskKey("carl", _ODD)) is None


async def test_a_list_is_newest_first_and_pages_neither_skip_nor_repeat(store: Store, ask: Ask) -> None:
    """O11: the id breaks ties, also where a task is made while somebody pages."""
    tasks = [await write(store, ask(created_at=10 + number // 3)) for number in range(7)]
    expected = sorted(tasks, key=lambda task: (task.created_at, task.id), reverse=True)
    found: list[Task] = []
    while page := await store.tasks.list(TaskFilter(), 2, (found[-1].created_at, found[-1].id) if found else None):
        found += page
        await write(store, ask(created_at=99))
    assert found == expected


async def test_filters_let_through_what_has_all_that_is_asked_for(
    store: Store, ask: Ask, made: Made, commit: Commit
) -> None:
    session = made.session()
    await commit(made.created(session))
    plain = await write(store, ask())
    special = await write(
        store,
        ask(
            TaskKind.APPROVAL,
            from_role="x",
            to_role="y",
            trace_id="z",
            session_id=session.id,
            parent_id=plain.id,
            created_by="ben",
        ),
    )
    await write(store, ask(TaskKind.APPROVAL))
    wanted = TaskFilter(
        kinds=(TaskKind.APPROVAL, TaskKind.NOTIFICATION),
        states=(TaskState.PENDING,),
        from_role="x",
        to_role="y",
        trace_id="z",
        session_id=session.id,
        parent_id=plain.id,
        created_by="ben",
    )
    names = wanted.__struct_fields__
    for count in (1, 2, len(names)):
        for some in itertools.combinations(names, count):
            asked = TaskFilter(**{name: getattr(wanted, name) for name in some})
            found = await store.tasks.list(asked, 10, None)
            assert special in found, some
            assert (found == [special]) or set(some) <= {"kinds", "states"}, some
            for name in set(some) - {"kinds", "states"}:
                assert await store.tasks.list(msgspec.structs.replace(asked, **{name: "other"}), 10, None) == []


async def test_what_belongs_to_a_session_or_a_task_is_there_once(
    store: Store, ask: Ask, made: Made, commit: Commit
) -> None:
    """C1: de-duplicated, counted as of the same moment, and bounded."""
    session = made.session()
    await commit(made.created(session))
    served = await write(store, ask(session_id=session.id))
    others = [await write(store, ask(TaskKind.APPROVAL, session_id=session.id, parent_id=served.id)) for _ in range(3)]
    await write(store, update_task(others[0], TaskUpdate(state=TaskState.APPROVED), 7))
    await write(store, ask())
    of_session = await store.tasks.of_session(session.id, served.id.lower(), 10)
    assert [task.id for task in of_session.tasks] == [task.id for task in (*reversed(others), served)]
    assert of_session.counts == {TaskState.PENDING: 3, TaskState.APPROVED: 1}
    assert of_session.trace_id == served.trace_id
    of_task = await store.tasks.of_task(served.id, 2)
    assert [task.id for task in of_task.tasks] == [others[2].id, others[1].id]
    assert of_task.counts == of_session.counts
    nothing = await store.tasks.of_session(made.id(), "no task's id", 10)
    assert (nothing.tasks, nothing.counts) == ((), {})


async def test_a_reader_is_shown_what_it_made_and_what_its_roles_are_named_in(
    store: Store, ask: Ask, made: Made, commit: Commit
) -> None:
    """D-10: in every list, in what belongs to a session or a task, and in its counts; pages are as full as any."""
    session = made.session()
    await commit(made.created(session))
    top = await write(store, ask(to_role="top"))
    of = {"session_id": session.id, "parent_id": top.id, "trace_id": "z"}
    plain = {"from_role": "x", "to_role": "y", **of}
    tasks = [
        await write(store, ask(**{**plain, **own}))
        for _ in range(3)
        for own in ({"created_by": "ben"}, {"from_role": _ODD}, {"to_role": _ODD}, {"created_by": _ODD}, {})
    ]
    ben = TaskReader("ben", ("", _ODD, "w"))
    seen = [task for task in reversed(tasks) if ben.sees(task)]
    assert len(seen) == 9
    to_y = [task for task in seen if task.to_role == "y"]
    narrowed = ("", seen), ("session_id", seen), ("parent_id", seen), ("trace_id", seen), ("to_role", to_y)
    for name, expected in narrowed:
        wanted, found = TaskFilter(**({name: plain[name]} if name else {})), list[Task]()
        while page := await store.tasks.list(wanted, 2, (found[-1].created_at, found[-1].id) if found else None, ben):
            assert len(page) == min(2, len(expected) - len(found)), name
            found += page
        assert found == expected, name
    for belonging in (
        await store.tasks.of_session(session.id, top.id, 4, ben),
        await store.tasks.of_task(top.id, 4, ben),
    ):
        assert list(belonging.tasks) == seen[:4]
        assert (belonging.counts, belonging.trace_id) == ({TaskState.PENDING: 9}, "")
    assert (await store.tasks.of_session(session.id, top.id, 4, TaskReader("carl", ("top",)))).tasks == (top,)
    assert await store.tasks.get(seen[0].id, ben) == seen[0]
    with pytest.raises(NotFound) as refused:
        await store.tasks.get(top.id, ben)
    assert refused.value.reason is Reason.TASK_NOT_FOUND


async def test_tasks_go_with_their_session_and_others_when_nobody_waits_for_them(
    store: Store, ask: Ask, made: Made, commit: Commit
) -> None:
    """A2."""
    ended = msgspec.structs.replace(made.session(), lifecycle=Lifecycle.FAILED, ended_at=5)
    await commit(made.created(ended))
    with_session = await write(store, ask(session_id=ended.id))
    told = await write(store, ask(TaskKind.NOTIFICATION))
    waiting = await write(store, ask(TaskKind.APPROVAL))
    done = await write(store, update_task(await write(store, ask()), TaskUpdate(state=TaskState.FAILED), 2_000))
    assert await store.upkeep.drop_tasks(told.updated_at - 1, 10) == 0
    assert await store.upkeep.drop_tasks(1_999, 10) == 1
    assert await store.upkeep.drop_tasks(2_000, 10) == 1
    assert await store.tasks.events(done.id, 10) == []
    assert await store.tasks.list(TaskFilter(), 10, None) == [waiting, with_session]
    assert await store.upkeep.purge(ended.id, 5)
    while await store.upkeep.clear(1):
        pass
    assert await store.tasks.list(TaskFilter(), 10, None) == [waiting]


_OBJECTS = {
    "sqlite": "SELECT replace(name, 'sheetgrpc_', '') AS name FROM sqlite_schema WHERE sql IS NOT NULL",
    "postgres": (
        "SELECT relname AS name FROM pg_class"
        " WHERE relnamespace = 'sheetgrpc'::regnamespace AND relname NOT LIKE '%pkey'"
        " UNION SELECT tgname FROM pg_trigger WHERE NOT tgisinternal"
    ),
}
_OF_TASKS = """
tasks tasks_by_age tasks_by_recipient tasks_by_trace tasks_by_session tasks_by_parent tasks_pending_approvals
tasks_by_change tasks_by_key tasks_end_once task_events task_events_are_final task_events_stay active_sessions
pending_approvals
"""


@pytest.mark.parametrize("url", ["file", "postgres"], indirect=True)
async def test_a_start_makes_these_objects_and_a_second_start_no_other(store: Store, url: str, backend: str) -> None:
    """A1."""
    made = {row["name"] for row in await query(url, _OBJECTS[backend])}
    assert {name for name in made if name.startswith("task") or name in _OF_TASKS.split()[-2:]} == {*_OF_TASKS.split()}
    await store.close()
    again = await open_store(url, writer_timeout=0.5, busy_timeout=0.05)
    assert again.about.schema_version >= 3
    assert {row["name"] for row in await query(url, _OBJECTS[backend])} == made
    await again.close()


_VIEWS = {
    "sqlite": ("SELECT * FROM sheetgrpc_active_sessions", "SELECT * FROM sheetgrpc_pending_approvals"),
    "postgres": ("SELECT * FROM sheetgrpc.active_sessions", "SELECT * FROM sheetgrpc.pending_approvals"),
}
_REWRITTEN = {
    "sqlite": ("UPDATE sheetgrpc_task_events SET version = 9", "DELETE FROM sheetgrpc_task_events"),
    "postgres": ("UPDATE sheetgrpc.task_events SET version = 9", "DELETE FROM sheetgrpc.task_events"),
}


async def query(url: str, sql: str) -> list[dict[str, Any]]:
    """As a person with the database's own tool."""
    if url.startswith("postgresql:"):
        connection = await asyncpg.connect(url)
        try:
            return [dict(row) for row in await connection.fetch(sql)]
        finally:
            await connection.close()
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as opened:
        opened.row_factory = sqlite3.Row
        return [dict(row) for row in opened.execute(sql).fetchall()]


@pytest.mark.parametrize("url", ["file", "postgres"], indirect=True)
async def test_views_show_active_sessions_and_pending_approvals(
    store: Store, ask: Ask, made: Made, commit: Commit, url: str, backend: str
) -> None:
    """A1."""
    active = made.session(lifecycle=Lifecycle.ACTIVE, role="r", metadata={"odd": "\0"})
    for session in (made.session(), active):
        await commit(made.created(session))
    waiting = [await write(store, ask(TaskKind.APPROVAL, description=_ODD)) for _ in range(2)]
    decided = await write(store, ask(TaskKind.APPROVAL))
    await write(store, update_task(decided, TaskUpdate(state=TaskState.APPROVED), 7))
    await write(store, ask())
    sessions, approvals = [await query(url, sql) for sql in _VIEWS[backend]]
    assert [(row["id"], row["role"], row["state"]) for row in sessions] == [(active.id, "r", "EMPTY")]
    assert [row["id"] for row in approvals] == [task.id for task in waiting]
    assert approvals[0]["description"] == _ODD


@pytest.mark.parametrize("url", ["file", "postgres"], indirect=True)
async def test_history_is_neither_rewritten_nor_shortened(store: Store, ask: Ask, url: str, backend: str) -> None:
    """U1: not even by hand."""
    task = await write(store, ask())
    for sql in _REWRITTEN[backend]:
        with pytest.raises((sqlite3.IntegrityError, asyncpg.PostgresError)):
            await query(url, sql)
    assert len(await store.tasks.events(task.id, 10)) == 1
