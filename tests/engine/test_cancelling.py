"""A cancel that is true, at every moment of an execution: what it answers, what comes of it, what is left.

The rows of control.md 3.2 are named where they are shown; test_cancel_rows.py has others. Every cancel here is asked
while the engine stands still at a chosen call, so that nothing hangs on timing.
"""

import asyncio
from pathlib import Path

import pytest
from tests.engine.driving import BEST, Driver, drive, read
from tests.engine.stopping import PATIENCE, cancel, gated, run, run_of, waited_for
from tests.engine.test_trouble import locked

from sheetgrpc.engine.updates import Finished, Snapshot
from sheetgrpc.errors import Reason, Unavailable
from sheetgrpc.session.model import ExecutionState, Mode, State
from sheetgrpc.store.records import ExecutionFilter

SHEET = '(ship.ensure :name "S" :as @s) (voyage.ensure :ship @s :number 1)'
LONG = "".join(f'(ship.ensure :name "{at}" :as @s{at})' for at in range(2001)) + "(voyage.ensure :ship @s0 :number 1)"
SLOW = '(ship.ensure :name "S") (slow.work :name "slow")'  # its trigger counts to a thousand million
CANCELLED = ExecutionState.CANCELLED


async def _check_cancelled(fleet: Driver, session: str, execution: str, before: str) -> None:
    """C-R24, C-R27, C-R31: nothing is visible, who and when are told, the session goes on."""
    row = await fleet.engine.get_execution(execution)
    assert (row.state, row.cancelled_by, row.tables) == (CANCELLED, "anna", ())
    assert row.cancelled_at is not None
    assert row.ended_at is not None
    assert row.submitted_at <= row.cancelled_at <= row.ended_at
    assert row.error is not None
    assert (row.error.code, row.error.statement_index) == ("CANCELLED", None)
    assert sum(row.status_counts.values()) == row.statements_total
    assert "SUCCESS" not in row.status_counts
    assert fleet.dump() == before
    now = (await fleet.engine.get_session(session)).row.session
    assert (now.state, now.last_execution_succeeded) == (State.EXECUTED, False)
    ended = await fleet.engine.list_events(session, 0, 100, ["ExecutionFinished"])
    assert len(ended) == 1


async def test_a_queued_execution_is_cancelled_before_it_starts(path: Path) -> None:
    """C-R24, C-3.2 "PENDING / QUEUED"."""
    async with gated(path) as (fleet, _):
        before = fleet.dump()
        session = await fleet.ready(SHEET)
        execution = await fleet.submit(session)
        watcher = await fleet.engine.watch(execution, "", False)
        answer = await cancel(fleet, execution)
        assert (answer.outcome, answer.execution.state) == ("CANCELLED_BEFORE_START", CANCELLED)
        assert (answer.execution.epoch, answer.execution.started_at) == (0, None)
        await _check_cancelled(fleet, session, execution, before)
        bodies = [update.body for update in await read(watcher)]
        assert [type(body) for body in bodies] == [Snapshot, Finished]
        run(fleet)
        other = await fleet.run('(ship.ensure :name "T")')
        assert other.state == "SUCCEEDED"
        assert (await fleet.engine.get_execution(execution)).state is CANCELLED
        assert fleet.rows("SELECT name FROM ships") == ["T"]


@pytest.mark.parametrize(
    ("method", "number", "after"),
    [
        ("commit", 1, True),  # claimed on disk, and the run has not heard of it
        ("sheet", 1, False),  # preparing
        ("claim", 2, True),
        ("recheck", 1, False),
        ("recheck", 1, True),
        ("apply", 1, False),
        ("apply", 1, True),
        ("apply", 2, False),  # between phases
        ("apply", 2, True),  # after the last statement
    ],
)
@pytest.mark.parametrize("mode", [Mode.ATOMIC, BEST])
async def test_a_cancel_before_the_commit_ends_in_a_rollback(
    path: Path, method: str, number: int, after: bool, mode: Mode
) -> None:
    """C-R26, C-R33, C-3.2 "DISPATCHING (leased, not acked)" (the first), "double cancel": requested means cancelled."""
    async with gated(path) as (fleet, gate):
        before = fleet.dump()
        session = await fleet.ready(LONG if number == 2 and method == "apply" else SHEET)
        fleet.engine._context.analyst.forget((await fleet.engine.sheets.get(session, "")).id)
        execution = await fleet.submit(session, mode)
        gate.set(method, number, after=after)
        run(fleet)
        await gate.reached.wait()
        if method == "sheet":
            gate.set("open")  # what prepares is broken off at once: it is the end that waits
        answer = await cancel(fleet, execution)
        assert (answer.outcome, answer.execution.state) == ("CANCEL_REQUESTED", ExecutionState.CANCELLING)
        assert answer.execution.cancelled_by == "anna"
        live = await fleet.engine.get_execution(execution)
        (listed,) = await fleet.engine.list_executions(ExecutionFilter(session_id=session), 2, None)
        assert live.state is listed.state is ExecutionState.CANCELLING
        assert (await cancel(fleet, execution)).outcome == "ALREADY_CANCELLING"
        gate.opened.set()
        assert (await fleet.finish(execution)).state is CANCELLED
        assert (await cancel(fleet, execution)).outcome == "ALREADY_FINISHED"
        await _check_cancelled(fleet, session, execution, before)


