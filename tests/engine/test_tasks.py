"""Tasks through the engine, on both databases: once each, with their session's log, beside everything else."""

import asyncio
from typing import Any

import msgspec
import pytest
from tests.engine.driving import Driver, drive
from tests.engine.places import Place

from sheetgrpc.clock import Draws
from sheetgrpc.engine import intents
from sheetgrpc.engine.intents import Envelope
from sheetgrpc.errors import Conflict, InvalidRequest, NotAllowed, NotFound, Reason
from sheetgrpc.session.events import TaskCreated, TaskUpdated
from sheetgrpc.session.model import ExecutionState, Lifecycle, State, TaskKind, TaskState
from sheetgrpc.session.tasks import Task, TaskUpdate
from sheetgrpc.store.tasks import TaskFilter


def routing(**fields: Any) -> intents.CreateTask:
    return intents.CreateTask(TaskKind.ROUTING, "load the funds", "desk", "loader", **fields)


async def everything(fleet: Driver) -> list[Task]:
    return await fleet.engine.tasks.list(TaskFilter(), "", 1000, None)


async def test_a_task_of_a_session_is_in_its_log_and_leaves_it_as_it_is(fleet: Driver) -> None:
    """U1, C2: each change once, found by trace; the session is PENDING still, and its version has risen."""
    session = await fleet.open()
    task = await fleet.ask(routing(session=session, trace_id="abc", data={"secret": 1}))
    await fleet.carry_on(task.id, TaskState.ACTIVE, notes="at it")
    view = await fleet.engine.get_session(session)
    assert (view.row.session.version, view.row.session.lifecycle) == (3, Lifecycle.PENDING)
    assert view.row.active_at == view.row.session.updated_at
    created, updated = [row.event for row in await fleet.engine.list_events(session, 1, 10, ())]
    assert isinstance(created, TaskCreated)
    assert isinstance(updated, TaskUpdated)
    assert {created.trace_id, updated.trace_id} == {"abc"}
    assert {created.task_id, updated.task_id} == {task.id}
    assert "secret" not in str(created)
    now, history = await fleet.engine.tasks.get(task.id)
    assert (now.session_id, now.version, now.notes) == (session, 2, "at it")
    assert [(event.version, event.state, event.caller) for event in history] == [
        (1, TaskState.PENDING, "anna"),
        (2, TaskState.ACTIVE, "anna"),
    ]


async def test_a_watcher_of_the_session_hears_of_its_tasks(fleet: Driver) -> None:
    session = await fleet.open()
    watcher = await fleet.engine.watch_session(session, 1)
    waiting = asyncio.create_task(watcher.next())
    task = await fleet.ask(routing(session=session))
    news = await waiting
    assert getattr(news, "event", None) == TaskCreated(
        at=task.created_at,
        actor="anna",
        task_id=task.id,
        kind=task.kind,
        from_role="desk",
        to_role="loader",
        trace_id=task.trace_id,
    )
    watcher.close()


async def test_a_session_that_has_ended_is_given_no_task_and_its_tasks_can_still_end(fleet: Driver) -> None:
    session = await fleet.open()
    task = await fleet.ask(routing(session=session))
    await fleet.call(session, intents.CloseSession(Lifecycle.COMPLETED))
    with pytest.raises(NotAllowed) as refused:
        await fleet.ask(routing(session=session))
    assert refused.value.reason is Reason.SESSION_CLOSED
    before = await fleet.engine.list_events(session, 0, 10, ())
    assert (await fleet.carry_on(task.id, TaskState.CANCELLED)).state is TaskState.CANCELLED
    assert await fleet.engine.list_events(session, 0, 10, ()) == before


