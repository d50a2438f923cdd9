"""What a restore makes of sessions, executions, request ids and resume tokens (D-49)."""

from pathlib import Path

import pytest
from tests.engine.driving import Driver, describe, drive, read
from tests.engine.test_recovery import SHEET, SUBMIT, _claim

from sheetgrpc.clock import Draws
from sheetgrpc.engine import intents
from sheetgrpc.engine.intents import Envelope
from sheetgrpc.engine.restoring import Restored, restore
from sheetgrpc.engine.updates import Finished, Snapshot
from sheetgrpc.errors import NotAllowed, NotFound, Reason
from sheetgrpc.session.events import ExecutionFinished, SessionClosed
from sheetgrpc.session.evolution import fold
from sheetgrpc.session.model import ExecutionState, Lifecycle, State
from sheetgrpc.store.opening import snapshot_store
from sheetgrpc.store.records import SessionFilter


@pytest.fixture
def path(file: Path) -> Path:
    """Snapshots are of SQLite's files."""
    return file


async def take(fleet: Driver) -> Path:
    """A snapshot of the driver's database."""
    assert isinstance(fleet.path, Path)
    file = fleet.path.with_suffix(".snap")
    snapshot_store(f"sqlite:///{fleet.path}", str(file), Draws().now(), force=True)
    return file


async def put_back(file: Path) -> tuple[Path, Restored]:
    """The snapshot as a database of its own."""
    path = file.with_name("restored.db")
    return path, await restore(str(file), f"sqlite:///{path}")


async def check_folds(fleet: Driver) -> int:
    """Every session's row is the fold of its log; how many there are."""
    rows = await fleet.engine.store.sessions(SessionFilter(), 1000, None)
    for row in rows:
        events = await fleet.engine.store.events(row.session.id, 0, 1000)
        assert [event.sequence for event in events] == list(range(1, len(events) + 1))
        assert fold(event.event for event in events) == row.session
    return len(rows)


async def test_open_sessions_are_closed_and_ended_ones_left_alone(path: Path) -> None:
    async with drive(path) as fleet:
        pending, active, completed = [await fleet.open() for _ in range(3)]
        await fleet.call(active, intents.ImportSheet(SHEET))
        await fleet.call(completed, intents.CloseSession(Lifecycle.COMPLETED))
        before = {one: (await fleet.engine.get_session(one)).row.session for one in (pending, active, completed)}
        incarnation = fleet.engine.store.about.incarnation
        file = await take(fleet)
    new, told = await put_back(file)
    assert (told.sessions_closed, told.executions_interrupted) == (2, 0)
    assert incarnation == told.header.incarnation != told.incarnation
    async with drive(new) as fleet:
        assert fleet.engine.store.about.incarnation == told.incarnation
        for session in (pending, active):
            now = (await fleet.engine.get_session(session)).row.session
            assert (now.lifecycle, now.version) == (Lifecycle.FAILED, before[session].version + 1)
            (last,) = await fleet.engine.store.events(session, before[session].version, 9)
            assert isinstance(last.event, SessionClosed)
            assert last.event.outcome is Lifecycle.FAILED
            with pytest.raises(NotAllowed) as refused:
                await fleet.call(session, intents.ImportSheet(SHEET))
            assert refused.value.reason is Reason.SESSION_CLOSED
        assert (await fleet.engine.get_session(completed)).row.session == before[completed]
        assert await check_folds(fleet) == 3
        assert (await fleet.run(SHEET)).state == "SUCCEEDED"