async def test_a_cancel_that_meets_the_claim_is_decided_by_who_is_first(path: Path) -> None:
    """C-3.2 "cancel racing pop": both compare and set QUEUED; the claim has the writer, and the cancel waits for it."""
    async with gated(path) as (fleet, gate):
        before = fleet.dump()
        session = await fleet.ready(SHEET)
        execution = await fleet.submit(session)
        gate.set("commit")
        run(fleet)
        await gate.reached.wait()
        asked = asyncio.create_task(cancel(fleet, execution, wait=PATIENCE))
        await fleet.engine.get_session(session)
        gate.opened.set()
        gate.set("apply")  # so far the run may come meanwhile
        await run_of(fleet, execution).asked.wait()
        gate.opened.set()
        answer = await asked
        assert (answer.outcome, answer.execution.state) == ("CANCEL_REQUESTED", CANCELLED)
        await _check_cancelled(fleet, session, execution, before)


async def test_a_claim_that_meets_the_cancel_leaves_the_execution_alone(path: Path) -> None:
    """C-3.2 "cancel racing pop", the other way round: the cancel has the writer, and the claim waits."""
    async with gated(path) as (fleet, gate):
        before = fleet.dump()
        session = await fleet.ready(SHEET)
        execution = await fleet.submit(session)
        gate.set("commit")
        asked = asyncio.create_task(cancel(fleet, execution))
        await gate.reached.wait()
        run(fleet)
        await fleet.engine.get_session(session)
        gate.opened.set()
        assert (await asked).outcome == "CANCELLED_BEFORE_START"
        assert (await fleet.run('(port.ensure :code "P")')).state == "SUCCEEDED"
        fleet.change("DELETE FROM ports")
        await _check_cancelled(fleet, session, execution, before)


async def test_preparing_is_broken_off_and_not_waited_for(path: Path) -> None:
    async with gated(path) as (fleet, gate):
        before = fleet.dump()
        session = await fleet.ready(SHEET)
        execution = await fleet.submit(session)
        gate.set("sheet")
        run(fleet)
        await gate.reached.wait()
        answer = await cancel(fleet, execution, wait=PATIENCE)  # the gate stays shut
        assert (answer.outcome, answer.execution.state) == ("CANCEL_REQUESTED", CANCELLED)
        await _check_cancelled(fleet, session, execution, before)
        assert await fleet.results(execution) == []


async def test_a_run_that_waits_for_another_program_is_cancelled_and_never_begins(file: Path) -> None:
    """Its end is written once the writer can be had; until then it is CANCELLING, and says so."""
    async with gated(file, busy_timeout=0.01) as (fleet, gate):
        before = fleet.dump()
        session = await fleet.ready(SHEET)
        execution = await fleet.submit(session)
        gate.set("sheet")
        run(fleet)
        await gate.reached.wait()
        with locked(file):
            gate.opened.set()
            gate.set("claim", after=True)  # the transaction of the run, which is refused as STORE_BUSY
            await gate.reached.wait()
            gate.opened.set()
            answer = await cancel(fleet, execution, wait=1)
            assert (answer.outcome, answer.execution.state) == ("CANCEL_REQUESTED", ExecutionState.CANCELLING)
            gate.set("apply")
        assert (await fleet.finish(execution)).state is CANCELLED
        assert not gate.calls
        await _check_cancelled(fleet, session, execution, before)


@pytest.mark.parametrize("mode", list(Mode))
async def test_the_statement_that_runs_is_interrupted(fleet: Driver, mode: Mode) -> None:
    """C-3.2 "RUNNING mid-statement": its SQL would take minutes. What was done reads ROLLED_BACK, the rest NOT_RUN."""
    before = fleet.dump()
    session = await fleet.ready(SLOW)
    execution = await fleet.submit(session, mode)
    watcher = await fleet.engine.watch(execution, "", False, from_start=True)
    while (update := await watcher.next()) is not None and type(update.body).__name__ != "PhaseStarted":
        pass
    answer = await cancel(fleet, execution, wait=PATIENCE)
    assert (answer.outcome, answer.execution.state) == ("CANCEL_REQUESTED", CANCELLED)
    await _check_cancelled(fleet, session, execution, before)
    assert {result.row.status for result in await fleet.results(execution)} <= {7, 8}
    assert (await fleet.run('(ship.ensure :name "S")', session=session)).state == "SUCCEEDED"


