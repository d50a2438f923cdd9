"""Cancels beside what ends sessions: leases, the purge, and a restore."""

from pathlib import Path

import pytest
from tests.engine.driving import drive
from tests.engine.hands import NOON, SECOND, Hands, drive_by, open_leased, stored
from tests.engine.stopping import cancel
from tests.engine.test_restoring import check_folds, put_back, take

from sheetgrpc.errors import NotFound
from sheetgrpc.session.model import ExecutionState, Lifecycle, State

SHEET = '(port.ensure :code "HAM")'
CANCELLED = ExecutionState.CANCELLED


async def test_a_session_that_waits_for_its_run_does_not_expire_and_a_cancel_gives_it_its_lease_again(
    path: Path,
) -> None:
    """The answer tells when the session expires as a look at it does."""
    hands = Hands()
    async with drive_by(hands, path, start=False) as fleet:
        session = await open_leased(fleet, 10)
        execution = await fleet.submit(await fleet.ready(SHEET, session))
        hands.go(25)
        await fleet.engine.sweeper.sweep()
        waiting = await fleet.engine.get_session(session)
        assert (waiting.row.session.lifecycle, waiting.expires_at) == (Lifecycle.ACTIVE, None)
        answer = await cancel(fleet, execution)
        assert (answer.outcome, answer.execution.state) == ("CANCELLED_BEFORE_START", CANCELLED)
        assert answer.session == await fleet.engine.get_session(session)
        assert answer.session.expires_at == hands.at + 10 * SECOND
        hands.go(10)
        assert (await fleet.engine.get_session(session)).row.session.lifecycle is Lifecycle.EXPIRED


async def test_a_cancel_of_what_has_ended_is_no_sign_of_life_and_finds_its_session_expired(path: Path) -> None:
    hands = Hands()
    async with drive_by(hands, path, start=False) as fleet:
        session = await open_leased(fleet, 10)
        execution = await fleet.submit(await fleet.ready(SHEET, session))
        first = await cancel(fleet, execution)
        hands.go(9)
        again = await cancel(fleet, execution)
        assert (again.outcome, again.execution) == ("ALREADY_FINISHED", first.execution)
        assert (await stored(fleet, session)).active_at == NOON
        hands.go(1)
        last = await cancel(fleet, execution, request_id="c")
        assert (last.outcome, last.execution) == ("ALREADY_FINISHED", first.execution)
        assert (last.session.row.session.lifecycle, last.session.allowed_actions) == (Lifecycle.EXPIRED, ())
        writing = fleet.engine._context.replies._writing  # the answer, behind; where servers share it, it is there
        if writing is not None:
            await writing
        assert (await stored(fleet, session)).active_at == last.session.row.active_at


async def test_a_purge_takes_a_cancelled_execution_and_the_answers_about_it(path: Path) -> None:
    hands = Hands()
    async with drive_by(hands, path, start=False, retention_days=60 / 86_400) as fleet:
        session = await open_leased(fleet, 10)
        execution = await fleet.submit(await fleet.ready(SHEET, session))
        await cancel(fleet, execution, request_id="c")
        hands.go(10)
        await fleet.engine.sweeper.sweep()
        assert (await fleet.engine.get_execution(execution)).state is CANCELLED
        hands.go(60)
        await fleet.engine.sweeper.sweep()
        with pytest.raises(NotFound):
            await cancel(fleet, execution)
        assert fleet.rows("SELECT count(*) FROM sheetgrpc_executions") == [0]


async def test_a_restore_keeps_a_cancelled_execution_and_interrupts_what_was_being_cancelled(file: Path) -> None:
    """Of a cancel that a run has not yet recorded the snapshot knows nothing."""
    async with drive(file, start=False) as fleet:
        over = await fleet.submit(await fleet.ready(SHEET))
        first = await cancel(fleet, over, request_id="c")
        under_way = await fleet.submit(await fleet.ready(SHEET))
        run = fleet.engine._context.runs.adopt(await fleet.engine.get_execution(under_way))
        assert await fleet.engine._executor._runner.claim(run.execution) is not None
        asked = await cancel(fleet, under_way, request_id="d")
        taken = await take(fleet)
    assert asked.outcome == "CANCEL_REQUESTED"
    new, told = await put_back(taken)
    assert told.executions_interrupted == 1
    async with drive(new) as fleet:
        assert await fleet.engine.get_execution(over) == first.execution
        assert (await cancel(fleet, over, request_id="c")).reply.body == first.reply.body
        again = await cancel(fleet, under_way, request_id="d")
        assert (again.outcome, again.execution.state) == ("ALREADY_FINISHED", ExecutionState.INTERRUPTED)
        assert again.session.row.session.state is State.EXECUTED
        assert await check_folds(fleet) == 2