async def test_what_was_queued_or_ran_is_interrupted_and_never_runs(path: Path) -> None:
    async with drive(path, start=False) as fleet:
        queued, running = await fleet.ready(SHEET), await fleet.ready(SHEET)
        executions = [await fleet.submit(session) for session in (queued, running)]
        await _claim(fleet, executions[1])
        file = await take(fleet)
    new, told = await put_back(file)
    assert (told.sessions_closed, told.executions_interrupted) == (2, 2)
    async with drive(new) as fleet:
        for session, execution in zip((queued, running), executions, strict=True):
            row = await fleet.engine.get_execution(execution)
            assert (row.state, row.status_counts) == (ExecutionState.INTERRUPTED, {"NOT_RUN": 2})
            assert row.error is not None
            assert "restored from a snapshot" in row.error.message
            now = (await fleet.engine.get_session(session)).row.session
            assert (now.state, now.lifecycle, now.execution_id) == (State.EXECUTED, Lifecycle.FAILED, "")
            ended, closed = (await fleet.engine.store.events(session, now.version - 2, 9))[-2:]
            assert isinstance(ended.event, ExecutionFinished)
            assert isinstance(closed.event, SessionClosed)
        assert await check_folds(fleet) == 2
        assert fleet.rows("SELECT count(*) FROM ships") == [0]
        await fleet.run('(port.ensure :code "X")')  # nothing waited before it


async def test_a_request_id_is_answered_as_the_snapshot_knows_it(path: Path) -> None:
    """What the snapshot has done is not done again; what came after it is done for the first time, or refused."""
    create = Envelope("anna", "CreateSession", "", "before", b"f")
    later = Envelope("anna", "CreateSession", "", "after", b"f")
    async with drive(path) as fleet:
        first = await fleet.engine.handle(create, intents.CreateSession(), describe)
        session = first.body.split()[0].decode()
        imported = await fleet.send(session, intents.ImportSheet(SHEET), "import")
        file = await take(fleet)
        lost = await fleet.engine.handle(later, intents.CreateSession(), describe)
        await fleet.send(session, intents.ParseSheet(), "parse")
    new, _ = await put_back(file)
    async with drive(new) as fleet:
        again = await fleet.engine.handle(create, intents.CreateSession(), describe)
        assert (again.replayed, again.body) == (True, first.body)
        again = await fleet.send(session, intents.ImportSheet(SHEET), "import")
        assert (again.replayed, again.body) == (True, imported.body)
        with pytest.raises(NotAllowed) as refused:
            await fleet.send(session, intents.ParseSheet(), "parse")
        assert refused.value.reason is Reason.SESSION_CLOSED
        with pytest.raises(NotFound):
            await fleet.engine.get_session(lost.body.split()[0].decode())
        other = await fleet.engine.handle(later, intents.CreateSession(), describe)
        assert not other.replayed
        assert other.body != lost.body


async def test_a_repeated_submit_attaches_to_what_became_of_it(path: Path) -> None:
    async with drive(path, start=False) as fleet:
        session = await fleet.ready(SHEET)
        envelope = Envelope("anna", "ExecuteSheet", session, "run", b"f")
        execution, _ = await fleet.engine.execute(envelope, SUBMIT)
        file = await take(fleet)
    async with drive(path) as fleet:
        assert (await fleet.finish(execution)).state is ExecutionState.SUCCEEDED
    new, _ = await put_back(file)
    async with drive(new) as fleet:
        again, reply = await fleet.engine.execute(envelope, SUBMIT)
        assert (again, reply.replayed) == (execution, True)
        assert (await fleet.finish(again)).state is ExecutionState.INTERRUPTED
        assert fleet.rows("SELECT count(*) FROM ships") == [0]


async def test_a_resume_token_of_before_is_no_place_in_a_run(path: Path) -> None:
    """Its execution has ended or is not there, so a stream begins anew, with a snapshot."""
    async with drive(path, start=False) as fleet:
        execution = await fleet.submit(await fleet.ready(SHEET))
        file = await take(fleet)
    async with drive(path) as fleet:
        updates = await read(await fleet.engine.watch(execution, "", False))
        assert isinstance(updates[-1].body, Finished)
    new, _ = await put_back(file)
    async with drive(new) as fleet:
        for update in updates:
            told = await read(await fleet.engine.watch(execution, update.token, False))
            first, last = [one.body for one in told]
            assert isinstance(first, Snapshot)
            assert isinstance(last, Finished)
            assert last.execution.state is ExecutionState.INTERRUPTED


async def test_more_sessions_than_a_page_are_all_closed(path: Path) -> None:
    async with drive(path) as fleet:
        for _ in range(501):
            await fleet.open()
        file = await take(fleet)
    new, told = await put_back(file)
    assert told.sessions_closed == 501
    async with drive(new, start=False) as fleet:
        assert await check_folds(fleet) == 501