@pytest.mark.parametrize(("method", "number"), [("record", 1), ("commit", 2)])
@pytest.mark.parametrize("after", [False, True])
async def test_a_cancel_that_meets_the_commit_comes_too_late(path: Path, method: str, number: int, after: bool) -> None:
    """C-R29, C-3.2 "cancel arrives after guard, during commit": the truth follows, and `wait` tells it."""
    async with gated(path) as (fleet, gate):
        session = await fleet.ready(SHEET)
        execution = await fleet.submit(session)
        gate.set(method, number, after=after)
        run(fleet)
        await gate.reached.wait()
        asked = asyncio.create_task(cancel(fleet, execution, wait=PATIENCE))
        told = await cancel(fleet, execution)
        await waited_for(fleet, execution)
        stored = method == "commit" and after
        assert told.outcome == ("ALREADY_FINISHED" if stored else "TOO_LATE_COMMITTING")
        assert told.execution.state is (ExecutionState.SUCCEEDED if stored else ExecutionState.COMMITTING)
        gate.opened.set()
        answer = await asked
        assert (answer.outcome, answer.execution.state) == (told.outcome, ExecutionState.SUCCEEDED)
        assert (answer.execution.cancelled_by, answer.execution.cancelled_at) == ("", None)
        assert fleet.rows("SELECT name FROM ships") == ["S"]


async def test_a_failure_that_is_being_recorded_is_not_overwritten_by_a_cancel(path: Path) -> None:
    async with gated(path) as (fleet, gate):
        session = await fleet.ready('(ship.ensure :name "x" :tonnage 0)')
        execution = await fleet.submit(session)
        gate.set("record")
        run(fleet)
        await gate.reached.wait()
        told = await cancel(fleet, execution)
        assert told.outcome == "TOO_LATE_COMMITTING"
        gate.opened.set()
        row = await fleet.finish(execution)
        assert (row.state, row.cancelled_by) == (ExecutionState.ROLLED_BACK, "")


async def test_the_end_of_a_cancel_that_is_being_recorded_is_not_asked_for_twice(path: Path) -> None:
    async with gated(path) as (fleet, gate):
        session = await fleet.ready(SHEET)
        execution = await fleet.submit(session)
        gate.set("apply")
        run(fleet)
        await gate.reached.wait()
        await cancel(fleet, execution)
        gate.opened.set()
        gate.set("record")
        await gate.reached.wait()
        assert (await cancel(fleet, execution)).outcome == "ALREADY_CANCELLING"
        gate.opened.set()
        assert (await fleet.finish(execution)).cancelled_by == "anna"


async def test_what_has_ended_stays_as_it_is(fleet: Driver) -> None:
    """C-R25, C-3.2 "cancel COMPLETED/FAILED/SKIPPED": whatever it ended as; test_cancel_rows.py has every state."""
    for sheet in (SHEET, '(ship.ensure :name "x" :tonnage 0)'):
        ran = await fleet.run(sheet)
        answer = await cancel(fleet, ran.execution.id, wait=PATIENCE)
        assert answer.outcome == "ALREADY_FINISHED"
        assert answer.execution == ran.execution
        assert await fleet.engine.get_execution(ran.execution.id) == ran.execution


async def test_streams_show_the_cancel_and_end_with_it(path: Path) -> None:
    """C-R30, C-3.2 "UI: RPC success then still RUNNING": CANCELLING until the end is there."""
    async with gated(path) as (fleet, gate):
        execution = await fleet.submit(await fleet.ready(SHEET))
        gate.set("apply")
        watcher = await fleet.engine.watch(execution, "", False)
        await watcher.next()
        run(fleet)
        await gate.reached.wait()
        await cancel(fleet, execution)
        gate.opened.set()
        bodies = [update.body for update in await read(watcher)]
        states = [body.execution.state for body in bodies if isinstance(body, (Snapshot, Finished))]
        assert states == [ExecutionState.CANCELLING, CANCELLED]
        assert isinstance(bodies[-1], Finished)


