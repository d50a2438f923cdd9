"""What is not the sheet's fault: a database that is away, tables that are not what they were. Nothing is ever stuck."""

import asyncio
from pathlib import Path

import asyncpg
import pytest
from tests.engine.driving import Driver, drive
from tests.engine.places import locked
from tests.engine.stopping import PATIENCE, cancel, gated, run

from sheetgrpc.engine import intents
from sheetgrpc.errors import Unavailable
from sheetgrpc.session.model import ExecutionState, State

SHEET = '(ship.ensure :name "S" :as @s) (voyage.ensure :ship @s :number 1)'


async def test_an_execution_waits_for_another_program_to_be_done(file: Path) -> None:
    async with drive(file, start=False, busy_timeout=0.01) as fleet:
        execution = await fleet.submit(await fleet.ready(SHEET))
        watcher = await fleet.engine.watch(execution, "", False)
        with locked(file):
            fleet.engine._executor.start()
            for _ in range(2):  # the loop turns until the claim was refused once, and waits
                await fleet.engine.get_execution(execution)
            assert (await fleet.engine.get_execution(execution)).state is ExecutionState.QUEUED
        while await watcher.next() is not None:
            pass
        assert (await fleet.engine.get_execution(execution)).state is ExecutionState.SUCCEEDED


async def test_a_stop_does_not_wait_for_another_program(file: Path) -> None:
    async with drive(file, start=False, busy_timeout=0.01) as fleet:
        execution = await fleet.submit(await fleet.ready(SHEET))
        with locked(file):
            fleet.engine._executor.start()
            await fleet.engine.get_execution(execution)
            await asyncio.wait_for(fleet.engine.stop(), 20)
    async with drive(file) as fleet:
        assert (await fleet.finish(execution)).state is ExecutionState.SUCCEEDED


async def test_a_run_that_is_broken_off_is_kept_by_nobody_and_a_cancel_ends_it(path: Path) -> None:
    """Whatever it was that broke it off: no lease is renewed for it, and nobody waits for an end that nobody tells."""
    async with gated(path) as (fleet, gate):
        execution = await fleet.submit(await fleet.ready(SHEET))
        gate.set("apply")
        run(fleet)
        await gate.reached.wait()
        waiting = asyncio.create_task(cancel(fleet, execution, wait=PATIENCE))
        (broken,) = fleet.engine._executor._running
        broken.cancel()
        await asyncio.wait([broken])
        assert not fleet.engine._replica.ownership.owns(execution)
        answer = await cancel(fleet, execution, wait=PATIENCE)
        assert answer.execution.state is ExecutionState.CANCELLED
        await asyncio.wait_for(waiting, 20)
        assert await fleet.engine.get_execution(execution) == answer.execution
        assert fleet.rows("SELECT count(*) FROM ships") == [0]


async def test_a_stop_does_not_wait_for_a_command_that_waits_for_the_database(path: Path) -> None:
    """Its time is over long before the command would be refused: that is broken off, and nothing is left of it."""
    async with drive(path, start=False, writer_timeout=60) as fleet:
        session = await fleet.open()
        before = await fleet.engine.store.session(session)
        async with fleet.engine.store.begin() as transaction:
            await transaction.open(session, None)
            renewing = asyncio.create_task(fleet.call(session, intents.RenewSession()))
            await asyncio.sleep(0)
            assert len(fleet.engine._handler._tasks) == 1  # it waits
            await asyncio.wait_for(fleet.engine.stop(0.1), 20)
        with pytest.raises((asyncio.CancelledError, Unavailable)):
            await renewing
    async with drive(path) as fleet:
        assert (await fleet.engine.store.session(session)).session == before.session


async def test_a_stop_does_not_wait_for_locks_of_another_program(fleet_url: str) -> None:
    """The command is the database's, and cannot be called back: its connection is cut."""
    beside = await asyncpg.connect(fleet_url)
    async with drive(fleet_url, start=False, writer_timeout=60) as fleet:
        session = await fleet.open()
        await beside.execute("BEGIN; SELECT 1 FROM sheetgrpc.sessions FOR UPDATE")
        renewing = asyncio.create_task(fleet.call(session, intents.RenewSession()))
        while not await beside.fetch("SELECT 1 FROM pg_locks WHERE NOT granted"):
            pass
        await asyncio.wait_for(fleet.engine.stop(0.1), 20)
        with pytest.raises((asyncio.CancelledError, Unavailable)):
            await asyncio.wait_for(renewing, 20)
    await beside.close()


async def test_a_table_that_is_gone_fails_the_statements_and_not_the_server(fleet: Driver) -> None:
    """Found by the statement that writes to it."""
    session = await fleet.ready('(ship.ensure :name "S") (flag.ensure :code "LU") (flag.ensure :code "FR")')
    fleet.change("ALTER TABLE flags RENAME TO banners")
    row = await fleet.finish(await fleet.submit(session))
    assert row.state is ExecutionState.ROLLED_BACK
    assert row.error is not None
    assert (row.error.code, row.error.statement_index) == ("INTERNAL", 1)
    assert "no such table" not in row.error.message
    assert "banners" not in row.error.message


async def test_a_run_that_cannot_even_begin_fails_and_its_session_goes_on(fleet: Driver) -> None:
    """The keys that were resolved at parse cannot be looked for any more."""
    await fleet.run('(port.ensure :code "P")')
    session = await fleet.ready('(port.rename :port 1 :name "x") (ship.ensure :name "S")')
    await fleet.run('(ship.ensure :name "T")')
    other = await fleet.ready(f'(voyage.ensure :ship "{fleet.rows("SELECT ship_id FROM ships")[0]}" :number 1)')
    fleet.change("ALTER TABLE ships RENAME TO hulks")
    row = await fleet.finish(await fleet.submit(other))
    assert (row.state, row.status_counts) == (ExecutionState.FAILED, {"NOT_RUN": 1})
    assert row.error is not None
    assert (row.error.code, row.error.statement_index) == ("INTERNAL", None)
    assert await fleet.state(other) is State.EXECUTED
    fleet.change("ALTER TABLE hulks RENAME TO ships")
    assert (await fleet.finish(await fleet.submit(session))).state is ExecutionState.SUCCEEDED