async def test_a_session_that_executes_is_given_tasks_and_its_run_goes_on(path: Place) -> None:
    async with drive(path, start=False) as fleet:
        session = await fleet.ready('(port.ensure :code "A")')
        execution = await fleet.submit(session)
        task = await fleet.ask(routing(session=session))
        await fleet.engine._executor.recover()
        fleet.engine._executor.start()
        await fleet.carry_on(task.id, TaskState.COMPLETED)
        assert (await fleet.finish(execution)).state is ExecutionState.SUCCEEDED
        assert await fleet.state(session) is State.EXECUTED
        assert fleet.rows("SELECT code FROM ports") == ["A"]


async def test_an_expired_session_is_given_no_task(path: Place) -> None:
    now = [2_000_000_000_000_000]
    async with drive(path, draws=Draws(now=lambda: now[0])) as fleet:
        create = intents.CreateSession(lease=1_000_000)
        session = (await fleet.call("", create)).session.row.session.id
        task = await fleet.ask(routing(session=session))
        now[0] += 1_000_000
        with pytest.raises(NotAllowed) as refused:
            await fleet.ask(routing(session=session))
        assert refused.value.reason is Reason.SESSION_EXPIRED
        assert (await fleet.carry_on(task.id, TaskState.CANCELLED)).version == 2


async def test_fifty_of_one_key_at_once_are_one_task(fleet: Driver) -> None:
    """D-44, T1, O5, O8: concurrent x50, each with a request id of its own, and answered with the task there is."""
    asked = routing(idempotency_key="k")
    made = await asyncio.gather(*(fleet.ask(asked, request_id=f"r{number}") for number in range(50)))
    assert len({task.id for task in made}) == 1
    assert [task.id for task in await everything(fleet)] == [made[0].id]


async def test_two_servers_on_one_database_make_one_task_and_decide_it_once(fleet_url: str) -> None:
    """D-1, O8, P1: no lock of one process sees to it, but the database."""
    async with drive(fleet_url, start=False) as one, drive(fleet_url, start=False) as other:
        session = await one.open()
        asked = intents.CreateTask(TaskKind.APPROVAL, "may we?", "a", "b", session=session, idempotency_key="k")
        made = await asyncio.gather(*(fleet.ask(asked) for fleet in [one, other] * 10))
        (task,) = {made.id for made in made}
        states = [TaskState.APPROVED, TaskState.REJECTED]
        pairs = zip([one, other] * 5, states * 5, strict=True)
        answers = await asyncio.gather(*(fleet.carry_on(task, state) for fleet, state in pairs), return_exceptions=True)
        (won,) = [answer for answer in answers if isinstance(answer, Task)]
        assert (await other.engine.tasks.get(task))[0] == won
        assert [row.sequence for row in await other.engine.list_events(session, 0, 10, ())] == [1, 2, 3]


async def test_a_key_is_its_callers_and_stands_for_one_content(fleet: Driver) -> None:
    """D-44, O4: another principal has keys of its own; other content under a key is refused and changes nothing."""
    asked = routing(idempotency_key="k", fingerprint=b"1")
    task = await fleet.ask(asked)
    other = await fleet.ask(asked, caller="ben")
    assert other.id != task.id
    with pytest.raises(InvalidRequest) as refused:
        await fleet.ask(msgspec.structs.replace(asked, fingerprint=b"2"))
    assert refused.value.reason is Reason.REQUEST_ID_REUSED
    assert {one.field for one in refused.value.violations} == {"idempotency_key"}
    assert len(await everything(fleet)) == 2


async def test_a_key_answers_with_the_task_as_it_is_now_and_its_own_trace(fleet: Driver) -> None:
    """O8: the stored trace id, not that of the repeat; also where the label that named the session is gone."""
    session = (await fleet.call("", intents.CreateSession(labels=("mine",)))).session.row.session.id
    task = await fleet.ask(routing(idempotency_key="k", trace_id="first", session="mine"))
    done = await fleet.carry_on(task.id, TaskState.COMPLETED)
    await fleet.call("", intents.CreateSession(name="other"))
    await fleet.call(session, intents.CloseSession(Lifecycle.COMPLETED))
    again = await fleet.ask(routing(idempotency_key="k", trace_id="second", session="gone"))
    assert again == done
    assert again.trace_id == "first"