async def test_a_caller_that_goes_away_has_cancelled_all_the_same(path: Path) -> None:
    """C-3.2 "client drops the CancelJob RPC or its deadline passes": also before anything was judged."""
    async with gated(path) as (fleet, gate):
        session = await fleet.ready(SHEET)
        execution = await fleet.submit(session)
        before = fleet.dump()
        gate.set("apply")
        run(fleet)
        await gate.reached.wait()
        release = gate.opened
        gate.set("execution")
        asked = asyncio.create_task(cancel(fleet, execution, wait=PATIENCE))
        await gate.reached.wait()
        asked.cancel()  # before anything was judged
        with pytest.raises(asyncio.CancelledError):
            await asked
        asks = run_of(fleet, execution).asked
        gate.opened.set()
        await asks.wait()
        release.set()
        assert (await fleet.finish(execution)).state is CANCELLED
        await _check_cancelled(fleet, session, execution, before)


async def test_a_wait_that_is_over_answers_what_is_there(path: Path) -> None:
    async with gated(path) as (fleet, gate):
        execution = await fleet.submit(await fleet.ready(SHEET))
        gate.set("commit", 2)
        run(fleet)
        await gate.reached.wait()
        answer = await cancel(fleet, execution, wait=1)
        assert (answer.outcome, answer.execution.state) == ("TOO_LATE_COMMITTING", ExecutionState.COMMITTING)


async def test_a_process_that_dies_while_cancelling_leaves_no_retry(path: Path) -> None:
    """S-R43, C-3.2 "executor dies while CANCELLING": that is in memory alone; the next start finds it INTERRUPTED."""
    async with gated(path, replica_lease=0.5) as (fleet, gate):
        session = await fleet.ready(SHEET)
        execution = await fleet.submit(session)
        gate.set("apply")
        run(fleet)
        await gate.reached.wait()
        await cancel(fleet, execution, request_id="c")
        gate.opened.set()
        gate.set("open")
        await gate.reached.wait()  # rolled back, and not recorded
        await fleet.engine.store.close()  # as the process goes
        gate.opened.set()
    async with drive(path) as fleet:
        row = await fleet.finish(execution)  # where servers share the database: once the lease is over
        assert (row.state, row.epoch) == (ExecutionState.INTERRUPTED, 1)
        assert fleet.rows("SELECT count(*) FROM ships") == [0]
        again = await cancel(fleet, execution, request_id="c")
        assert again.outcome == "ALREADY_FINISHED"  # the truth of this moment: the first answer died with its process


async def test_what_a_run_left_behind_can_be_cancelled(path: Path) -> None:
    """RUNNING on disk and nobody runs it: its session is not stuck until the next start."""
    async with drive(path, start=False) as fleet:
        before = fleet.dump()
        session = await fleet.ready(SHEET)
        execution = await fleet.submit(session)
        claimed = await fleet.engine._executor._runner.claim(await fleet.engine.get_execution(execution))
        assert claimed is not None
        fleet.engine._executor._leave(execution)
        answer = await cancel(fleet, execution)
        assert (answer.outcome, answer.execution.state) == ("CANCEL_REQUESTED", CANCELLED)
        await _check_cancelled(fleet, session, execution, before)


async def test_a_queued_execution_behind_a_run_is_refused_as_busy_and_stays(file: Path) -> None:
    """SQLite has one writer, and a cancel that is not written would not survive its process: it says so instead."""
    async with gated(file, writer_timeout=0.01) as (fleet, gate):
        first = await fleet.submit(await fleet.ready(SHEET))
        second = await fleet.submit(await fleet.ready('(port.ensure :code "P")'))
        gate.set("apply")
        run(fleet)
        await gate.reached.wait()
        with pytest.raises(Unavailable) as refused:
            await cancel(fleet, second)
        assert refused.value.reason is Reason.STORE_BUSY
        assert (await cancel(fleet, first)).outcome == "CANCEL_REQUESTED"  # the run itself is asked without the writer
        gate.opened.set()
        assert (await fleet.finish(second)).state is ExecutionState.SUCCEEDED


async def test_on_postgresql_a_queued_execution_behind_a_run_is_cancelled_at_once(fleet_url: str) -> None:
    """Writers of different sessions do not wait for each other there."""
    async with gated(fleet_url, writer_timeout=5, max_running=1) as (fleet, gate):
        first = await fleet.submit(await fleet.ready(SHEET))
        second = await fleet.submit(await fleet.ready('(port.ensure :code "P")'))
        gate.set("apply")
        run(fleet)
        await gate.reached.wait()
        answer = await cancel(fleet, second)
        assert (answer.outcome, answer.execution.state) == ("CANCELLED_BEFORE_START", CANCELLED)
        gate.opened.set()
        assert (await fleet.finish(first)).state is ExecutionState.SUCCEEDED
        assert (await fleet.engine.get_execution(second)).state is CANCELLED