async def test_a_request_id_answers_as_it_did_and_runs_out_where_a_key_does_not(path: Place) -> None:
    """D1, D2, A2: kept for 24 hours (IDEMPOTENCY_TTL_SECONDS), to the microsecond; without one nothing is kept."""
    now = [2_000_000_000_000_000]
    day = 24 * 3600 * 1_000_000
    async with drive(path, draws=Draws(now=lambda: now[0])) as fleet:
        first = await fleet.ask(routing(), request_id="r")
        keyed = await fleet.ask(routing(idempotency_key="k"), request_id="q")
        await fleet.carry_on(first.id, TaskState.ACTIVE)
        now[0] += day - 1
        assert await fleet.ask(routing(), request_id="r") == first
        now[0] += 1
        assert (await fleet.ask(routing(), request_id="r")).id != first.id
        assert (await fleet.ask(routing(idempotency_key="k"), request_id="q")).id == keyed.id
        assert (await fleet.ask(routing())).id != (await fleet.ask(routing())).id


async def test_of_two_that_end_a_task_one_wins(fleet: Driver) -> None:
    """P1, O2: decided once, whoever is first."""
    approval = intents.CreateTask(TaskKind.APPROVAL, "may we?", "loader", "finance")
    task = await fleet.ask(approval)
    answers = await asyncio.gather(
        *(fleet.carry_on(task.id, state) for state in [TaskState.APPROVED, TaskState.REJECTED] * 5),
        return_exceptions=True,
    )
    (won,) = [answer for answer in answers if isinstance(answer, Task)]
    assert all(isinstance(answer, NotAllowed) for answer in answers if answer is not won)
    now, history = await fleet.engine.tasks.get(task.id)
    assert now == won
    assert len(history) == 2


async def test_concurrent_changes_are_never_lost(fleet: Driver) -> None:
    """D-36, O2: each merge is there, and each is one version."""
    task = await fleet.ask(routing(session=await fleet.open()))
    await asyncio.gather(*(fleet.carry_on(task.id, data={f"n{number}": number}) for number in range(20)))
    now, history = await fleet.engine.tasks.get(task.id)
    assert now.data == {f"n{number}": number for number in range(20)}
    assert [event.version for event in history] == list(range(1, 22))
    view = await fleet.engine.get_session(now.session_id)
    assert view.row.session.version == 22


async def test_the_version_expected_must_be_the_one_there_is(fleet: Driver) -> None:
    task = await fleet.ask(routing())
    await fleet.carry_on(task.id, TaskState.ACTIVE, version=1)
    with pytest.raises(Conflict) as refused:
        await fleet.carry_on(task.id, TaskState.COMPLETED, version=1)
    assert refused.value.reason is Reason.VERSION_CONFLICT
    assert refused.value.metadata == {"expectedVersion": "1", "actualVersion": "2"}


async def test_what_a_task_names_must_be_there(fleet: Driver) -> None:
    """O9: a parent and a session that exist, or no task."""
    for intent, reason in (
        (routing(parent="01JD0000000000000000000TA1"), Reason.TASK_NOT_FOUND),
        (routing(session="nobody's"), Reason.SESSION_NOT_FOUND),
    ):
        with pytest.raises(NotFound) as refused:
            await fleet.ask(intent)
        assert refused.value.reason is reason
    with pytest.raises(NotFound):
        await fleet.carry_on("nothing", TaskState.ACTIVE)
    assert await everything(fleet) == []


async def test_several_approvals_of_one_task(fleet: Driver) -> None:
    """P1: multi-step, each decided for itself, and all told with the task."""
    task = await fleet.ask(routing())
    ask = intents.CreateTask(TaskKind.APPROVAL, "may we?", "loader", "finance", parent=task.id.lower())
    first, second = await fleet.ask(ask), await fleet.ask(ask)
    await fleet.carry_on(first.id, TaskState.APPROVED)
    status = await fleet.engine.tasks.status_of_task(task.id)
    assert [one.id for one in status.belonging.tasks] == [second.id, first.id, task.id]
    assert status.belonging.counts == {TaskState.PENDING: 2, TaskState.APPROVED: 1}


async def test_a_trace_is_found_across_sessions_and_one_is_made_where_none_is_given(fleet: Driver) -> None:
    """T1, U1: 32 hex digits, another for each."""
    made = [await fleet.ask(routing(session=await fleet.open(), trace_id="abc")) for _ in range(2)]
    own = [await fleet.ask(routing()) for _ in range(2)]
    found = await fleet.engine.tasks.list(TaskFilter(trace_id="abc"), "", 10, None)
    assert [task.id for task in found] == [task.id for task in reversed(made)]
    assert len({task.trace_id for task in own}) == 2
    assert all(len(task.trace_id) == 32 and int(task.trace_id, 16) >= 0 for task in own)


async def test_a_status_has_each_task_once_though_two_ways_lead_to_it(fleet: Driver) -> None:
    """C1: the task that the session serves belongs to it as well."""
    session = await fleet.open()
    task = await fleet.ask(routing(session=session, trace_id="abc"))
    await fleet.call(session, intents.UpdateSession(task_id=task.id.lower()))
    status = await fleet.engine.tasks.status_of_session(session)
    assert [one.id for one in status.belonging.tasks] == [task.id]
    assert status.session is not None
    assert status.session.row.session.id == session


async def test_tasks_survive_a_restart(path: Place) -> None:
    """D-1: and a request id with them."""
    async with drive(path) as fleet:
        task = await fleet.ask(routing(session=await fleet.open()), request_id="r")
    async with drive(path) as fleet:
        assert (await fleet.engine.tasks.get(task.id))[0] == task
        assert await fleet.ask(routing(session="whatever"), request_id="r") == task


async def test_the_sweeper_takes_what_nobody_waits_for(path: Place) -> None:
    """A2, B7: once nothing has happened to it for as long as sessions are kept; counted, and nothing is left to do."""
    now = [2_000_000_000_000_000]
    async with drive(path, draws=Draws(now=lambda: now[0], monotonic=lambda: now[0] / 1e6)) as fleet:
        waiting, done = await fleet.ask(routing()), await fleet.ask(routing())
        await fleet.carry_on(done.id, TaskState.COMPLETED)
        await fleet.ask(intents.CreateTask(TaskKind.NOTIFICATION, "loaded", "loader", "desk"))
        assert (await fleet.engine.sweeper.sweep()).tasks == 0
        now[0] += fleet.engine.settings.retention_us
        assert (await fleet.engine.sweeper.sweep()).tasks == 2
        assert (await fleet.engine.sweeper.sweep()).tasks == 0
        assert [task.id for task in await everything(fleet)] == [waiting.id]


async def test_a_refused_change_leaves_nothing(fleet: Driver) -> None:
    """B5, B6: neither in the task nor in its history, its session's log, or under its request id."""
    session = await fleet.open()
    task = await fleet.ask(routing(session=session))
    envelope = Envelope("anna", "UpdateTask", task.id, "r", b"f")
    wrong = intents.UpdateTask(TaskUpdate(state=TaskState.APPROVED, data={"a": 1}))
    with pytest.raises(NotAllowed):
        await fleet.engine.tasks.handle(envelope, wrong, msgspec.json.encode)
    assert (await fleet.engine.tasks.get(task.id))[0] == task
    assert (await fleet.engine.get_session(session)).row.session.version == 2
    right = intents.UpdateTask(TaskUpdate(state=TaskState.ACTIVE))
    reply = await fleet.engine.tasks.handle(envelope, right, msgspec.json.encode)
    assert not reply.replayed
